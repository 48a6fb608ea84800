"""Dates and times as numbers that mean something: days since the first, hour, weekday; seconds of a time of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc

from ..errors import InputError
from .text_file import OFFLINE

#: What a date may become, by name: the ending of the feature's name.
PARTS = {"elapsed": "days", "hour": "hour", "weekday": "weekday"}
_DAY = 86_400_000_000  # microseconds
_CLOCK = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d-%m-%y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
_EITHER: tuple[str, ...] = (
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%B %d, %Y",
)
_EITHER += ("%b %d %Y", "%B %d %Y", "%a, %d %b %Y", "%d. %B %Y")
#: Year first. A zone is taken off by hand, for DuckDB would put in this machine's where a cell names none.
_ISO = r"""CASE WHEN NOT regexp_matches(c, '^\d{4}[-/]') THEN NULL
    WHEN regexp_matches(c, ':\d\d.*(Z|UTC|[-+]\d\d(:?\d\d)?)$')
    THEN make_timestamp(epoch_us(try_cast(c AS TIMESTAMPTZ)))
    ELSE try_cast(c AS TIMESTAMP) END"""
_TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")


def check_parts(parts: Sequence[str]) -> None:
    """Raise InputError unless a date can become these."""
    for part in parts:
        if part not in PARTS:
            raise InputError(f"--dates {part}: a date can become {', '.join(PARTS)}")


def day_first_of(columns: Mapping[str, pyarrow.ChunkedArray], where: str, said: bool | None) -> bool | None:
    """Whether the day stands before the month in dates such as 03-02-2024; None where the columns have none of these.

    said: what the user says. Raises InputError where both readings are possible and differ.
    """
    if said is not None:
        return said
    unclear = None
    for name, column in columns.items():
        cells = pc.drop_null(column)
        first, second = (moments(cells, order) for order in (True, False))
        good = [m.null_count == 0 for m in (first, second)]
        if good == [True, True] and not first.equals(second):
            unclear = (name, str(cells.filter(pc.not_equal(first, second))[0].as_py()))
        elif good[0] != good[1]:
            return bool(good[0])
    if unclear:
        raise InputError(
            f"{where}: column {unclear[0]!r} has dates such as {unclear[1]}, whose day may be the first number or the "
            f"second; say which with --day-first or --month-first"
        )
    return None


def moments(cells: pyarrow.ChunkedArray, day_first: bool | None) -> pyarrow.ChunkedArray:
    """Cells of text as moments in microseconds, UTC where they name a zone; a gap where a cell is no date."""
    ordered = () if day_first is None else _DAY_FIRST if day_first else _MONTH_FIRST
    formats = [day + clock for day in (*ordered, *_EITHER) for clock in _CLOCK]
    return _parsed(cells, f"coalesce({_ISO}, try_strptime(c, {formats!r}))")


def clock_times(cells: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Cells of text such as 13:45:10.5 as seconds, float64; a gap where a cell is no time of day."""
    found = _parsed(cells, f"try_strptime(c, {list(_TIMES)!r})")
    return pyarrow.chunked_array([np.mod(_microseconds(found), _DAY) / 1e6], pyarrow.float64())


def is_moment(kind: pyarrow.DataType) -> bool:
    """Whether cells of such a column are dates."""
    return bool(pyarrow.types.is_date(kind) or pyarrow.types.is_timestamp(kind))


def seconds(column: pyarrow.ChunkedArray) -> np.ndarray:
    """Times of day or durations as seconds, float64 ``(n,)``, NaN for gaps."""
    if pyarrow.types.is_duration(column.type):
        whole = column.cast(pyarrow.duration("us"), safe=False).cast(pyarrow.int64())
    else:
        whole = column.cast(pyarrow.time64("us"), safe=False).cast(pyarrow.int64())
    return np.asarray(whole.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)) / 1e6


def first_of(column: pyarrow.ChunkedArray) -> int:
    """The earliest moment, in microseconds since 1970."""
    return int(np.nanmin(_microseconds(column)))


def parts_of(column: pyarrow.ChunkedArray, parts: Sequence[str], first: int) -> np.ndarray:
    """Moments as float64 ``(n, number of parts)``, NaN for gaps. Weekdays count from Monday, 0."""
    since = _microseconds(column)
    found = {
        "elapsed": (since - first) / _DAY,
        "hour": np.mod(since, _DAY) / (_DAY / 24),
        "weekday": np.mod(np.floor(since / _DAY) + 3, 7),  # 1970 began on a Thursday
    }
    return np.column_stack([found[part] for part in parts])


def _microseconds(column: pyarrow.ChunkedArray) -> np.ndarray:
    """Moments as float64 microseconds since 1970: exact for 285 years around it."""
    whole = column.cast(pyarrow.timestamp("us", getattr(column.type, "tz", None)), safe=False).cast(pyarrow.int64())
    return np.asarray(whole.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False))


def _parsed(cells: pyarrow.ChunkedArray, expression: str) -> pyarrow.ChunkedArray:
    """A timestamp column that DuckDB makes of the column of text ``c``."""
    import duckdb

    with duckdb.connect(config=OFFLINE | {"enable_external_access": "false"}) as connection:
        connection.register("cells", pyarrow.table({"c": cells}))
        found: Any = connection.sql(f"SELECT CAST({expression} AS TIMESTAMP) AS t FROM cells").to_arrow_table()
    return found["t"]
