"""Rows of a history as a CSV or Parquet file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import msgspec
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from ..atomic import replacing
from ..display import shown
from ..errors import InputError
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

    path: ends in .csv or .parquet; a CSV file has the traits as JSON and no thumbnails. Raises InputError for another
    ending, OSError where the file cannot be written.
    """
    is_csv, count = check_ending(path) == ".csv", 0
    kind: Any = pyarrow.csv.CSVWriter if is_csv else pyarrow.parquet.ParquetWriter
    schema = _for_text(SCHEMA.empty_table()).schema if is_csv else SCHEMA
    with replacing(path) as temporary, kind(temporary, schema) as file:
        for page in history.pages(**which):
            table = pyarrow.Table.from_pylist([_cells(row) for row in page], SCHEMA)
            file.write_table(_for_text(table) if is_csv else table)
            count += len(page)
    return count


def check_ending(path: str | Path) -> str:
    """The ending of a file to export to; InputError unless it is .csv or .parquet."""
    ending = Path(path).suffix
    if ending not in (".csv", ".parquet"):
        raise InputError(f"{path}: rows are written as .csv or .parquet; use one of these endings")
    return ending


def _for_text(table: pyarrow.Table) -> pyarrow.Table:
    """The same for a CSV file. A spreadsheet would run a name that looks like a formula, a terminal an escape."""
    traits = [json.dumps(dict(own or ())) for own in table["traits"].to_pylist()]
    table = table.set_column(table.column_names.index("traits"), "traits", pyarrow.array(traits, pyarrow.string()))
    for column in ("name", "key"):
        texts = [text and shown(text, len(text)) for text in table[column].to_pylist()]
        safe = pyarrow.compute.replace_substring_regex(
            pyarrow.array(texts, pyarrow.string()), r"^([=+\-@\t\r])", r"'\1"
        )
        table = table.set_column(table.column_names.index(column), column, safe)
    return table.drop_columns(["thumbnail"])


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
