"""CSV and Parquet files as Arrow tables, whole or in parts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow
import pyarrow.csv
import pyarrow.parquet

from ..errors import InputError
from .text_kinds import is_number

MAX_COLUMNS = 30_000  #: of a CSV file; each costs memory and time however short the file is
_HEAD = 2**22  # bytes in which the line of names must end
_Part = TypeVar("_Part", pyarrow.Table, pyarrow.RecordBatch)
_UNREADABLE = (pyarrow.ArrowException, OSError, ValueError, csv.Error)
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


def read(path: Path) -> pyarrow.Table:
    """The whole table; InputError if it cannot be read."""
    try:
        if path.suffix.lower() == ".parquet":
            return _checked(pyarrow.parquet.read_table(path))
        with open_csv(path) as reader:
            return reader.read_all()
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as a table ({first_line(error)})") from error


def batches(path: Path, rows: int, known: Collection[str] | None) -> Iterator[pyarrow.RecordBatch]:
    """The table in parts of at most ``rows`` rows; of a CSV file only the ``known`` columns, if some are named.

    Raises InputError if it cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as file:
                yield from map(_checked, file.iter_batches(rows))
        else:
            with open_csv(path, known) as reader:
                yield from _regrouped(reader, rows)
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read as a table ({first_line(error)})") from error


def _checked(part: _Part) -> _Part:
    """The same table, whose names and texts are UTF-8: pyarrow reads others as well, and raises when they are used."""
    "".join(part.schema.names)
    part.validate(full=True)
    return part


def open_csv(path: Path, known: Collection[str] | None = None) -> pyarrow.csv.CSVStreamingReader:
    """Every column as text: types are then judged by whole columns, and alike for a whole table and for its parts.

    Of the columns only the ``known`` ones, if some are, for each costs memory however short it is.
    """
    names, delimiter = _header(path)
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


def refuse_twice(names: list[str], path: Path) -> None:
    """Raise InputError for a column's name that occurs more than once."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} occurs more than once; rename one of them")


def first_line(error: BaseException) -> str:
    """What an error says, without the rest of a long text."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _header(path: Path) -> tuple[list[str], str]:
    """The columns' names and the delimiter of a CSV file, checked before anything costly is done."""
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
    except UnicodeEncodeError as error:  # a byte that is not UTF-8, kept as a surrogate
        raise InputError(
            f"{path}: the columns' names are not UTF-8; save the table as UTF-8 (in Excel: CSV UTF-8)"
        ) from error
    if names and all(map(is_number, names)) and names != [str(i) for i in range(len(names))]:
        raise InputError(f"{path}: its first line holds numbers only; put a line with the columns' names above it")
    refuse_twice(names, path)
    return names, delimiter


def _regrouped(blocks: Iterable[pyarrow.RecordBatch], rows: int) -> Iterator[pyarrow.RecordBatch]:
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
