"""How a user says that a table is to be read, and where a table comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from .text_file import Dialect

FRAME = Path("the frame")  #: what errors call a frame of a program
UNKNOWN = ("anomaly", "ignore", "refuse")


class TableOptions(TypedDict, total=False):
    """How a table is to be read."""

    label: str | None  #: a column to take out as classes
    drop: Sequence[str]  #: columns to leave out
    impute: bool  #: fill missing cells: median, or most frequent value, of the training table
    decimal: str | None  #: the decimal mark of texts, "." or ","; None finds it out
    thousands: str | None  #: the mark between thousands, ".", ",", " " or "'"; None finds it out
    missing: Sequence[str]  #: more words for missing cells
    dates: Sequence[str]  #: what dates become: elapsed, hour, weekday; with none they are refused
    day_first: bool | None  #: whether 03-02-2024 is in February; None finds it out
    unknown: str | None  #: what a text that training did not have is: "anomaly", "ignore" or "refuse"
    query: str | None  #: SQL for a database: SQLite or PostgreSQL
    encoding: str | None  #: of a file of text, such as "latin-1"; None finds it out


@dataclass(frozen=True)
class Place:
    """Where a table comes from, and how it is written there."""

    path: Path  #: what errors call it
    dialect: Dialect | None = None  #: of a text file; None where the cells have types
    first_row: int = 0
