"""Tables, CSV and Parquet: numeric, boolean and categorical columns, read again by name and by the same recipe."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from ..errors import InputError
from .column import Origin, Recipe, counts_rows, is_text, recipe_of, trimmed, values, width
from .samples import Samples
from .table_file import batches, first_line, read, refuse_twice

_LOG = logging.getLogger("ganad")
_INDEX = ("", "Unnamed: 0")  # what pandas and R call the numbers of the rows, and pandas once it has read them back


def load_table(
    path: str | Path,
    *,
    label: str | None = None,
    drop: Sequence[str] = (),
    impute: bool = False,
    source: dict[str, Any] | None = None,
) -> Samples:
    """A table as float64 ``(n, d)``: numbers as they are, booleans as 0/1, text as one column per value.

    label: a column to take out as classes. drop: columns to leave out. impute: fill missing cells with the median or
    the most frequent value of the training table, instead of refusing them. source: the recipe of a training table,
    by which columns are matched by name, in any order; columns that it does not know are ignored.

    A first column without a name that only counts the rows, as pandas and R write it, is left out; that is logged.

    Raises InputError naming column, row and cell for what cannot be used.
    """
    return encode(read(Path(path)), Path(path), label, drop, impute, source)


def iter_table(
    path: str | Path, source: dict[str, Any], *, label: str | None = None, rows: int = 65_536
) -> Iterator[Samples]:
    """The same by a training table's recipe, in parts of ``rows`` rows: for tables larger than memory."""
    path = Path(path)
    first = 0
    known = None if label else {source.get("label"), *(recipe["name"] for recipe in source["columns"])}
    for batch in batches(path, rows, known):
        part = pyarrow.Table.from_batches([batch])
        if part.num_rows:
            yield encode(part, path, label, source=source, first_row=first)
            first += part.num_rows
    if first == 0:
        raise InputError(f"{path}: no rows in this table")


def encode(
    table: pyarrow.Table,
    path: Path,
    label: str | None = None,
    drop: Sequence[str] = (),
    impute: bool = False,
    source: dict[str, Any] | None = None,
    *,
    first_row: int = 0,
) -> Samples:
    """``load_table`` of a table in memory; ``path`` is what its errors call it, ``first_row`` the first one's name."""
    origin, names = Origin(path, first_row), table.column_names
    table = _cleaned(table, path)
    for name in [*drop, *([label] if label else [])]:
        if name not in names:
            raise InputError(f"{path}: no column {name!r}; it has {', '.join(names[:30])}")
    if source is None:
        kept = _without_index(table, [n for n in names if n not in drop and n != label], path)
        source = {"kind": "table", "columns": [recipe_of(n, table[n], origin) for n in kept], "label": label}
    else:
        label = label or (source.get("label") if source.get("label") in names else None)
        _refuse_incomplete(names, source["columns"], path)
    x = np.hstack([values(table[recipe["name"]], recipe, origin, impute) for recipe in source["columns"]])
    rows = [str(first_row + i) for i in range(table.num_rows)]
    y = _classes(table, label, path) if label else None
    gaps = np.isnan(x) if impute else None
    samples = Samples(x, y, rows, _features(source["columns"]), source=source, gaps=gaps)
    return refill(samples, np.arange(len(x))) if impute else samples


def refill(samples: Samples, rows: np.ndarray) -> Samples:
    """The same with what an imputed table lacked filled from ``rows`` alone: those that train, or the normal ones.

    Median of numbers, most frequent truth value or text; a column without a value in ``rows`` stays as it was.
    """
    if samples.gaps is None or not samples.gaps.any():
        return samples
    x, recipes, start = samples.x.copy(), [], 0
    for recipe in samples.source["columns"]:
        end = start + width(recipe)
        gaps = samples.gaps[:, start]
        present = x[rows[~gaps[rows]], start:end]
        if len(present):
            fill, x[gaps, start:end] = _filling(recipe, present)
            recipe = recipe | {"fill": fill}
        recipes.append(recipe)
        start = end
    return replace(samples, x=x, source=samples.source | {"columns": recipes})


def _filling(recipe: Recipe, present: np.ndarray) -> tuple[float | str, np.ndarray]:
    """What stands for a missing cell, by the present ones ``(n, width)``, and as features ``(width,)``."""
    if is_text(recipe):
        n = width(recipe)
        most = n - 1 - int(present.sum(axis=0)[::-1].argmax())  # the later one of two as frequent
        return recipe["categories"][most], np.eye(n)[most]
    # the median of truth values may be a half
    fill = float(np.median(present) if recipe["kind"] == "numeric" else present.mean() >= 0.5)
    return fill, np.array([fill])


def _cleaned(table: pyarrow.Table, path: Path) -> pyarrow.Table:
    """The table with trimmed texts; InputError if it has no rows, a name twice, or text that is not UTF-8."""
    names = table.column_names
    refuse_twice(names, path)
    if names and table.num_rows == 0:
        raise InputError(f"{path}: no rows in this table")
    try:
        return pyarrow.table([trimmed(column) for column in table.columns], names=names)
    except pyarrow.ArrowException as error:
        raise InputError(f"{path}: a text is not UTF-8 ({first_line(error)})") from error


def _without_index(table: pyarrow.Table, kept: list[str], path: Path) -> list[str]:
    """The columns to learn from, without a first one that only counts the rows."""
    if not kept:
        raise InputError(f"{path}: no column is left to learn from")
    first = table.column_names[0]
    if kept[0] != first or first not in _INDEX or len(kept) == 1 or not counts_rows(table[first]):
        return kept
    _LOG.warning("%s: the first column, %r, only counts the rows and is left out", path, first)
    return kept[1:]


def _refuse_incomplete(names: list[str], recipes: list[Recipe], path: Path) -> None:
    """Raise InputError if the table lacks a column of the recipes."""
    present = set(names)
    missing = [recipe["name"] for recipe in recipes if recipe["name"] not in present]
    if missing:
        lacking = f"column {missing[0]!r} is missing"
        if len(missing) > 1:
            lacking = f"columns {missing[0]!r} and {len(missing) - 1} more are missing"
        raise InputError(f"{path}: {lacking}, which the model was trained on")


def _features(recipes: list[Recipe]) -> list[str]:
    """The names of the features, which are several for a column of text."""
    features: list[str] = []
    for recipe in recipes:
        name = recipe["name"]
        features += [f"{name}={c}" for c in recipe["categories"]] if is_text(recipe) else [name]
    return features


def _classes(table: pyarrow.Table, label: str, path: Path) -> np.ndarray:
    column = table[label]
    if column.null_count:
        raise InputError(f"{path}: label column {label!r} has {column.null_count:,} empty cells; fill them")
    return np.array(column.to_pylist()).astype(str)
