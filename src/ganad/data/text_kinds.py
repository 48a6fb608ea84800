"""What the cells of a text column look like to a person: numbers in disguise, dates, times, or just text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_NEARLY_ALL = 0.9  # share of the cells that must look alike

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
_DAY = r"(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}/\d{1,2}/\d{1,2})"
#: Dates and times as tables mostly have them.
DATE = rf"{_DAY}([ T]\d{{1,2}}:\d{{2}}.*)?|\d{{1,2}}:\d{{2}}(:\d{{2}})?"

#: A time of day or a duration below one, up to fractions of a second.
TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[ap]\.?m\.?)?"
_GROUPED = r"[-+]?\d{1,3}([,.'’ \u00a0\u202f]\d{3})+([.,]\d+)?"
_AMOUNT = r"[\d.,'’ \u00a0\u202f]*\d"
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
#: Dates with the month as a word.
WORDED_DAY = rf"([a-z]{{3,9}},? )?(\d{{1,2}}[. -]+{_MONTH}|{_MONTH}\.? \d{{1,2}})[., -]+\d{{2,4}}.*"


class Look(NamedTuple):
    """A way of writing that is not a category."""

    what: str
    pattern: str  #: of a whole cell
    remedy: str  #: how to write it so that it can be read
    with_numbers: bool = False  #: whether plain numbers stand among them: 950 beside 1,200


_WRITE = "write them as plain numbers, such as 1234.5"
_LOOKS = (
    Look("numbers with a decimal comma", r"[-+]?\d+,\d+", "write them all with a point or comma", with_numbers=True),
    Look("numbers with thousands separators", _GROUPED, _WRITE, with_numbers=True),
    Look("percentages", r"[-+]?\d+([.,]\d+)?\s*%", "write them as plain numbers, without the sign"),
    Look("amounts of money", rf"[-+]?[$€£¥]\s*{_AMOUNT}|[-+]?{_AMOUNT}\s*[$€£¥]", _WRITE),
    Look("times", TIME, "read them with --dates hour"),
    Look("dates", rf"{_DAY}([ T].*)?|{WORDED_DAY}", "read them with --dates elapsed,hour,weekday"),
)
_TEXT = Look("free text or identifiers", "", "")


def is_number(cell: str) -> bool:
    return re.fullmatch(NUMBER, cell) is not None


def look_of(cells: Sequence[str]) -> Look:
    """What nearly all of the cells look like; free text if they look like nothing else."""
    return next((look for look in _LOOKS if _fits(look, cells)), _TEXT)


def _fits(look: Look, cells: Sequence[str]) -> bool:
    pattern = re.compile(look.pattern, re.IGNORECASE)
    own = [pattern.fullmatch(cell) is not None for cell in cells]
    alike = sum(mine or (look.with_numbers and is_number(cell)) for mine, cell in zip(own, cells))
    return any(own) and alike >= _NEARLY_ALL * len(cells)
