"""Whatever holds a table, as Arrow tables, whole or in parts: text, Parquet, Excel, the answer to a query, a frame."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv
import pyarrow.parquet

from .. import memory
from ..errors import InputError
from . import excel, queries
from .frames import is_frame
from .row_groups import row_batches
from .text_file import ENDINGS, PACKED, Dialect, cells, look

_PARQUET = {".parquet", ".pq"}
_TOGETHER = 65_536  # rows
_WITH_TEXTS = 4096  # rows of a Parquet file with texts, of which one may be large and stand in every row
_UNREADABLE = (pyarrow.ArrowException, OSError, ValueError, csv.Error, EOFError)
#: Endings of the files that hold tables.
TABLES = ENDINGS | _PARQUET | excel.ENDINGS | {f"{end}{packed}" for end in ENDINGS for packed in PACKED}

Source = tuple[list[str], Dialect | None, Iterable[pyarrow.RecordBatch]]


def is_table(place: Any) -> bool:
    """Whether this is a frame, a query, a table's file, or a folder of Parquet files."""
    if is_frame(place) or queries.is_query(str(place)):
        return True
    path = Path(place)
    if path.is_dir():
        return bool(_parts(path))
    return path.is_file() and _ending(path) in TABLES


def open_table(
    place: Any,
    rows: int | None,
    known: Collection[str] | None = None,
    separator: str | None = None,
    query: str | None = None,
    encoding: str | None = None,
) -> Source:
    """The columns' names, how a text file is written, and the table in parts of at most ``rows`` rows, if that is said.

    known: of the columns only these are read, if some are named. separator: of a text file, the one to try first;
    encoding: of one, what the user or the model says. Raises InputError, here or while the parts are read, if it cannot
    be read.
    """
    with _in_words(place):
        if queries.is_query(str(place)):
            names, batches = queries.answered(str(place), query, rows or _TOGETHER)
            return names, None, batches
        path = Path(place)
        if path.is_dir() or path.suffix.lower() in _PARQUET:
            names, batches = _parquet(_parts(path) or [path], rows or _TOGETHER, known)
            return names, None, _regrouped(_guarded(path, batches), rows) if rows else _guarded(path, batches)
        if path.suffix.lower() in excel.ENDINGS:
            table = excel.read(path)
            return table.column_names, None, table.to_batches(max_chunksize=rows)
        names, dialect = look(path, known, separator, encoding)
        batches = cells(path, names, dialect, known)
        return names, dialect, _guarded(path, _regrouped(batches, rows) if rows else batches)


def cells_of(place: Any) -> int:
    """Rows times columns of Parquet files by their footers; 0 for what tells no number, and for databases."""
    path = Path(place)
    if queries.is_query(str(place)) or not (path.is_dir() or path.suffix.lower() in _PARQUET):
        return 0
    with _in_words(place):
        footers = [pyarrow.parquet.read_metadata(part) for part in _parts(path) or [path]]
        return sum(footer.num_rows * footer.num_columns for footer in footers)


def first_line(error: BaseException) -> str:
    """What an error says, without the rest of a long text."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


@contextmanager
def _in_words(place: Any) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(f"{place}: {memory.shortage(error)}") from error
    except _UNREADABLE as error:
        raise InputError(f"{place}: cannot be read as a table ({first_line(error)})") from error


def _guarded(path: Path, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """The same batches while there is room for another one like the last, for few bytes may unfold to many."""
    with _in_words(path):
        for batch in batches:
            what = f"{path}: {batch.num_rows:,} more rows such as the last"
            memory.require(batch.nbytes, what, "read a part of its rows, or leave its long texts out")
            yield batch


def _ending(path: Path) -> str:
    """The ending of a name, of a packed file both."""
    packed = path.suffix.lower() in PACKED
    return "".join(path.suffixes[-2:]).lower() if packed else path.suffix.lower()


def _parts(folder: Path) -> list[Path]:
    """The Parquet files of a folder, in the order of their names."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in _PARQUET) if folder.is_dir() else []


def _parquet(
    paths: list[Path], rows: int, known: Collection[str] | None
) -> tuple[list[str], Iterator[pyarrow.RecordBatch]]:
    """Names and parts of Parquet files that together are one table."""
    schemas = [pyarrow.parquet.read_schema(path) for path in paths]
    names = list(schemas[0].names)
    for path, schema in zip(paths, schemas):
        if set(schema.names) != set(names):
            raise InputError(f"{path}: other columns than {paths[0].name} has; a folder's files are one table")
    # a column that occurs twice cannot be asked for by its name
    wanted = None if known is None or len(set(names)) < len(names) else [n for n in names if n in known] or names[:1]
    return names, _parquet_batches(paths, rows, wanted or (names if len(paths) > 1 else None))


def _parquet_batches(paths: list[Path], rows: int, wanted: list[str] | None) -> Iterator[pyarrow.RecordBatch]:
    for path in paths:
        with pyarrow.parquet.ParquetFile(path) as file:
            has_texts = any(map(_is_text, file.schema_arrow.types))
            for batch in row_batches(file, min(rows, _WITH_TEXTS) if has_texts else rows, columns=wanted):
                batch.validate(full=True)  # pyarrow reads texts that are not UTF-8, and raises when they are used
                yield batch.select(wanted) if wanted else batch


def _is_text(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return any(
        is_kind(kind) for is_kind in (types.is_string, types.is_large_string, types.is_binary, types.is_dictionary)
    )


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
