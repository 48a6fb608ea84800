"""One column of a table: what it holds, how that is read, and the numbers that it becomes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import pyarrow
import pyarrow.compute as pc

from ..display import shown
from ..errors import InputError
from .dates import PARTS, clock_times, first_of, is_moment, moments, parts_of, seconds
from .notation import PLAIN, Marks, Notation, as_plain, cast, matches
from .table_options import FRAME
from .text_kinds import DATE, TIME, WORDED_DAY, is_number, look_of

MAX_CATEGORIES = 100
#: A text column of which more than this share are numbers is a numeric one with a slip in it.
_MOSTLY_NUMBERS = 0.9
#: A text column with more different texts than this, in more than this share of the rows, holds no categories.
_FEW, _NEARLY_ALL_DIFFER = 20, 0.5


class Recipe(TypedDict):
    """How a column is read, as JSON."""

    name: str
    fill: NotRequired[float | str | list[float] | None]  #: what stands for a missing cell, of an imputed table
    kind: NotRequired[str]  #: numeric, boolean, categorical, date or time
    categories: NotRequired[list[str]]
    usual: NotRequired[str]  #: the most frequent category
    parts: NotRequired[list[str]]  #: what a date becomes
    first: NotRequired[int]  #: the earliest date of training, microseconds since 1970


@dataclass(frozen=True)
class Origin:
    """Where rows come from, for error messages, and how they are written."""

    path: Path
    first_row: int = 0
    notation: Notation = field(default_factory=Notation)
    dates: tuple[str, ...] = ()  #: what a date becomes; with none, dates are refused

    def remedy(self, options: str, keywords: str) -> str:
        """What to say to read it otherwise: options of a command, or keywords where a program gives a frame."""
        return f"ganad.data.load(X, {keywords})" if self.path == FRAME else options

    def drop(self, name: str) -> str:
        """What leaves a column out; a command's option as a shell takes it, a name quoted there as in a CSV file."""
        quoted = '"' + name.replace('"', '""') + '"' if not name or "," in name or '"' in name else name
        return self.remedy(f"--drop {shlex.quote(quoted)}", f"drop={[name]!r}")


def is_text(recipe: Recipe) -> bool:
    return recipe["kind"] == "categorical"


def width(recipe: Recipe) -> int:
    """The number of features that the column becomes."""
    return len(features(recipe))


def features(recipe: Recipe) -> list[str]:
    """The names of the features that the column becomes."""
    name = recipe["name"]
    if is_text(recipe):
        return [f"{name}={c}" for c in recipe["categories"]]
    if recipe["kind"] == "date":
        return [f"{name}: {PARTS[part]}" for part in recipe["parts"]]
    return [f"{name}: seconds" if recipe["kind"] == "time" else name]


def trimmed(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Text without blanks around it and of one Arrow type; other columns as they are.

    Of texts and whole numbers a dictionary says more than its values: that they are categories, though all be digits.
    """
    types, kind = pyarrow.types, column.type
    if types.is_dictionary(kind) and not types.is_integer(kind.value_type):
        if not _is_string(kind.value_type):
            return pyarrow.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], kind.value_type)
        parts = [(chunk.indices, trimmed(pyarrow.chunked_array([chunk.dictionary]))) for chunk in column.chunks]
        parts = [pyarrow.DictionaryArray.from_arrays(at, texts.combine_chunks()) for at, texts in parts]
        return pyarrow.chunked_array(parts, pyarrow.dictionary(kind.index_type, pyarrow.string()))
    # few functions take a view
    return pc.utf8_trim_whitespace(column.cast(pyarrow.string())) if _is_string(kind) else column


def _is_string(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def counts_rows(column: pyarrow.ChunkedArray) -> bool:
    """Whether the cells are whole numbers, each one more than the one before."""
    if column.null_count or len(column) < 2 or pyarrow.types.is_boolean(column.type):
        return False
    try:
        numbers = column.cast(pyarrow.int64()).to_numpy()
    except pyarrow.ArrowException:
        return False
    return bool((np.diff(numbers) == 1).all())


# -- training --------------------------------------------------------------------------------------------------------


def recipe_of(name: str, column: pyarrow.ChunkedArray, origin: Origin) -> Recipe:
    """How a training column is to be read; InputError if it holds nothing to learn from."""
    recipe = Recipe(name=name, fill=None, kind=_kind(name, column, origin))
    if recipe["kind"] == "categorical":
        cells = origin.notation.present(column.cast(pyarrow.string()), among_numbers=False)
        recipe["categories"] = _categories(name, cells, origin)
        counts = pc.value_counts(cells.drop_null())
        most = max(counts.to_pylist(), key=lambda found: (found["counts"], found["values"]))
        recipe["usual"] = most["values"]
    elif recipe["kind"] in ("date", "time"):
        if not origin.dates:
            remedy = origin.remedy("--dates elapsed,hour,weekday", 'dates=["elapsed", "hour", "weekday"]')
            raise InputError(
                f"{origin.path}: column {name!r} holds dates or times; read it with {remedy}, or leave it out with "
                f"{origin.drop(name)}"
            )
        if recipe["kind"] == "date":
            recipe["parts"], recipe["first"] = list(origin.dates), first_of(_moments(column, name, origin))
    return recipe


def _kind(name: str, column: pyarrow.ChunkedArray, origin: Origin) -> str:
    types, kind = pyarrow.types, column.type
    if types.is_string(kind) and column.null_count < len(column):
        return _kind_of_text(name, column, origin)
    if column.null_count == len(column):
        raise _empty(name, origin)
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "numeric"
    if types.is_dictionary(kind):
        return "categorical"
    if types.is_temporal(kind):
        return "date" if is_moment(kind) else "time"
    raise InputError(
        f"{origin.path}: column {name!r} has type {kind}, which is no number, truth value or text; write it as one of "
        f"them, or leave it out with {origin.drop(name)}"
    )


def _kind_of_text(name: str, column: pyarrow.ChunkedArray, origin: Origin) -> str:
    """What all cells of a column of text are: truth values, numbers, dates, times, or text."""
    marks = origin.notation.marks
    found, row = _as_numbers(column, marks)
    if row is None and not pc.all(pc.is_null(found, nan_is_null=True)).as_py():
        return "numeric"
    present = origin.notation.present(column, among_numbers=True).drop_null()
    if not len(present):
        raise _empty(name, origin)
    if _all_match(present, "(?i)^(true|false)$"):
        return "boolean"
    if _as_numbers(present, marks)[1] is None:
        return "numeric"
    if origin.dates and _all_match(present, f"(?i)^({TIME})$"):
        return "time"
    dated = f"{DATE}|{WORDED_DAY}" if origin.dates else DATE  # without the option a day in words may be a category
    return "date" if _all_match(present, f"(?i)^({dated})$") else "categorical"


def _categories(name: str, column: pyarrow.ChunkedArray, origin: Origin) -> list[str]:
    """The different texts, sorted; InputError if they are numbers with a slip, or too many to be categories."""
    cells = column.drop_null().to_pylist()
    numbers = sum(map(is_number, cells))
    if _MOSTLY_NUMBERS * len(cells) < numbers < len(cells):
        row, odd = next((i, c) for i, c in enumerate(column.to_pylist()) if c is not None and not is_number(c))
        raise InputError(
            f"{origin.path}: column {name!r} is numeric, but row {origin.first_row + row} holds {odd!r}; "
            f"repair that cell, or name the words for missing cells with {origin.remedy('--missing', 'missing=[...]')}"
        )
    categories = sorted(set(cells))
    if len(categories) > max(_FEW, _NEARLY_ALL_DIFFER * len(cells)):
        look = look_of(categories)
        first = f"{look.remedy}, or " if look.remedy else ""
        raise InputError(
            f"{origin.path}: column {name!r} has {len(categories):,} different texts in {len(cells):,} rows, which "
            f"look like {look.what}; {first}leave it out with {origin.drop(name)}"
        )
    if len(categories) > MAX_CATEGORIES:
        raise InputError(
            f"{origin.path}: column {name!r} has {len(categories):,} different texts, more than {MAX_CATEGORIES}; "
            f"leave it out with {origin.drop(name)}"
        )
    return categories


# -- reading by a recipe ---------------------------------------------------------------------------------------------


def values(column: pyarrow.ChunkedArray, recipe: Recipe, origin: Origin, impute: bool, unknown: str) -> np.ndarray:
    """A column as float64 ``(n, width)``; NaN for gaps with ``impute``, and for texts that training did not have.

    unknown: "refuse" raises for such a text. Raises InputError naming the first cell that does not fit the recipe.
    """
    fill: Any = np.nan if impute else recipe.get("fill")
    if is_text(recipe):
        return _one_hot(column, recipe, origin, fill, unknown)
    name = recipe["name"]
    if recipe["kind"] == "date":
        numbers = parts_of(_moments(column, name, origin), recipe["parts"], recipe["first"])
    elif recipe["kind"] == "time":
        numbers = _seconds(column, name, origin)[:, None]
    else:
        numbers = _numbers(column, name, origin, truth=recipe["kind"] == "boolean")[:, None]
    gaps = np.isnan(numbers[:, 0])
    if impute and gaps.all():
        raise _empty(name, origin)
    _refuse_missing(int(gaps.sum()), name, fill, origin)
    if gaps.any():
        numbers = np.where(gaps[:, None], np.asarray(fill, np.float64), numbers)
    if np.isinf(numbers).any():
        row = origin.first_row + int(np.flatnonzero(np.isinf(numbers[:, 0]))[0])
        raise InputError(f"{origin.path}: column {name!r}, row {row}: infinite; repair that cell")
    return numbers


def _one_hot(column: pyarrow.ChunkedArray, recipe: Recipe, origin: Origin, fill: Any, unknown: str) -> np.ndarray:
    name, categories = recipe["name"], recipe["categories"]
    text = texts(column, recipe, origin)
    _refuse_missing(text.null_count, name, fill, origin)
    gap, missing = len(categories), pc.is_null(text).to_numpy()
    codes = pc.index_in(text, value_set=pyarrow.array(categories, pyarrow.string())).fill_null(gap).to_numpy()
    new = np.flatnonzero((codes == gap) & ~missing)
    if len(new) and unknown == "refuse":
        others = ", ".join(str(origin.first_row + row) for row in new[1:6])
        others = f"; so are rows {others}{', ...' if len(new) > 6 else ''}" if others else ""
        known = shown(", ".join(categories[:10]), 300)
        raise InputError(
            f"{origin.path}: column {name!r}, row {origin.first_row + new[0]}: {text[int(new[0])].as_py()!r} did not "
            f"occur in training, which had {known}{others}; --unknown anomaly or ignore goes on"
        )
    if isinstance(fill, str) and fill in categories:
        codes = np.where(missing, categories.index(fill), codes)
    found: np.ndarray = np.vstack([np.eye(gap), np.full(gap, np.nan)])[codes]
    return found


def texts(column: pyarrow.ChunkedArray, recipe: Recipe, origin: Origin) -> pyarrow.ChunkedArray:
    """The cells of a column of categories, gaps where one is missing."""
    if not pyarrow.types.is_string(column.type):
        try:
            # whole floats are written as a file of text has them; of others nobody knows how many digits it has
            column = column.cast(pyarrow.int64()) if pyarrow.types.is_floating(column.type) else column
            column = column.cast(pyarrow.string())
        except pyarrow.ArrowException as error:
            message = f"{origin.path}: column {recipe['name']!r} is {column.type}, but was text in training"
            raise InputError(message) from error
    known = pc.is_in(column, value_set=pyarrow.array(recipe["categories"], pyarrow.string()))
    return pc.if_else(known, column, origin.notation.present(column, among_numbers=False))


def _numbers(column: pyarrow.ChunkedArray, name: str, origin: Origin, truth: bool) -> np.ndarray:
    """A numeric or boolean column, or one of text that holds such values, as float64 with NaN for gaps."""
    types = pyarrow.types
    if types.is_string(column.type):
        cells = origin.notation.present(column, among_numbers=True)
        if truth:
            cells = pc.replace_substring_regex(cells, "(?i)^true$", "1")
            cells = pc.replace_substring_regex(cells, "(?i)^false$", "0")
        found, row = _as_numbers(cells, origin.notation.marks)
        if row is not None:
            where = f"row {origin.first_row + row} holds {column[row].as_py()!r}"
            raise InputError(f"{origin.path}: column {name!r} is numeric, but {where}")
        column = found
    try:
        if types.is_boolean(column.type):
            column = column.cast(pyarrow.int8())
        found = column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    except (pyarrow.ArrowException, TypeError) as error:
        raise InputError(f"{origin.path}: column {name!r} is {column.type}, but was numeric in training") from error
    numbers: np.ndarray = found.astype(np.float64)
    if not truth:  # a word names numbers too, however they are written: -999.0 as -999
        numbers[np.isin(numbers, origin.notation.numbers)] = np.nan
    return numbers


def _as_numbers(column: pyarrow.ChunkedArray, marks: Marks) -> tuple[pyarrow.ChunkedArray, int | None]:
    """A column of text as float64, or the row of the first cell that is no number."""
    if marks == PLAIN and (numbers := cast(column)) is not None:
        return numbers, None
    if marks != PLAIN:
        row = pc.index(matches(marks, column), False).as_py()
        return (column, row) if row >= 0 else (as_plain(column, marks).cast(pyarrow.float64()), None)
    column = as_plain(column, PLAIN)
    row = _first_misfit(column)
    return (column, row) if row is not None else (column.cast(pyarrow.float64()), None)


def _moments(column: pyarrow.ChunkedArray, name: str, origin: Origin) -> pyarrow.ChunkedArray:
    """A column of dates, or of text that holds dates; InputError naming the first cell that is none."""
    if pyarrow.types.is_string(column.type):
        column = origin.notation.present(column, among_numbers=True)
        found = moments(column, origin.notation.day_first)
        _refuse_undated(column, found, name, origin, "dates")
        return found
    if not is_moment(column.type) and column.null_count < len(column):
        raise InputError(f"{origin.path}: column {name!r} is {column.type}, but held dates in training")
    return column.cast(pyarrow.timestamp("us", getattr(column.type, "tz", None)), safe=False)


def _seconds(column: pyarrow.ChunkedArray, name: str, origin: Origin) -> np.ndarray:
    if pyarrow.types.is_string(column.type):
        column = origin.notation.present(column, among_numbers=True)
        found = clock_times(column)
        _refuse_undated(column, found, name, origin, "times")
        return np.asarray(found.to_numpy())
    if is_moment(column.type) or not pyarrow.types.is_temporal(column.type):
        raise InputError(f"{origin.path}: column {name!r} is {column.type}, but held times of day in training")
    return seconds(column)


def _refuse_undated(
    column: pyarrow.ChunkedArray, found: pyarrow.ChunkedArray, name: str, origin: Origin, what: str
) -> None:
    wrong = pc.and_(pc.is_null(found, nan_is_null=True), pc.is_valid(column))
    row = pc.index(wrong, True).as_py()
    if row >= 0:
        where = f"row {origin.first_row + row} holds {column[row].as_py()!r}"
        raise InputError(f"{origin.path}: column {name!r} has {what}, but {where}")


def _refuse_missing(count: int, name: str, fill: Any, origin: Origin) -> None:
    if count and fill is None:
        gaps = f"{count:,} missing value{'s' * (count > 1)}"
        remedy = f"train with {origin.remedy('--impute', 'impute=True')}"
        raise InputError(f"{origin.path}: column {name!r} has {gaps}; fill them, or {remedy}")


def _empty(name: str, origin: Origin) -> InputError:
    return InputError(f"{origin.path}: column {name!r} is empty; leave it out with {origin.drop(name)}")


def _all_match(column: pyarrow.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(column, pattern)).as_py())


def _first_misfit(column: pyarrow.ChunkedArray) -> int | None:
    """The row of the first cell that is no number, found by halving; None if every cell is one or missing."""
    low, high = 0, len(column)
    if cast(column) is not None:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cast(column.slice(low, middle - low)) is not None else (low, middle)
    return low
