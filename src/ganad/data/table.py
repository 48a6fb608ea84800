"""Tables: columns of numbers, truth values, text and dates, read again by name and by the same recipe."""

from __future__ import annotations

import difflib
import logging
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pyarrow

from .. import memory
from ..display import shown
from ..errors import InputError
from .column import Origin, Recipe, counts_rows, features, is_text, recipe_of, texts, trimmed, values, width
from .frames import frame_table, is_frame, text_of
from .queries import is_query, shown_place, takes_query
from .samples import Samples, Unseen
from .table_file import cells_of, open_table
from .table_options import FRAME, UNKNOWN, Place, TableOptions
from .text_file import refuse_twice
from .written import account, origin_by, origin_of

_LOG = logging.getLogger("ganad")
INDEX = ("", "Unnamed: 0")  # what pandas and R call the numbers of the rows, and pandas once it has read them back
_TOGETHER = 65_536  # rows
_SEARCHED = 2000  # columns among which a name that is nearly the missing one is looked for


def load_table(path: Any, *, source: dict[str, Any] | None = None, **options: Unpack[TableOptions]) -> Samples:
    """A table as float64 ``(n, d)``: numbers as they are, booleans as 0/1, text as one column per value.

    path: a file (CSV and its relatives, packed or not, Parquet, Excel), a folder of Parquet files, a query such as
    ``duckdb:SELECT ...``, or a frame of pandas, polars or Arrow. source: the recipe of a training table, by which
    columns are matched by name, in any order. options: see ``TableOptions``.

    A first column without a name that only counts the rows, as pandas and R write it, is left out; that is logged.

    Raises InputError naming column, row and cell for what cannot be used.
    """
    if is_frame(path):
        refuse_misplaced("", options, Place(FRAME))
        return encode(frame_table(path), Place(FRAME), source=source, **options)
    place = _called(path)
    names, dialect, batches = open_table(
        path, None, None, _separator(source), options.get("query"), _said_encoding(source, options)
    )
    refuse_misplaced(str(path), options, Place(place, dialect))
    _refuse_large(path, Place(place, dialect))
    # not named here: what was read need not stay beside what becomes of it
    return _encoded(_whole(batches, names, place), Place(place, dialect), source, options)


def _whole(batches: Iterable[pyarrow.RecordBatch], names: list[str], place: Path) -> pyarrow.Table:
    """All parts as one table, with trimmed texts: trimmed as a whole it would be in memory twice."""
    refuse_twice(names, place)
    parts = [with_trimmed_texts(pyarrow.Table.from_batches([batch]), place) for batch in batches]
    if not parts and names:
        raise InputError(f"{place}: no rows in this table")
    try:
        return pyarrow.concat_tables(parts, promote_options="permissive") if parts else pyarrow.table({})
    except pyarrow.ArrowException as error:
        raise InputError(f"{place}: a column mixes kinds of values ({str(error).splitlines()[0]})") from error


def iter_table(
    path: Any,
    source: dict[str, Any],
    *,
    rows: int = _TOGETHER,
    **options: Unpack[TableOptions],
) -> Iterator[Samples]:
    """The same by a training table's recipe, in parts of ``rows`` rows: for tables larger than memory."""
    place, label = _called(path), options.get("label")
    known = {recipe["name"] for recipe in source["columns"]}
    asked = None if label else known | {source.get("label")}
    names, dialect, batches = open_table(
        path, rows, asked, _separator(source), options.get("query"), _said_encoding(source, options)
    )
    refuse_misplaced(str(path), options, Place(place, dialect))
    if names:
        _refuse_incomplete(names, source["columns"], place)  # of all columns, where a part has those asked for alone
    others = _unasked(names, known | {label or source.get("label")}, source)
    first = 0
    for batch in batches:
        part = pyarrow.Table.from_batches([batch])
        if part.num_rows:
            samples = encode(part, Place(place, dialect, first), source=source, **options)
            yield replace(samples, ignored=others)
            first += part.num_rows
    if first == 0:
        raise InputError(f"{place}: no rows in this table")


def encode(
    table: pyarrow.Table, place: Place, *, source: dict[str, Any] | None = None, **options: Unpack[TableOptions]
) -> Samples:
    """``load_table`` of a table in memory."""
    return _encoded(with_trimmed_texts(table, place.path), place, source, options)


def _encoded(table: pyarrow.Table, place: Place, source: dict[str, Any] | None, options: TableOptions) -> Samples:
    """The samples of a table whose texts are trimmed."""
    refuse_twice(table.column_names, place.path)
    if table.column_names and table.num_rows == 0:
        raise InputError(f"{place.path}: no rows in this table")
    for name in (*(options.get("drop") or ()), *filter(None, [options.get("label")])):
        if name not in table.column_names:
            raise InputError(f"{place.path}: no column {name!r}; it has {', '.join(table.column_names[:30])}")
    return _learnt(table, place, options) if source is None else _matched(table, place, source, options)


def _learnt(table: pyarrow.Table, place: Place, options: TableOptions) -> Samples:
    """A training table, whose recipe is found."""
    drop, label, impute = tuple(options.get("drop") or ()), options.get("label"), bool(options.get("impute"))
    refuse_unlabelled(table, label, place.path)
    left = dict.fromkeys(drop, "--drop") | ({label: "the label"} if label else {})
    kept, counted = _without_index(table, [n for n in table.column_names if n not in left], place.path)
    origin = origin_of(table.select(kept), place, options)
    recipes = [recipe_of(name, table[name], origin) for name in kept]
    x = _features(table, recipes, origin, impute, "refuse")
    source: dict[str, Any] = {
        "kind": "table",
        "columns": recipes,
        "label": label,
        "text": origin.notation.to_source(),
        "unknown": options.get("unknown") or UNKNOWN[0],
        "read": account(x, recipes, place, counted | left),
    }
    if said := options.get("encoding"):
        source["encoding"] = said
    samples = _samples(x, table, place, source, label)
    return refill(replace(samples, gaps=np.isnan(x)), np.arange(len(x))) if impute else samples


def _matched(table: pyarrow.Table, place: Place, source: dict[str, Any], options: TableOptions) -> Samples:
    """A new table, by the recipe of a training table."""
    recipes, label = source["columns"], options.get("label")
    label = label or (source.get("label") if source.get("label") in table.column_names else None)
    _refuse_incomplete(table.column_names, recipes, place.path)
    origin = origin_by(source, place, table, options)
    unknown = options.get("unknown") or source.get("unknown", "refuse")
    x = _features(table, recipes, origin, False, unknown)
    unseen = _settle_unseen(x, table, recipes, origin, unknown)
    samples = _samples(x, table, place, source, label)
    known = {label, *(recipe["name"] for recipe in recipes)}
    return replace(samples, unseen=unseen, ignored=_unasked(table.column_names, known, source))


def _features(table: pyarrow.Table, recipes: list[Recipe], origin: Origin, impute: bool, unknown: str) -> np.ndarray:
    """The columns as float64 ``(n, d)``, one after the other, so that no more than one is in memory twice."""
    ends = np.cumsum([width(recipe) for recipe in recipes]).tolist()
    what = f"{origin.path}: {table.num_rows:,} rows of {ends[-1]:,} features"
    memory.require(8 * table.num_rows * ends[-1], what, "fit fewer rows, or leave columns out with --drop")
    x = np.empty((table.num_rows, ends[-1]))
    for recipe, end in zip(recipes, ends):
        x[:, end - width(recipe) : end] = values(table[recipe["name"]], recipe, origin, impute, unknown)
    return x


def _samples(x: np.ndarray, table: pyarrow.Table, place: Place, source: dict[str, Any], label: str | None) -> Samples:
    rows = [str(place.first_row + i) for i in range(len(x))]
    names = [name for recipe in source["columns"] for name in features(recipe)]
    return Samples(x, _classes(table, label) if label else None, rows, names, source=source)


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


def known_to(samples: Samples, rows: np.ndarray) -> Samples:
    """The same as ``rows`` alone would have it: gaps filled by them, and texts that only other rows hold not seen.

    A recipe that refuses such texts keeps them, because new rows with others are never scored.
    """
    samples = refill(samples, rows)
    unknown = samples.source.get("unknown", "refuse")
    if unknown == "refuse":
        return samples
    recipes, blocks, unseen, end = [], [], [*samples.unseen], 0
    for recipe in samples.source["columns"]:
        start, end = end, end + width(recipe)
        block = samples.x[:, start:end]
        kept = block[rows].any(axis=0) if is_text(recipe) else np.ones(end - start, bool)
        if not kept.all():
            for row in np.flatnonzero(block[:, ~kept].any(axis=1)).tolist():
                text = recipe["categories"][int(block[row].argmax())]
                unseen.append(Unseen(row, recipe["name"], text, unknown == "anomaly"))
            block, recipe = _without(block, recipe, kept, rows, unknown)
        recipes.append(recipe)
        blocks.append(block)
    if all(map(operator.is_, recipes, samples.source["columns"])):
        return samples
    columns = [name for recipe in recipes for name in features(recipe)]
    source = samples.source | {"columns": recipes}
    return replace(samples, x=np.hstack(blocks), columns=columns, source=source, gaps=None, unseen=unseen)


def _without(
    block: np.ndarray, recipe: Recipe, kept: np.ndarray, rows: np.ndarray, unknown: str
) -> tuple[np.ndarray, Recipe]:
    """A column's features ``(n, width)`` and its recipe with the ``kept`` categories alone."""
    narrow = block[:, kept]
    categories = [text for text, stays in zip(recipe["categories"], kept) if stays]
    usual = recipe.get("usual")
    if usual not in categories:
        usual = categories[int(narrow[rows].sum(axis=0).argmax())]
    if unknown == "ignore":
        narrow[~narrow.any(axis=1), categories.index(str(recipe.get("fill") or usual))] = 1.0
    return narrow, {**recipe, "categories": categories, "usual": usual}


def _filling(recipe: Recipe, present: np.ndarray) -> tuple[float | str | list[float], np.ndarray]:
    """What stands for a missing cell, by the present ones ``(n, width)``, and as features ``(width,)``."""
    if is_text(recipe):
        n = width(recipe)
        most = n - 1 - int(present.sum(axis=0)[::-1].argmax())  # the later one of two as frequent
        return recipe["categories"][most], np.eye(n)[most]
    if recipe["kind"] == "date":
        medians = np.median(present, axis=0)
        return medians.tolist(), medians
    # the median of truth values may be a half
    fill = float(present.mean() >= 0.5 if recipe["kind"] == "boolean" else np.median(present))
    return fill, np.array([fill])


def _separator(source: dict[str, Any] | None) -> str | None:
    found: str | None = (source or {}).get("read", {}).get("separator")
    return found


def _said_encoding(source: dict[str, Any] | None, options: TableOptions) -> str | None:
    """What the user says, or else said in training."""
    return options.get("encoding") or (source or {}).get("encoding")


def _called(path: Any) -> Path:
    """What messages call a place; a database without its password."""
    return Path(shown_place(str(path))) if is_query(str(path)) else Path(path)


# -- what a table must have ------------------------------------------------------------------------------------------


def with_trimmed_texts(table: pyarrow.Table, path: Path) -> pyarrow.Table:
    """The table with trimmed texts; InputError for text that is not UTF-8."""
    try:
        return pyarrow.table([trimmed(column) for column in table.columns], names=table.column_names)
    except pyarrow.ArrowException as error:
        raise InputError(f"{path}: a text is not UTF-8 ({str(error).splitlines()[0]})") from error


def refuse_misplaced(asked: str, options: TableOptions, place: Place) -> None:
    """Raise InputError for an encoding of what holds no text, and for a query of what is no database."""
    if options.get("query") and not takes_query(asked):
        raise InputError(
            f"{place.path}: --query is for databases such as sqlite:///FILE; of files ask 'duckdb:SELECT ... FROM ...'"
        )
    if options.get("encoding") and place.dialect is None:
        raise InputError(f"{place.path}: --encoding is for files of text, and this is none; leave it out")


def _refuse_large(path: Any, place: Place) -> None:
    """Raise InputError for a file whose cells alone do not fit into memory, as text or numbers and then as numbers."""
    what, remedy = f"{place.path}: a table read whole", "write it as Parquet, of which ganad fit reads a part at a time"
    if place.dialect:
        memory.require(2 * place.dialect.size, what, remedy)
    elif cells := cells_of(path):
        memory.require(2 * 8 * cells, what, "fit it without --impute or --continue, or fit a part of its rows")


def _without_index(table: pyarrow.Table, kept: list[str], path: Path) -> tuple[list[str], dict[str, str]]:
    """The columns to learn from, without a first one that only counts the rows, and why that is left out."""
    if not kept:
        raise InputError(f"{path}: no column is left to learn from")
    first = table.column_names[0]
    if kept[0] != first or first not in INDEX or len(kept) == 1 or not counts_rows(table[first]):
        return kept, {}
    _LOG.warning("%s: the first column, %r, only counts the rows and is left out", path, first)
    return kept[1:], {first: "counts the rows"}


def _refuse_incomplete(names: list[str], recipes: list[Recipe], path: Path) -> None:
    """Raise InputError if the table lacks a column of the recipes."""
    present = set(names)
    missing = [recipe["name"] for recipe in recipes if recipe["name"] not in present]
    if missing:
        first = shown(repr(missing[0]), 200)
        lacking = f"column {first} is missing"
        if len(missing) > 1:
            lacking = f"columns {first} and {len(missing) - 1} more are missing"
        raise InputError(f"{path}: {lacking}, which the model was trained on{_near(missing[0], names, recipes)}")


def _near(name: str, names: list[str], recipes: list[Recipe]) -> str:
    """The column that most likely is the missing one, as the end of a sentence; empty where none is near."""
    left = {other.strip().lower(): other for other in names} if len(names) <= _SEARCHED else {}
    for recipe in recipes:
        if recipe["name"] in names:
            left.pop(recipe["name"].strip().lower(), None)
    near = difflib.get_close_matches(name.strip().lower(), left, 1, 0.8)
    return f"; {shown(repr(left[near[0]]), 200)} is there" if near else ""


def _unasked(names: Sequence[str], known: set[str | None], source: dict[str, Any]) -> list[str]:
    """Columns that the model neither learnt nor left out in training."""
    left = source.get("read", {}).get("left_out", {})
    return [name for name in names if name not in known and name not in left and name not in INDEX]


def _settle_unseen(
    x: np.ndarray, table: pyarrow.Table, recipes: list[Recipe], origin: Origin, unknown: str
) -> list[Unseen]:
    """Replace what a text that training did not have left as NaN, and list these cells."""
    found: list[Unseen] = []
    end = 0
    for recipe in recipes:
        start, end = end, end + width(recipe)
        rows = np.flatnonzero(np.isnan(x[:, start])) if is_text(recipe) else ()
        if not len(rows):
            continue
        cells, usual = texts(table[recipe["name"]], recipe, origin), recipe.get("fill") or recipe.get("usual")
        x[rows, start:end] = [float(category == usual and unknown == "ignore") for category in recipe["categories"]]
        counts = unknown == "anomaly"
        found += [Unseen(int(row), recipe["name"], str(cells[int(row)].as_py()), counts) for row in rows]
    return found


def refuse_unlabelled(table: pyarrow.Table, label: str | None, path: Path) -> None:
    """Raise InputError for rows to learn from that have no class."""
    if label and (count := table[label].null_count):
        raise InputError(f"{path}: label column {label!r} has {count:,} empty cells; fill them")


def _classes(table: pyarrow.Table, label: str) -> np.ndarray:
    """The class of each row, "" where the cell is empty."""
    return np.array(["" if cell is None else text_of(cell) for cell in table[label].to_pylist()], str)
