"""Rows that came as JSON: objects of column and value, or lists of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow

from ..errors import InputError


def json_table(rows: list[dict[str, Any]], known: list[str]) -> pyarrow.Table:
    """The known columns that occur in any of the rows."""
    columns = {name: [row.get(name) for row in rows] for name in known if any(name in row for row in rows)}
    try:
        return pyarrow.table(columns)
    except UnicodeEncodeError as error:
        raise InputError("a text of the rows is not valid Unicode: it holds half a character") from error
    except (pyarrow.ArrowException, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        what = "has a number that is too large" if "too large" in reason else "mixes kinds of values"
        raise InputError(f"a column of the rows {what} ({reason})") from error


def plain_rows(rows: list[Any], d: int) -> np.ndarray:
    """Lists of numbers in the order of the d training columns, as an array (n, d)."""
    for i, row in enumerate(rows):
        good = len(row) == d and all(isinstance(v, int | float) and not isinstance(v, bool) for v in row)
        if not good:
            raise InputError(f"row {i} must be {d} numbers, in the order of the training columns")
    try:
        return np.array(rows, dtype=np.float64)
    except (OverflowError, ValueError) as error:
        raise InputError(f"a number in the rows is too large ({error})") from error
