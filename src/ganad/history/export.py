"""Rows of a history as a Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import msgspec
import pyarrow
import pyarrow.parquet

from ..atomic import replacing
from .entries import Filter, Row

if TYPE_CHECKING:
    from .store import History

_TIME = pyarrow.timestamp("us", "UTC")
SCHEMA = pyarrow.schema(
    {
        "id": pyarrow.int64(),
        "name": pyarrow.string(),
        "seen_at": _TIME,
        "score": pyarrow.float64(),
        "threshold": pyarrow.float64(),
        "is_anomaly": pyarrow.bool_(),
        "p_value": pyarrow.float64(),
        "model": pyarrow.string(),
        "key": pyarrow.string(),
        "spot_check": pyarrow.bool_(),
        "feedback": pyarrow.string(),
        "feedback_at": _TIME,
        "boxes": pyarrow.string(),  # JSON
        "traits": pyarrow.map_(pyarrow.string(), pyarrow.float64()),
        "thumbnail": pyarrow.binary(),
    }
)


def export(history: History, path: str | Path, **which: Unpack[Filter]) -> int:
    """Write the rows that pass the filter, in the order of keeping, and return how many; boxes are JSON text.

    Raises OSError where the file cannot be written.
    """
    count = 0
    with replacing(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, SCHEMA) as file:
        for page in history.pages(**which):
            file.write_table(pyarrow.Table.from_pylist([_cells(row) for row in page], SCHEMA))
            count += len(page)
    return count


def _cells(row: Row) -> dict[str, Any]:
    cells = {name: getattr(row, name) for name in SCHEMA.names}
    return cells | {
        "seen_at": _microseconds(row.seen_at),
        "feedback_at": None if row.feedback_at is None else _microseconds(row.feedback_at),
        "boxes": None if row.boxes is None else msgspec.json.encode(row.boxes).decode(),
        "traits": list(row.traits.items()),
    }


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)
