"""Request bodies: read with a limit that counts, told apart by their type, and read as the training data were."""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image
from starlette.requests import ClientDisconnect, Request

from ..data.folder import decode_one
from ..data.table import load_table
from ..detector import Detector
from ..errors import InputError
from . import Limits

_PARQUET = ("application/vnd.apache.parquet", "application/x-parquet", "application/parquet")
_LIGHT = 2**14  # bytes, and pixels
#: content type -> how the body is read, "" being told by its first bytes
KINDS = {"application/json": "json", "text/csv": "csv", "application/octet-stream": "", "": ""}
KINDS |= dict.fromkeys(_PARQUET, "parquet")


RETRY = {"Retry-After": "1"}
LAST = {"Connection": "close"}  # nobody will read the rest of the body


class Refused(Exception):
    """A request that is answered with an HTTP status and a sentence."""

    def __init__(self, status: int, message: str, **headers: str):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


class Room:
    """Bytes for the bodies of all requests under way, so that many large ones at once do not take the memory."""

    def __init__(self, size: int):
        self.left = size

    @contextmanager
    def guest(self) -> Iterator[Callable[[int], None]]:
        """A function that takes n bytes more until the end of the block; Refused with 503 where too few are left."""
        taken = 0

        def take(n: int) -> None:
            nonlocal taken
            if n > self.left:
                raise Refused(503, "busy with other bodies; try again later", **RETRY, **LAST)
            self.left -= n
            taken += n

        try:
            yield take
        finally:
            self.left += taken


async def receive(request: Request, limits: Limits, take: Callable[[int], None]) -> bytes:
    """The whole body; Refused with 413, 415, 408 or 503 as soon as it is too large, encoded, late or one too many."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "bodies are taken as they are; send it without Content-Encoding", **LAST)
    announced = request.headers.get("content-length", "0")
    too_large = Refused(413, f"the body is larger than the {limits.body_bytes:,} bytes allowed", **LAST)
    if announced.isdigit() and int(announced) > limits.body_bytes:
        raise too_large
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise too_large
                take(len(part))
                parts.append(part)
    except TimeoutError as error:
        raise Refused(408, f"the body did not arrive within {limits.seconds:g} s", **LAST) from error
    except ClientDisconnect as error:
        raise Refused(400, "the connection ended before the body did") from error
    if not size:
        raise Refused(400, "the body is empty; send an image, JSON rows, CSV or Parquet")
    return b"".join(parts)


def is_light(body: bytes) -> bool:
    """Whether reading it takes less than a thread would cost: a small picture, in its file and in its pixels."""
    if len(body) > _LIGHT:
        return False
    try:
        with Image.open(io.BytesIO(body), formats=("PNG", "JPEG")) as image:
            return image.width * image.height <= _LIGHT
    except Exception:
        return False  # then the thread may find out what it is


def kind_of(content_type: str, body: bytes) -> str:
    """image, json, csv or parquet; Refused with 415 for anything else."""
    name = content_type.split(";")[0].strip().lower()
    if name.startswith("image/"):
        return "image"
    if name not in KINDS:
        raise Refused(415, f"{name!r} is not read; send an image, application/json, text/csv or Parquet")
    return KINDS[name] or ("parquet" if body[:4] == b"PAR1" else "image")


def parse(body: bytes, content_type: str, detector: Detector, limits: Limits) -> tuple[np.ndarray, list[str]]:
    """Samples and their names; Refused with 422 and a sentence for what cannot be read."""
    kind = kind_of(content_type, body)
    images = len(detector.sample_shape_) > 1
    if images != (kind == "image"):
        wanted = "images" if images else "table rows, as JSON, CSV or Parquet"
        raise Refused(415, f"this model scores {wanted}, and the body is {kind}")
    try:
        return image(body, detector, limits) if images else table(body, kind, detector, limits)
    except InputError as error:
        raise Refused(422, str(error)) from error


def refuse_many(rows: int, limits: Limits) -> None:
    """Refused with 413 for more rows than one request may have; before they take memory, where their number is told."""
    if rows > limits.samples:
        raise Refused(413, f"{rows:,} rows are more than the {limits.samples:,} allowed in one request")


def image(body: bytes, detector: Detector, limits: Limits) -> tuple[np.ndarray, list[str]]:
    """One image as the model's training images were read."""
    height, width = detector.sample_shape_[:2]
    mode = "RGB" if len(detector.sample_shape_) == 3 and detector.sample_shape_[2] == 3 else "L"
    pixels = decode_one(body, (height, width), mode, most=limits.pixels)
    return pixels.reshape(1, *detector.sample_shape_), ["image"]


def table(body: bytes, kind: str, detector: Detector, limits: Limits) -> tuple[np.ndarray, list[str]]:
    """Rows as the model's training table was read; columns go by name where it had names."""
    source = getattr(detector, "source_", None) or {}
    if kind == "json":
        rows = json_rows(body)
        refuse_many(len(rows), limits)
        if all(isinstance(row, list) for row in rows):
            return plain_rows(rows, detector), [str(i) for i in range(len(rows))]
        if not all(isinstance(row, dict) for row in rows):
            raise InputError("rows must all be objects of column and value, or all lists of numbers")
    if source.get("kind") != "table":
        raise InputError("this model was trained on an array without column names; send JSON lists of numbers")
    with tempfile.TemporaryDirectory(prefix="ganad") as folder:
        path = Path(folder) / ("rows.csv" if kind == "csv" else "rows.parquet")
        if kind == "json":
            there = set().union(*rows)
            known = [c["name"] for c in source["columns"] if c["name"] in there] or list(rows[0])[:1]
            columns = {name: [row.get(name) for row in rows] for name in known}
            try:
                pyarrow.parquet.write_table(pyarrow.table(columns), path)
            except (pyarrow.ArrowException, TypeError, OverflowError, UnicodeError) as error:
                raise InputError(
                    f"a column of the rows holds values that cannot stand together ({str(error).splitlines()[0]})"
                ) from error
        else:
            path.write_bytes(body)
        try:
            if kind == "parquet":
                refuse_many(parquet_rows(path, limits), limits)
            samples = load_table(path, source=source)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "body")) from error
    refuse_many(len(samples.x), limits)
    if not (np.abs(samples.x) <= np.finfo(np.float32).max).all():
        raise InputError("every number must be finite, below 3.4e38 in size")
    return samples.x, samples.names or []


def parquet_rows(path: Path, limits: Limits) -> int:
    """Rows of a Parquet file, from its last bytes; InputError for one that cannot be read or has too many columns."""
    try:
        seen = pyarrow.parquet.read_metadata(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"the body is no Parquet file ({str(error).splitlines()[0]})") from error
    if seen.num_columns > limits.columns:
        raise Refused(413, f"{seen.num_columns:,} columns are more than the {limits.columns:,} allowed")
    return int(seen.num_rows)


def json_rows(body: bytes) -> list[Any]:
    """The rows of ``[...]`` or ``{"rows": [...]}``."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is no JSON ({error})") from error
    rows = value.get("rows") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not rows:
        raise InputError('JSON must be a list of rows, or {"rows": [...]}, with at least one row')
    return rows


def plain_rows(rows: list[Any], detector: Detector) -> np.ndarray:
    """Lists of numbers in the order of the training columns."""
    d = detector.sample_shape_[0]
    for i, row in enumerate(rows):
        good = len(row) == d and all(isinstance(v, int | float) and not isinstance(v, bool) for v in row)
        if not good:
            raise InputError(f"row {i} must be {d} numbers, in the order of the training columns")
    try:
        x = np.array(rows, dtype=np.float64)
    except (OverflowError, ValueError) as error:
        raise InputError(f"a number in the rows is too large ({error})") from error
    if not np.isfinite(x.astype(np.float32)).all():
        raise InputError("every number must be finite, below 3.4e38 in size")
    return x
