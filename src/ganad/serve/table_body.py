"""A body of table rows, read as the training table was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import scratch
from ..data.json_rows import json_table, plain_rows
from ..data.samples import Samples
from ..data.table import encode, iter_table
from ..data.table_options import Place
from ..detector import Detector
from ..errors import InputError
from .json_body import json_rows
from .limits import Limits
from .parquet_body import parquet_table
from .rejections import refuse_more


def table(body: bytes, kind: str, detector: Detector, limits: Limits) -> Samples:
    """Rows as the model's training table was read; columns go by name where it had names, others are ignored."""
    source = getattr(detector, "source_", None) or {}
    rows = json_rows(body, limits) if kind == "json" else []
    refuse_more(len(rows), limits)
    if rows and all(isinstance(row, list) for row in rows):
        x = plain_rows(rows, detector.input_.sample_shape[0])
        return single_precision(Samples(x, names=[str(i) for i in range(len(rows))]))
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
        samples = encode(read, Place(Path("body")), source=source)
    return single_precision(samples)


def csv_samples(body: bytes, source: dict[str, Any], limits: Limits) -> Samples:
    """The rows; Refused with 413 as soon as one more than allowed has been read."""
    with scratch() as folder:
        path = folder / "rows.csv"
        path.write_bytes(body)
        try:
            parts = iter_table(path, source, rows=limits.samples)
            samples = next(parts)
            refuse_more(limits.samples + (next(parts, None) is not None), limits)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "body")) from error
    return samples


def single_precision(samples: Samples) -> Samples:
    """The same samples; InputError where a number is not finite in float32, in which models calculate."""
    with np.errstate(over="ignore"):
        good = np.isfinite(samples.x.astype(np.float32))
    if not good.all():
        row, column = np.argwhere(~good)[0]
        name = f"column {samples.columns[column]!r}, " if samples.columns else ""
        raise InputError(f"{name}row {row}: every number must be finite, below 3.4e38 in size")
    return samples
