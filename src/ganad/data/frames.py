"""Frames of other libraries, and rows of plain values, as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow

from ..errors import InputError
from .table_options import FRAME
from .text_file import refuse_twice

_NUMBERS = (int, float, Decimal)


def is_frame(x: Any) -> bool:
    """Whether this is a table with named columns: of pandas, polars, Arrow or one that hands it to Arrow."""
    return _is_pandas(x) or (hasattr(x, "__arrow_c_stream__") and (hasattr(x, "columns") or hasattr(x, "schema")))


def frame_table(x: Any) -> pyarrow.Table:
    """A frame as an Arrow table, without its index.

    Raises InputError for a column that Arrow cannot hold, and for one that occurs twice.
    """
    if _is_pandas(x):
        refuse_twice([str(name) for name in x.columns], FRAME)
    try:
        if _is_pandas(x):
            return pyarrow.Table.from_pandas(x, preserve_index=False).replace_schema_metadata()
        return pyarrow.table(x)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"the frame has a column that mixes kinds of values ({(str(error).splitlines() or [''])[0]}); make each "
            f"column numbers, truth values, dates or text"
        ) from error


def is_plain(table: pyarrow.Table) -> bool:
    """Whether every cell is a number or truth value, so that the frame is an array with names."""
    t = pyarrow.types
    return all(
        (t.is_integer(c.type) or t.is_floating(c.type) or t.is_boolean(c.type)) and not c.null_count
        for c in table.columns
    )


def table_of(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> pyarrow.Table:
    """Rows of plain values, None where a cell is missing, as an Arrow table; a column of several kinds becomes text."""
    columns = list(zip(*rows)) or [()] * len(names)
    return pyarrow.table([_column(list(cells)) for cells in columns], names=[str(name) for name in names])


def _column(cells: list[Any]) -> pyarrow.Array:
    present = [cell for cell in cells if cell is not None]
    numbers = present and all(isinstance(cell, _NUMBERS) and not isinstance(cell, bool) for cell in present)
    if numbers and not all(isinstance(cell, int) and abs(cell) < 2**63 for cell in present):
        cells = [None if cell is None else float(cell) for cell in cells]
    try:
        return pyarrow.array(cells)
    except (pyarrow.ArrowException, TypeError, OverflowError):
        return pyarrow.array([None if cell is None else text_of(cell) for cell in cells], pyarrow.string())


def text_of(cell: Any) -> str:
    """A cell as a file of text has it: 1 and not 1.0."""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _is_pandas(x: Any) -> bool:
    return type(x).__module__.partition(".")[0] == "pandas" and hasattr(x, "columns")
