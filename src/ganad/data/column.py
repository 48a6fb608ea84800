"""One column of a table: what it holds, how that is read, and the numbers that it becomes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import pyarrow
import pyarrow.compute

from ..errors import InputError
from .text_kinds import DATE, DECIMAL_COMMA, EITHER_COMMA, NUMBER, is_number, look_of

MAX_CATEGORIES = 100
#: A text column of which more than this share are numbers is a numeric one with a slip in it.
_MOSTLY_NUMBERS = 0.9
#: A text column with more different texts than this, in more than this share of the rows, holds no categories.
_FEW, _NEARLY_ALL_DIFFER = 20, 0.5


class Recipe(TypedDict):
    """How a column is read, as JSON."""

    name: str
    fill: NotRequired[float | str | None]  #: what stands for a missing cell, of an imputed table
    kind: NotRequired[str]  #: numeric, boolean or categorical
    categories: NotRequired[list[str]]


@dataclass(frozen=True)
class Origin:
    """Where rows come from, for error messages."""

    path: Path
    first_row: int = 0


def is_text(recipe: Recipe) -> bool:
    return recipe["kind"] == "categorical"


def width(recipe: Recipe) -> int:
    """The number of features that the column becomes."""
    return len(recipe["categories"]) if is_text(recipe) else 1


def trimmed(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Text without blanks around it and of one Arrow type; other columns as they are."""
    types, kind = pyarrow.types, column.type
    if types.is_large_string(kind) or types.is_string_view(kind):
        column = column.cast(pyarrow.string())
    return pyarrow.compute.utf8_trim_whitespace(column) if types.is_string(column.type) else column


def counts_rows(column: pyarrow.ChunkedArray) -> bool:
    """Whether the cells are whole numbers, each one more than the one before."""
    if column.null_count or len(column) < 2 or pyarrow.types.is_boolean(column.type):
        return False
    try:
        numbers = column.cast(pyarrow.int64()).to_numpy()
    except pyarrow.ArrowException:
        return False
    return bool((np.diff(numbers) == 1).all())


def recipe_of(name: str, column: pyarrow.ChunkedArray, origin: Origin) -> Recipe:
    """How a training column is to be read; InputError if it holds nothing to learn from."""
    types = pyarrow.types
    recipe = Recipe(name=name, fill=None)
    if types.is_string(column.type) and column.null_count < len(column):
        column = _typed(name, column, origin)
    kind = column.type
    if column.null_count == len(column):
        raise InputError(f"{origin.path}: column {name!r} is empty; leave it out with {_drop(name)}")
    if types.is_boolean(kind):
        recipe["kind"] = "boolean"
    elif types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        recipe["kind"] = "numeric"
    elif types.is_temporal(kind):
        raise _dates(name, origin)
    elif types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind):
        recipe["kind"] = "categorical"
        recipe["categories"] = _categories(name, column.cast(pyarrow.string()), origin)
    else:
        raise InputError(f"{origin.path}: column {name!r} has type {kind}, which is no number, truth value or text")
    return recipe


def values(column: pyarrow.ChunkedArray, recipe: Recipe, origin: Origin, impute: bool) -> np.ndarray:
    """A column as float64 ``(n, 1)``, or one-hot ``(n, number of categories)``; NaN for gaps with ``impute``.

    Raises InputError naming the first cell that does not fit the recipe.
    """
    fill: Any = np.nan if impute else recipe.get("fill")  # a number, or one of the categories
    if is_text(recipe):
        return _one_hot(column, recipe, origin, fill)
    name = recipe["name"]
    numbers = _numbers(column, name, origin, truth=recipe["kind"] == "boolean")
    gaps = np.isnan(numbers)
    _refuse_missing(int(gaps.sum()), name, fill, origin)
    if gaps.any():
        numbers = np.where(gaps, fill, numbers)
    if np.isinf(numbers).any():
        row = origin.first_row + int(np.flatnonzero(np.isinf(numbers))[0])
        raise InputError(f"{origin.path}: column {name!r}, row {row}: infinite; repair that cell")
    return numbers[:, None]


def _one_hot(column: pyarrow.ChunkedArray, recipe: Recipe, origin: Origin, fill: float | str | None) -> np.ndarray:
    name, categories = recipe["name"], recipe["categories"]
    try:
        text = column.cast(pyarrow.string())
    except pyarrow.ArrowException as error:
        raise InputError(f"{origin.path}: column {name!r} is {column.type}, but was text in training") from error
    _refuse_missing(text.null_count, name, fill, origin)
    code: dict[str | None, np.ndarray] = dict(zip(categories, np.eye(len(categories))))
    gap = np.full(len(categories), np.nan)
    code[None] = code.get(fill, gap) if isinstance(fill, str) else gap
    cells = text.to_pylist()
    for row, cell in enumerate(cells):
        if cell not in code:
            raise InputError(
                f"{origin.path}: column {name!r}, row {origin.first_row + row}: {cell!r} did not occur in training, "
                f"which had {', '.join(categories[:10])}"
            )
    return np.array([code[cell] for cell in cells])


def _numbers(column: pyarrow.ChunkedArray, name: str, origin: Origin, truth: bool) -> np.ndarray:
    """A numeric or boolean column, or one of text that holds such values, as float64 with NaN for gaps."""
    types = pyarrow.types
    if types.is_string(column.type) or types.is_large_string(column.type):
        if truth:
            column = pyarrow.compute.replace_substring_regex(column, "(?i)^true$", "1")
            column = pyarrow.compute.replace_substring_regex(column, "(?i)^false$", "0")
        row = _first_misfit(column)
        if row is not None:
            cell = column[row].as_py()
            where = f"row {origin.first_row + row} holds {cell!r}"
            raise InputError(f"{origin.path}: column {name!r} is numeric, but {where}")
    try:
        if types.is_boolean(column.type):
            column = column.cast(pyarrow.int8())
        numbers: np.ndarray = column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
        return numbers.astype(np.float64)
    except (pyarrow.ArrowException, TypeError) as error:
        raise InputError(f"{origin.path}: column {name!r} is {column.type}, but was numeric in training") from error


def _refuse_missing(count: int, name: str, fill: float | str | None, origin: Origin) -> None:
    if count and fill is None:
        gaps = f"{count:,} missing value{'s' * (count > 1)}"
        raise InputError(f"{origin.path}: column {name!r} has {gaps}; fill them, or train with --impute")


def _typed(name: str, column: pyarrow.ChunkedArray, origin: Origin) -> pyarrow.ChunkedArray:
    """A column of text as what all of its cells are: truth values, numbers, or text."""
    present = column.drop_null()
    if _all_match(present, "(?i)^(true|false)$"):
        return pyarrow.compute.utf8_lower(column).cast(pyarrow.bool_())
    if _first_misfit(present) is None:
        return column.cast(pyarrow.float64())
    if _all_match(present, f"^({DATE})$"):
        raise _dates(name, origin)
    if _all_match(present, f"^({EITHER_COMMA}|{NUMBER})$"):
        cell = next(c for c in present.to_pylist() if "," in c)
        raise InputError(
            f"{origin.path}: column {name!r} has numbers such as {cell}, whose comma may stand for decimals or for "
            f"thousands; write {cell.replace(',', '.')} or {cell.replace(',', '')}"
        )
    if _all_match(present, f"^({DECIMAL_COMMA}|{NUMBER})$"):
        raise InputError(f"{origin.path}: column {name!r} has numbers with a decimal comma; write them with a point")
    return column


def _categories(name: str, column: pyarrow.ChunkedArray, origin: Origin) -> list[str]:
    """The different texts, sorted; InputError if they are numbers with a slip, or too many to be categories."""
    cells = column.drop_null().to_pylist()
    numbers = sum(map(is_number, cells))
    if _MOSTLY_NUMBERS * len(cells) < numbers < len(cells):
        row, odd = next((i, c) for i, c in enumerate(column.to_pylist()) if c is not None and not is_number(c))
        raise InputError(
            f"{origin.path}: column {name!r} is numeric, but row {origin.first_row + row} holds {odd!r}; "
            f"repair that cell"
        )
    categories = sorted(set(cells))
    if len(categories) > max(_FEW, _NEARLY_ALL_DIFFER * len(cells)):
        look = look_of(categories)
        raise InputError(
            f"{origin.path}: column {name!r} has {len(categories):,} different texts in {len(cells):,} rows, which "
            f"look like {look.what}; {look.remedy + ', or ' if look.remedy else ''}leave it out with {_drop(name)}"
        )
    if len(categories) > MAX_CATEGORIES:
        raise InputError(
            f"{origin.path}: column {name!r} has {len(categories):,} different texts, more than {MAX_CATEGORIES}; "
            f"leave it out with {_drop(name)}"
        )
    return categories


def _dates(name: str, origin: Origin) -> InputError:
    return InputError(
        f"{origin.path}: column {name!r} holds dates or times; turn it into numbers or leave it out with {_drop(name)}"
    )


def _all_match(column: pyarrow.ChunkedArray, pattern: str) -> bool:
    matches = pyarrow.compute.match_substring_regex(column, pattern)
    return bool(pyarrow.compute.all(matches).as_py())


def _first_misfit(column: pyarrow.ChunkedArray) -> int | None:
    """The row of the first cell that is no number, found by halving; None if every cell is one or missing."""
    low, high = 0, len(column)
    if _casts(column):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _casts(column.slice(low, middle - low)) else (low, middle)
    return low


def _casts(column: pyarrow.ChunkedArray) -> bool:
    try:
        column.cast(pyarrow.float64())
    except pyarrow.ArrowInvalid:
        return False
    return True


def _drop(name: str) -> str:
    """The option that leaves a column out, as a shell takes it; a name is quoted there as in a CSV file."""
    if not name or "," in name or '"' in name:
        name = '"' + name.replace('"', '""') + '"'
    return f"--drop {shlex.quote(name)}"
