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
import pyarrow.compute
import pyarrow.parquet
from PIL import Image
from starlette.requests import ClientDisconnect, Request

from ..data.decode import decode_one
from ..data.samples import Samples
from ..data.table import encode, iter_table
from ..detector import Detector
from ..errors import InputError
from . import Limits

_PARQUET = ("application/vnd.apache.parquet", "application/x-parquet", "application/parquet")
_LIGHT = 2**14  # bytes, and pixels
_NESTED = 10  # lists and objects a row, those in columns that nobody reads included
_SENTENCE = 500  # characters of an answer, which may name a cell of a megabyte
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
    body = bytearray()  # which grows where it lies; a list of its parts would leave the heap in pieces
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                if len(body) + len(part) > limits.body_bytes:
                    raise too_large
                take(len(part))
                body += part
    except TimeoutError as error:
        raise Refused(408, f"the body did not arrive within {limits.seconds:g} s", **LAST) from error
    except ClientDisconnect as error:
        raise Refused(400, "the connection ended before the body did") from error
    if not body:
        raise Refused(400, "the body is empty; send an image, JSON rows, CSV or Parquet")
    return bytes(body)


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
        raise Refused(422, shortened(str(error))) from error


def shortened(sentence: str) -> str:
    return sentence if len(sentence) <= _SENTENCE else sentence[:_SENTENCE] + "…"


def image(body: bytes, detector: Detector, limits: Limits) -> tuple[np.ndarray, list[str]]:
    """One image as the model's training images were read."""
    height, width = detector.sample_shape_[:2]
    mode = "RGB" if len(detector.sample_shape_) == 3 and detector.sample_shape_[2] == 3 else "L"
    pixels = decode_one(body, (height, width), mode, limits.pixels)
    return pixels.reshape(1, *detector.sample_shape_), ["image"]


def table(body: bytes, kind: str, detector: Detector, limits: Limits) -> tuple[np.ndarray, list[str]]:
    """Rows as the model's training table was read; columns go by name where it had names, others are ignored."""
    source = getattr(detector, "source_", None) or {}
    rows = json_rows(body, limits) if kind == "json" else []
    refuse_more(len(rows), limits)
    if rows and all(isinstance(row, list) for row in rows):
        return single_precision(plain_rows(rows, detector)), [str(i) for i in range(len(rows))]
    if not all(isinstance(row, dict) for row in rows):
        raise InputError("rows must all be objects of column and value, or all lists of numbers")
    if source.get("kind") != "table":
        raise InputError("this model was trained on an array without column names; send JSON lists of numbers")
    source = source | {"label": None}
    if kind == "csv":
        samples = csv_samples(body, source, limits)
    else:
        known = [recipe["name"] for recipe in source["columns"]]
        read = json_table(rows, known) if kind == "json" else parquet_table(body, known, limits)
        samples = encode(read, Path("body"), source=source)
    return single_precision(samples.x), samples.names or []


def refuse_more(count: int, limits: Limits) -> None:
    """Refused with 413 for more rows than one request may bring; called before they cost more than their body."""
    if count > limits.samples:
        raise Refused(413, f"more than the {limits.samples:,} rows allowed in one request")


def csv_samples(body: bytes, source: dict[str, Any], limits: Limits) -> Samples:
    """As many rows as are allowed, and no more read than shows whether there are others."""
    with tempfile.TemporaryDirectory(prefix="ganad") as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(body)
        try:
            parts = iter_table(path, source, rows=limits.samples)
            samples = next(parts)
            refuse_more(limits.samples + (next(parts, None) is not None), limits)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "body")) from error
    return samples


def parquet_table(body: bytes, known: list[str], limits: Limits) -> pyarrow.Table:
    """The known columns, once the file's own figures say that they are of a size to be read, and no more than that.

    Text is read folded, as numbers of a dictionary's entries, for an entry of a megabyte may stand in every row.
    """
    try:
        kinds = {field.name: field.type for field in pyarrow.parquet.read_schema(pyarrow.BufferReader(body))}
        present = [name for name in known if name in kinds]
        for name in present:
            if not is_flat(kinds[name]):
                raise InputError(f"body: column {name!r} is {kinds[name]}, which is no number, truth value or text")
        with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(body), read_dictionary=present) as file:
            about = file.metadata
            refuse_more(about.num_rows, limits)
            size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            if size > limits.bodies_bytes:
                raise Refused(413, f"{size:,} bytes unpacked are more than the {limits.bodies_bytes:,} allowed")
            batches, n = [], 0
            for batch in file.iter_batches(limits.samples + 1, columns=present):
                n += batch.num_rows
                refuse_more(n, limits)
                batches.append(batch)
            read = pyarrow.Table.from_batches(batches) if batches else file.schema_arrow.empty_table()
        if sum(map(unfolded, read.columns)) > limits.body_bytes:
            raise Refused(413, f"its text unpacked is larger than the {limits.body_bytes:,} bytes allowed")
        names = read.column_names
        return pyarrow.table([c.cast(kinds[name]) for name, c in zip(names, read.columns)], names=names)
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"body: cannot be read as a table ({(str(error).splitlines() or [''])[0]})") from error


def is_flat(kind: pyarrow.DataType) -> bool:
    """Whether a cell is one number, truth value or text; one of other types may be of any size."""
    t = pyarrow.types
    text = t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind) or t.is_binary(kind)
    return text or t.is_primitive(kind) or t.is_decimal(kind) or t.is_null(kind) or t.is_dictionary(kind)


def unfolded(column: pyarrow.ChunkedArray) -> int:
    """Bytes of a column of text once every cell has its own."""
    if not pyarrow.types.is_dictionary(column.type):
        return 0
    lengths = [pyarrow.compute.binary_length(part.dictionary).take(part.indices) for part in column.chunks]
    return sum(pyarrow.compute.sum(part).as_py() or 0 for part in lengths)


def json_table(rows: list[dict[str, Any]], known: list[str]) -> pyarrow.Table:
    """The known columns that occur in any of the rows."""
    columns = {name: [row.get(name) for row in rows] for name in known if any(name in row for row in rows)}
    try:
        return pyarrow.table(columns)
    except UnicodeEncodeError as error:
        raise InputError("a text of the rows has half a character (a lone surrogate), which is no Unicode") from error
    except (pyarrow.ArrowException, TypeError, OverflowError) as error:
        raise InputError(f"a column of the rows mixes kinds of values ({str(error).splitlines()[0]})") from error


def single_precision(x: np.ndarray) -> np.ndarray:
    """The same; InputError where a model's arithmetic has no such number."""
    with np.errstate(over="ignore"):
        if not np.isfinite(x.astype(np.float32)).all():
            raise InputError("every number must be finite, below 3.4e38 in size")
    return x


def json_rows(body: bytes, limits: Limits) -> list[Any]:
    """The rows of ``[...]`` or ``{"rows": [...]}``."""
    # ten millions of [] hold the interpreter, and with it every other request, for seconds
    if body.count(b"[") + body.count(b"{") > _NESTED * limits.samples:
        raise Refused(413, f"more lists and objects than {limits.samples:,} rows may have")
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
        return np.array(rows, dtype=np.float64)
    except (OverflowError, ValueError) as error:
        raise InputError(f"a number in the rows is too large ({error})") from error
