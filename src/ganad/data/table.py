"""Tables, CSV and Parquet: numeric, boolean and categorical columns, read again by name and by the same recipe."""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from ..errors import InputError
from .samples import Samples

MAX_CATEGORIES = 100
MAX_COLUMNS = 100_000  #: of a CSV file; each costs memory however short the file is
_HEAD = 2**22  # bytes in which the line of names must end
_UNREADABLE = (pyarrow.ArrowException, OSError, ValueError, csv.Error)
#: A text column of which more than this share are numbers is a numeric one with a slip in it.
_MOSTLY_NUMBERS = 0.9
#: What people write for dates and times, for fractions with a decimal comma, and for numbers.
_DAY = r"(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{4}/\d{1,2}/\d{1,2})"
_DATE = rf"^{_DAY}([ T]\d{{1,2}}:\d{{2}}.*)?$|^\d{{1,2}}:\d{{2}}(:\d{{2}})?$"
_DECIMAL_COMMA = r"^[-+]?\d+,\d+$"
_NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


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

    Raises InputError naming column, row and cell for what cannot be used.
    """
    return encode(_read(Path(path)), Path(path), label, drop, impute, source)


def iter_table(
    path: str | Path, source: dict[str, Any], *, label: str | None = None, rows: int = 65_536
) -> Iterator[Samples]:
    """The same by a training table's recipe, in parts of ``rows`` rows: for tables larger than memory."""
    path = Path(path)
    first = 0
    known = None if label else {source.get("label"), *(recipe["name"] for recipe in source["columns"])}
    for batch in _batches(path, rows, known):
        part = pyarrow.Table.from_batches([batch])
        if part.num_rows:
            yield encode(part, path, label, source=source, first_row=first)
            first += part.num_rows
    if first == 0:
        raise InputError(f"{path}: no rows in this table")


def _read(path: Path) -> pyarrow.Table:
    try:
        if path.suffix.lower() == ".parquet":
            return pyarrow.parquet.read_table(path)
        with _open_csv(path) as reader:
            return reader.read_all()
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as a table ({_first_line(error)})") from error


def _batches(path: Path, rows: int, known: set[Any] | None) -> Iterator[pyarrow.RecordBatch]:
    try:
        if path.suffix.lower() == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as file:
                yield from file.iter_batches(rows)
        else:
            with _open_csv(path, known) as reader:
                yield from _regrouped(reader, rows)
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as a table ({_first_line(error)})") from error


def _open_csv(path: Path, known: set[Any] | None = None) -> pyarrow.csv.CSVStreamingReader:
    """Every column as text: types are then judged by whole columns, and alike for a whole table and for its parts.

    Of the columns only the ``known`` ones, if some are, for each costs memory however short it is.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD).decode("utf-8-sig", errors="surrogateescape")
    line = head.split("\n", 1)[0]
    delimiter = max(",;\t|", key=lambda mark: (line.count(mark), mark == ","))
    lines = io.StringIO(head, newline="")
    names = next(csv.reader(lines, delimiter=delimiter), [])
    if len(names) > MAX_COLUMNS or (path.stat().st_size > _HEAD and not lines.read(1)):
        raise InputError(f"{path}: more than {MAX_COLUMNS:,} columns, or a first line of more than {_HEAD:,} bytes")
    try:
        "".join(names).encode()
    except UnicodeEncodeError as error:  # a byte that is no UTF-8, kept as a surrogate
        raise InputError(
            f"{path}: the columns' names are not UTF-8; save the table as UTF-8 (in Excel: CSV UTF-8)"
        ) from error
    if names and all(_is_number(name) for name in names) and names != [str(i) for i in range(len(names))]:
        raise InputError(f"{path}: its first line holds numbers only; put a line with the columns' names above it")
    _refuse_twice(names, path)
    taken = names if known is None else [name for name in names if name in known] or names[:1]
    return pyarrow.csv.open_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            ignore_empty_lines=len(names) > 1,  # in a single column an empty line is a row with a missing cell
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            null_values=_MISSING,
            strings_can_be_null=True,
            column_types={name: pyarrow.string() for name in taken},
            include_columns=[] if known is None else taken,
        ),
    )


def _regrouped(blocks: Any, rows: int) -> Iterator[pyarrow.RecordBatch]:
    """The same rows in groups of ``rows``, the last one excepted."""
    waiting: list[pyarrow.RecordBatch] = []
    count = 0
    for block in blocks:
        waiting, count = [*waiting, block], count + block.num_rows
        while count >= rows:
            table = pyarrow.Table.from_batches(waiting)
            yield table.slice(0, rows).combine_chunks().to_batches()[0]
            waiting, count = table.slice(rows).to_batches(), count - rows
    if count:
        yield pyarrow.Table.from_batches(waiting).combine_chunks().to_batches()[0]


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
    names = table.column_names
    _refuse_twice(names, path)
    if names and table.num_rows == 0:
        raise InputError(f"{path}: no rows in this table")
    try:
        table = pyarrow.table([_trimmed(column) for column in table.columns], names=names)
    except pyarrow.ArrowException as error:
        raise InputError(f"{path}: a text is not UTF-8 ({_first_line(error)})") from error
    for name in [*drop, *([label] if label else [])]:
        if name not in names:
            raise InputError(f"{path}: no column {name!r}; it has {', '.join(names[:30])}")
    if source is None:
        kept = [n for n in names if n not in drop and n != label]
        if not kept:
            raise InputError(f"{path}: no column is left to learn from")
        recipes = [_recipe(n, table[n], path, first_row) for n in kept]
        source = {"kind": "table", "columns": recipes, "label": label}
    else:
        label = label or (source.get("label") if source.get("label") in names else None)
        present = set(names)
        missing = [r["name"] for r in source["columns"] if r["name"] not in present]
        if missing:
            lacking = f"column {missing[0]!r} is missing"
            if len(missing) > 1:
                lacking = f"columns {missing[0]!r} and {len(missing) - 1} more are missing"
            raise InputError(f"{path}: {lacking}, which the model was trained on")
    parts, columns = [], []
    for recipe in source["columns"]:
        values = _values(table[recipe["name"]], recipe, path, first_row, impute)
        parts.append(values)
        columns += [f"{recipe['name']}={c}" for c in recipe["categories"]] if _is_text(recipe) else [recipe["name"]]
    if label and table[label].null_count:
        raise InputError(f"{path}: label column {label!r} has {table[label].null_count:,} empty cells; fill them")
    y = np.array(table[label].to_pylist()).astype(str) if label else None
    rows = [str(first_row + i) for i in range(table.num_rows)]
    x = np.hstack(parts)
    samples = Samples(x, y, rows, columns, source=source, gaps=np.isnan(x) if impute else None)
    return refill(samples, np.arange(len(x))) if impute else samples


def _refuse_twice(names: list[str], path: Path) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} occurs more than once; rename one of them")


def refill(samples: Samples, rows: np.ndarray) -> Samples:
    """The same with what an imputed table lacked filled from ``rows`` alone: those that train, or the normal ones.

    Median of numbers, most frequent truth value or text; a column without a value in ``rows`` stays as it was.
    """
    if samples.gaps is None or not samples.gaps.any():
        return samples
    x, recipes, start = samples.x.copy(), [], 0
    for recipe in samples.source["columns"]:
        width = len(recipe["categories"]) if _is_text(recipe) else 1
        block, gaps = x[:, start : start + width], samples.gaps[:, start]
        present = block[rows[~gaps[rows]]]
        if len(present):
            if _is_text(recipe):
                most = width - 1 - int(present.sum(axis=0)[::-1].argmax())  # the later one of two as frequent
                fill, values = recipe["categories"][most], np.eye(width)[most]
            else:  # the median of truth values may be a half
                fill = float(np.median(present) if recipe["kind"] == "numeric" else present.mean() >= 0.5)
                values = np.array([fill])
            block[gaps] = values
            recipe = recipe | {"fill": fill}
        recipes.append(recipe)
        start += width
    return replace(samples, x=x, source=samples.source | {"columns": recipes})


def _is_text(recipe: dict[str, Any]) -> bool:
    return recipe["kind"] == "categorical"


def _recipe(name: str, column: pyarrow.ChunkedArray, path: Path, first_row: int) -> dict[str, Any]:
    """How a training column is to be read."""
    kind, types = column.type, pyarrow.types
    recipe: dict[str, Any] = {"name": name, "fill": None}
    present = column.drop_null()
    if types.is_string(kind) and len(present):
        column = _typed(name, column, path)
        kind, present = column.type, column.drop_null()
    if len(present) == 0:
        raise InputError(f"{path}: column {name!r} is empty; leave it out with {_drop(name)}")
    if types.is_boolean(kind):
        recipe["kind"] = "boolean"
    elif types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        recipe["kind"] = "numeric"
    elif types.is_temporal(kind):
        raise InputError(f"{path}: column {name!r} holds dates or times; turn it into numbers or {_drop(name)}")
    elif types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind):
        text = present.cast(pyarrow.string())
        numbers = [_is_number(cell) for cell in text.to_pylist()]
        if _MOSTLY_NUMBERS * len(numbers) < sum(numbers) < len(numbers):
            odd = pyarrow.compute.fill_null(column.cast(pyarrow.string()), "0").to_pylist()
            row = next(i for i, cell in enumerate(odd) if not _is_number(cell))
            raise InputError(
                f"{path}: column {name!r} is numeric, but row {first_row + row} holds {odd[row]!r}; repair that cell"
            )
        categories = sorted(pyarrow.compute.unique(text).to_pylist())
        if len(categories) > MAX_CATEGORIES:
            raise InputError(
                f"{path}: column {name!r} has {len(categories):,} different texts, more than {MAX_CATEGORIES}; "
                f"leave it out with {_drop(name)}"
            )
        recipe |= {"kind": "categorical", "categories": categories}
    else:
        raise InputError(f"{path}: column {name!r} has type {kind}, which is no number, truth value or text")
    return recipe


def _values(
    column: pyarrow.ChunkedArray, recipe: dict[str, Any], path: Path, first_row: int, impute: bool
) -> np.ndarray:
    """A column as float64 ``(n, 1)``, or one-hot ``(n, number of categories)``; NaN for gaps with ``impute``."""
    name, fill = recipe["name"], np.nan if impute else recipe["fill"]
    if _is_text(recipe):
        try:
            text = column.cast(pyarrow.string())
        except pyarrow.ArrowException as error:
            raise InputError(f"{path}: column {name!r} is {column.type}, but was text in training") from error
        _refuse_missing(text.null_count, name, fill, path)
        one_hot = dict(zip(recipe["categories"], np.eye(len(recipe["categories"]))))
        one_hot[None] = one_hot.get(fill, np.full(len(one_hot), np.nan))
        cells = text.to_pylist()
        for row, cell in enumerate(cells):
            if cell not in one_hot:
                raise InputError(
                    f"{path}: column {name!r}, row {first_row + row}: {cell!r} did not occur in training, which had "
                    f"{', '.join(recipe['categories'][:10])}"
                )
        return np.array([one_hot[cell] for cell in cells])
    numbers = _numbers(column, name, path, first_row, truth=recipe["kind"] == "boolean")
    gaps = np.isnan(numbers)
    _refuse_missing(int(gaps.sum()), name, fill, path)
    if gaps.any():
        numbers = np.where(gaps, fill, numbers)
    if np.isinf(numbers).any():
        row = first_row + int(np.flatnonzero(np.isinf(numbers))[0])
        raise InputError(f"{path}: column {name!r}, row {row}: infinite; repair that cell")
    return numbers[:, None]


def _numbers(column: pyarrow.ChunkedArray, name: str, path: Path, first_row: int, truth: bool) -> np.ndarray:
    """A numeric or boolean column, or one of text that holds such values, as float64 with NaN for gaps."""
    types = pyarrow.types
    if types.is_string(column.type) or types.is_large_string(column.type):
        if truth:
            column = pyarrow.compute.replace_substring_regex(column, "(?i)^true$", "1")
            column = pyarrow.compute.replace_substring_regex(column, "(?i)^false$", "0")
        row = _first_misfit(column)
        if row is not None:
            cell = column[row].as_py()
            raise InputError(f"{path}: column {name!r} is numeric, but row {first_row + row} holds {cell!r}")
    try:
        if types.is_boolean(column.type):
            column = column.cast(pyarrow.int8())
        return column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    except (pyarrow.ArrowException, TypeError) as error:
        raise InputError(f"{path}: column {name!r} is {column.type}, but was numeric in training") from error


def _refuse_missing(count: int, name: str, fill: Any, path: Path) -> None:
    if count and fill is None:
        raise InputError(
            f"{path}: column {name!r} has {count:,} missing value{'s' * (count > 1)}; fill them, or train with --impute"
        )


def _trimmed(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Text without blanks around it and of one Arrow type; other columns as they are."""
    types, kind = pyarrow.types, column.type
    if types.is_large_string(kind) or types.is_string_view(kind):
        column = column.cast(pyarrow.string())
    return pyarrow.compute.utf8_trim_whitespace(column) if types.is_string(column.type) else column


def _typed(name: str, column: pyarrow.ChunkedArray, path: Path) -> pyarrow.ChunkedArray:
    """A column of text as what all of its cells are: truth values, numbers, or text."""
    present = column.drop_null()
    if pyarrow.compute.all(pyarrow.compute.match_substring_regex(present, "(?i)^(true|false)$")).as_py():
        return pyarrow.compute.utf8_lower(column).cast(pyarrow.bool_())
    if _first_misfit(present) is None:
        return column.cast(pyarrow.float64())
    if pyarrow.compute.all(pyarrow.compute.match_substring_regex(present, _DATE)).as_py():
        raise InputError(f"{path}: column {name!r} holds dates or times; turn it into numbers or {_drop(name)}")
    if pyarrow.compute.all(pyarrow.compute.match_substring_regex(present, f"{_DECIMAL_COMMA}|{_NUMBER}")).as_py():
        raise InputError(f"{path}: column {name!r} has numbers with a decimal comma; write them with a point")
    return column


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


def _is_number(cell: str) -> bool:
    return re.match(_NUMBER, cell) is not None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
