"""How a table writes numbers, dates and missing cells: found once, from all of its columns, kept and used again.

A mark may stand for decimals in one office and for thousands in another, so one column alone cannot say what 1,234 is.
All columns of a table are read alike; where they leave two readings, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import pyarrow
import pyarrow.compute as pc

from ..errors import InputError
from .text_kinds import is_number

#: Cells that are missing wherever they stand, in a file of text.
MISSING: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
MISSING += ("#N/A", "n/a", "#NA", "<NA>", "NaT", "#NULL!", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!", "#NAME?")
#: Cells that are missing among numbers and dates only; among texts each may be a value.
AMONG_NUMBERS = ("?", "-", "--", "–", "—", ".", "na")
#: What ganad 0.2 took for missing.
_EARLIER = MISSING[:8]
_SPACES = " \u00a0\u202f"
_ALIKE = 0.9  # share of the cells that must fit a notation; the others are slips, and named


class Marks(NamedTuple):
    """The marks in a number."""

    decimal: str = "."
    thousands: str = ""

    @property
    def group(self) -> str:
        """Pattern of the mark between groups of three digits."""
        return {"": "", " ": f"[{_SPACES}]", "'": "['’]"}.get(self.thousands, re.escape(self.thousands))

    @property
    def pattern(self) -> str:
        """Of a number, with or without groups; the digits may be missing."""
        grouped = rf"|[1-9]\d{{0,2}}({self.group}\d{{3}})+" if self.group else ""
        return rf"^[-+]?(\d*{grouped})({re.escape(self.decimal)}\d*)?([eE][-+]?\d+)?$"


PLAIN = Marks()
_MARKS = (
    Marks(","),
    Marks(".", ","),
    Marks(",", "."),
    Marks(".", " "),
    Marks(",", " "),
    Marks(".", "'"),
    Marks(",", "'"),
)


@dataclass(frozen=True)
class Notation:
    """What a model keeps of how its training table was written."""

    marks: Marks = PLAIN
    missing: tuple[str, ...] = MISSING  #: everywhere
    among_numbers: tuple[str, ...] = AMONG_NUMBERS
    day_first: bool | None = None  #: of dates such as 03-02-2024; None where none had to be told

    @classmethod
    def of_source(cls, source: Mapping[str, Any]) -> Self:
        """As a model's recipe has it; models before 0.3 know none."""
        kept = source.get("text")
        if kept is None:
            return cls(missing=_EARLIER, among_numbers=())
        marks = Marks(kept["decimal"], kept["thousands"])
        return cls(marks, tuple(kept["missing"]), tuple(kept["missing_among_numbers"]), kept["day_first"])

    def to_source(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "decimal": self.marks.decimal,
            "thousands": self.marks.thousands,
            "missing": list(self.missing),
            "missing_among_numbers": list(self.among_numbers),
            "day_first": self.day_first,
        }

    @property
    def numbers(self) -> list[float]:
        """The words for missing cells that are numbers, such as -999."""
        return [float(word) for word in (*self.missing, *self.among_numbers) if is_number(word)]

    def present(self, column: pyarrow.ChunkedArray, *, among_numbers: bool) -> pyarrow.ChunkedArray:
        """A column of text in which the words for missing cells are gaps."""
        words = (*self.missing, *self.among_numbers) if among_numbers else self.missing
        if not words:
            return column
        known = pc.is_in(column, value_set=pyarrow.array(words, pyarrow.string()))
        return pc.if_else(known, pyarrow.scalar(None, pyarrow.string()), column)


def marks_of(columns: Mapping[str, pyarrow.ChunkedArray], where: str, decimal: str = "", thousands: str = "") -> Marks:
    """The marks by which all columns of text that look like numbers are numbers; missing cells are gaps in them.

    decimal, thousands: what the user says. Raises InputError where two readings are left, naming both, and where
    columns contradict each other.
    """
    allowed = [m for m in (PLAIN, *_MARKS) if decimal in ("", m.decimal) and thousands in ("", m.thousands)]
    if not allowed:
        raise InputError(
            f"--decimal {decimal!r} --thousands {thousands!r}: the first is . or , and the second another of them, a "
            f"space or an apostrophe"
        )
    texts = {name: pc.drop_null(column) for name, column in columns.items()}
    marked = {name: cells for name, cells in texts.items() if cast(cells) is None and _is_marked(cells)}
    if not marked:
        return allowed[0]
    others = [cells for name, cells in texts.items() if name not in marked and len(cells) and _fits(PLAIN, cells)]
    columns_of_numbers = [*marked.values(), *others]
    full = [m for m in allowed if all(_fits(m, cells) for cells in columns_of_numbers)]
    if not full:
        raise _contradiction(where, marked)
    first, *more = ([as_plain(cells, m) for cells in columns_of_numbers] for m in full)
    if any(reading != first for reading in more):
        raise _either(where, marked)
    return full[0]


def cast(cells: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray | None:
    """Cells of text as float64, where all are numbers as a computer writes them."""
    try:
        return cells.cast(pyarrow.float64())
    except pyarrow.ArrowInvalid:
        return None


def matches(marks: Marks, cells: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Which cells are numbers; gaps stay gaps."""
    return pc.and_(pc.match_substring_regex(cells, marks.pattern), pc.match_substring_regex(cells, r"\d"))


def as_plain(cells: pyarrow.ChunkedArray, marks: Marks) -> pyarrow.ChunkedArray:
    """Numbers written with ``marks`` as a computer writes them."""
    if marks.thousands:
        cells = pc.replace_substring_regex(cells, marks.group, "")
    if marks.decimal != ".":
        cells = pc.replace_substring(cells, marks.decimal, ".")
    return pc.utf8_ltrim(cells, "+")


def _is_marked(cells: pyarrow.ChunkedArray) -> bool:
    """Whether nearly all cells are numbers, and not by the plain notation."""
    return len(cells) > 0 and not _fits(PLAIN, cells) and any(_fits(m, cells) for m in _MARKS)


def _fits(marks: Marks, cells: pyarrow.ChunkedArray) -> bool:
    return bool(pc.sum(matches(marks, cells)).as_py() >= _ALIKE * len(cells))


def _telling(cells: pyarrow.ChunkedArray) -> str:
    """A cell that is no plain number."""
    return str(cells.filter(pc.invert(matches(PLAIN, cells)))[0].as_py())


def _either(where: str, marked: Mapping[str, pyarrow.ChunkedArray]) -> InputError:
    name, cells = next(iter(marked.items()))
    cell = _telling(cells)
    return InputError(
        f"{where}: column {name!r} has numbers such as {cell}, which is {cell.replace(',', '.')} with a decimal comma "
        f"and {cell.replace(',', '')} with thousands; say which with --decimal , or --thousands ,"
    )


def _contradiction(where: str, marked: Mapping[str, pyarrow.ChunkedArray]) -> InputError:
    name, cells = next(iter(marked.items()))
    return InputError(
        f"{where}: column {name!r} has numbers such as {_telling(cells)}, which is not how all columns write theirs; "
        f"write them alike, or leave columns out with --drop"
    )
