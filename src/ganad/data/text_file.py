"""Files of text rows: how they are packed, encoded and separated is found out first, then Arrow reads them in parts.

DuckDB finds the separator and the lines above the columns' names, from the beginning of the file alone, and never opens
the file itself. Where the columns' names are known, because a model was trained on them, the separator is the one that
gives them.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pyarrow.csv

from ..atomic import scratch
from ..errors import InputError
from .encodings import encoding_of
from .text_kinds import is_number

ENDINGS = {".csv", ".tsv", ".tab", ".txt"}
#: Endings of packed files and how Arrow calls their packing.
PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
MAX_COLUMNS = 30_000  #: of a file; each costs memory and time however short the file is
SEPARATORS = ",;\t|"
_HEAD = 2**22  # bytes in which the line of names must end
_SNIFFED = 2**18  # characters that the separator is told from
_TITLES = 20  # lines among which known names are looked for
_SNIFFED_COLUMNS = 2000  # beyond which DuckDB takes seconds, and its memory
_ONE_NUMBER = re.compile(r"[-+]?\d+(,\d+)?")
_MISFIT = re.compile(r"Row #(\d+): (.*)")  # a row of too few or too many cells, in Arrow's words
_ABOVE = re.compile(r"[ \t]*(#.*|sep=.|)")  # a line above the columns' names: a remark, Excel's hint, or nothing


@dataclass(frozen=True)
class Dialect:
    """How a file is written, up to its cells."""

    separator: str
    encoding: str
    skipped: int = 0  #: lines above the columns' names
    packing: str | None = None
    one_column: bool = False
    size: int = 0  #: bytes of text, unpacked


def cells(
    path: Path, names: list[str], dialect: Dialect, known: Collection[str] | None = None
) -> Iterator[pyarrow.RecordBatch]:
    """All cells as text, part by part; ``names`` and ``dialect`` are what ``look`` found.

    Types are judged by whole columns later, alike for a whole table and for its parts. known: of the columns only
    these are read, if some are named, for each costs memory however short it is. The file is opened when the first part
    is asked for: Arrow reads ahead, and a process whose reader was left unread may not come to its end.
    """
    taken = names if known is None else [name for name in names if name in known] or names[:1]
    try:
        yield from pyarrow.csv.open_csv(
            pyarrow.input_stream(str(path), compression=dialect.packing),
            read_options=pyarrow.csv.ReadOptions(encoding=_arrows(dialect.encoding), skip_rows=dialect.skipped),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.separator,
                newlines_in_values=True,
                ignore_empty_lines=not dialect.one_column,  # there an empty line is a row with a missing cell
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                null_values=[""],
                strings_can_be_null=True,
                column_types={name: pyarrow.string() for name in taken},
                include_columns=[] if known is None else taken,
            ),
        )
    except pyarrow.ArrowInvalid as error:
        found = _MISFIT.search(str(error))
        if found is None:
            raise
        row = int(found[1]) - dialect.skipped - 2  # Arrow counts from 1, the names and what stands above them as well
        raise InputError(f"{path}: cannot be read as a table (row {row}: {found[2]})") from error


def _arrows(encoding: str) -> str:
    """What Arrow is told: of UTF-8 its own name, with a mark or without, for Arrow skips the mark itself.

    For all others Arrow's threads call Python's decoder, which aborts a process that ends at that moment.
    """
    return "utf8" if encoding == "utf-8-sig" else encoding


def look(
    path: Path, known: Collection[str] | None = None, separator: str | None = None, encoding: str | None = None
) -> tuple[list[str], Dialect]:
    """The columns' names and how the file is written, found before anything costly is done.

    separator: the one to try first. encoding: what the user or the model says; a mark at the beginning of the file
    counts more.
    """
    packing = PACKED.get(path.suffix.lower())
    encoding, size, quotes = encoding_of(path, packing, encoding)
    with pyarrow.input_stream(str(path), compression=packing) as file:
        head = codecs.getincrementaldecoder(encoding)("replace").decode(file.read(_HEAD))
    mark, skipped = _marks(head, known, separator)
    lines = io.StringIO(head, newline="")
    for _ in range(skipped):
        lines.readline()
    names = next(csv.reader(lines, delimiter=mark), [])
    if len(names) > MAX_COLUMNS or (size > _HEAD and not lines.read(1)):
        raise InputError(f"{path}: more than {MAX_COLUMNS:,} columns, or a first line of more than {_HEAD:,} bytes")
    if names and all(map(is_number, names)) and names != [str(i) for i in range(len(names))]:
        raise InputError(f"{path}: its first line holds numbers only; put a line with the columns' names above it")
    refuse_twice(names, path)
    if quotes % 2:
        _refuse_open_quote(path, packing, encoding, mark)
    return names, Dialect(mark, encoding, skipped, packing, len(names) == 1, size)


def refuse_twice(names: list[str], path: Path) -> None:
    """Raise InputError for a column's name that occurs more than once."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{path}: column {twice[0]!r} occurs more than once; rename one of them")


# -- quotations -----------------------------------------------------------------------------------------------------


def _refuse_open_quote(path: Path, packing: str | None, encoding: str, mark: str) -> None:
    """Raise InputError for a quotation that never ends, as in a file that was cut: Arrow would take it as it is."""
    with pyarrow.input_stream(str(path), compression=packing) as file:
        lines = io.TextIOWrapper(file, encoding, newline="")
        try:
            for _ in csv.reader(lines, delimiter=mark, strict=True):
                pass
        except csv.Error as error:
            if "unexpected end" in str(error) or "field larger" in str(error):
                raise InputError(
                    f"{path}: cannot be read as a table (a quotation mark is opened and never closed)"
                ) from error


# -- separator -------------------------------------------------------------------------------------------------------


def _marks(head: str, known: Collection[str] | None, separator: str | None) -> tuple[str, int]:
    """The separator and the number of lines above the columns' names."""
    lines = re.split(r"\r\n?|\n", head)
    above = _first_line(lines)
    names = {mark: _cells(lines[above:], mark) for mark in SEPARATORS}
    if known is not None and (found := _of_known(lines, known, separator)):
        return found
    left_out = known is not None or max(map(len, names.values())) > _SNIFFED_COLUMNS
    mark, skipped = (None if left_out else _sniffed(head)) or ("", 0)
    if mark and _is_title(lines[above:skipped], _cells(lines[skipped:], mark), mark):
        return mark, skipped
    if mark and skipped <= above and (len(names[mark]) > 1 or not any(len(cells) > 1 for cells in names.values())):
        return mark, above
    alone = not any(mark in lines[above] for mark in SEPARATORS)
    if alone and len(lines) > above + 1 and all(map(_ONE_NUMBER.fullmatch, filter(None, lines[above + 1 :]))):
        return ";", above  # one column, whose commas are decimal
    line = lines[above]  # rows of several lengths; the reader will say which
    return max(SEPARATORS, key=lambda mark: (line.count(mark), mark == ",")), above


def _of_known(lines: list[str], known: Collection[str], separator: str | None) -> tuple[str, int] | None:
    """The separator that gives most of the names that a model knows, and the line it gives them in."""
    wanted, found = set(known), (0, "", 0)
    for i, line in enumerate(lines[:_TITLES]):
        for mark in (*(separator or ""), *SEPARATORS):
            n = len(wanted & set(_cells(lines[i:], mark))) if len(line) > 0 else 0
            found = (n, mark, i) if n > found[0] else found
        if found[0]:
            return found[1], found[2]
    return None


def _first_line(lines: list[str]) -> int:
    """The number of the first line that is no remark; of a remark, too, that is the names of a row of numbers below."""
    above = next((i for i, line in enumerate(lines) if not _ABOVE.fullmatch(line)), 0)
    if above and lines[above - 1].lstrip().startswith("#"):
        for mark in SEPARATORS:
            names, cells = _cells(lines[above - 1 :], mark), _cells(lines[above:], mark)
            if len(names) == len(cells) > 1 and any(map(is_number, cells)):
                return above - 1
    return above


def _is_title(between: list[str], names: list[str], mark: str) -> bool:
    """Whether the lines above what DuckDB takes for the names are a title, and the names are names."""
    return bool(between) and not any(mark in line for line in between) and not any(map(is_number, names))


def _cells(lines: list[str], mark: str) -> list[str]:
    """The cells of the first line; none where it cannot be cut at this mark."""
    try:
        return next(csv.reader(lines, delimiter=mark), [])
    except csv.Error:
        return []


def _sniffed(head: str) -> tuple[str, int] | None:
    """What DuckDB makes of the beginning of a file: the separator, and the lines above the names; None if nothing."""
    import duckdb

    text = head[:_SNIFFED]
    text = text[: text.rfind("\n") + 1] or text
    with scratch() as folder, duckdb.connect(config=OFFLINE) as connection:
        place = folder / "head.csv"
        place.write_text(text, "utf-8", errors="replace", newline="")
        sniff = "SELECT Delimiter, SkipRows FROM sniff_csv(?, header = true, all_varchar = true)"
        try:
            mark, skipped = connection.execute(sniff, [str(place)]).fetchall()[0]
        except duckdb.Error:
            return None
    return (mark, skipped) if mark in SEPARATORS else None


#: DuckDB fetches nothing.
OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "2",
}
