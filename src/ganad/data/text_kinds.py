"""What the cells of a text column look like to a person: numbers in disguise, dates, times, or just text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_NEARLY_ALL = 0.9  # share of the cells that must look alike

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
DECIMAL_COMMA = r"[-+]?\d+,\d+"
_DAY = r"(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{4}/\d{1,2}/\d{1,2})"
#: Dates and times as tables mostly have them.
DATE = rf"{_DAY}([ T]\d{{1,2}}:\d{{2}}.*)?|\d{{1,2}}:\d{{2}}(:\d{{2}})?"
#: One comma before three digits: a decimal comma to some, thousands to others.
EITHER_COMMA = r"[-+]?\d{1,3},\d{3}"

_GROUPED = r"[-+]?\d{1,3}([,.'’ \u00a0\u202f]\d{3})+([.,]\d+)?"
_AMOUNT = r"[\d.,'’ \u00a0\u202f]*\d"
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_WORDED_DAY = rf"([a-z]{{3,9}},? )?(\d{{1,2}}[. -]+{_MONTH}|{_MONTH}\.? \d{{1,2}})[., -]+\d{{2,4}}.*"


class Look(NamedTuple):
    """A way of writing that is not a category."""

    what: str
    pattern: str  #: of a whole cell
    remedy: str  #: how to write it so that it can be read
    with_numbers: bool = False  #: whether plain numbers stand among them: 950 beside 1,200


_WRITE = "write them as plain numbers, such as 1234.5"
_LOOKS = (
    Look("numbers with a decimal comma", DECIMAL_COMMA, "write them with a point", with_numbers=True),
    Look("numbers with thousands separators", _GROUPED, _WRITE, with_numbers=True),
    Look("percentages", r"[-+]?\d+([.,]\d+)?\s*%", "write them as plain numbers, without the sign"),
    Look("amounts of money", rf"[-+]?[$€£¥]\s*{_AMOUNT}|[-+]?{_AMOUNT}\s*[$€£¥]", _WRITE),
    Look("times", r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[ap]\.?m\.?)?", "turn them into numbers, such as seconds"),
    Look("dates", rf"{_DAY}([ T].*)?|{_WORDED_DAY}", "turn them into numbers, such as days since the first"),
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
