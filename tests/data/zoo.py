"""One table as offices write it: the same rows in many forms, and forms that must be refused in a sentence."""

from __future__ import annotations

import bz2
import datetime
import gzip
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import pyarrow.parquet

N = 60
COLUMNS = ("temp", "amount", "colour")


def rows() -> list[tuple[float, float, str]]:
    """The rows: a number of two decimals, one with thousands, and a colour."""
    rng = np.random.default_rng(7)
    temps, amounts = rng.normal(20, 3, N).round(2).tolist(), (rng.integers(100_000, 99_999_999, N) / 100).tolist()
    return list(zip(temps, amounts, rng.choice(["red", "blue", "grün"], N).tolist()))


def days() -> list[datetime.date]:
    """A day for each row: three weeks, so that some have a number above 12."""
    return [datetime.date(2024, 3, 1) + datetime.timedelta(days=i % 21) for i in range(N)]


def text(
    separator: str = ",",
    number: Callable[[float], str] = str,
    names: Iterable[str] = COLUMNS,
    cell: Callable[[str], str] = str,
) -> str:
    lines = [separator.join(names)]
    lines += [separator.join([cell(number(t)), cell(number(a)), c]) for t, a, c in rows()]
    return "\n".join(lines) + "\n"


def comma(x: float) -> str:
    return f"{x}".replace(".", ",")


def german(x: float) -> str:
    return f"{x:,.2f}".translate(str.maketrans(",.", ".,"))


def quoted(cell: str) -> str:
    return f'"{cell}"'


def zstd(content: bytes) -> bytes:
    return pyarrow.Codec("zstd").compress(content, asbytes=True)


#: Name of the file -> its bytes: all hold the same rows.
SAME: dict[str, bytes] = {
    "plain.csv": text().encode(),
    "semicolon.csv": text(";").encode(),
    "tab.tsv": text("\t").encode(),
    "tab.txt": text("\t").encode(),
    "bar.txt": text("|").encode(),
    "mark.csv": b"\xef\xbb\xbf" + text().encode(),
    "lines.csv": text().replace("\n", "\r\n").encode(),
    "old-lines.csv": text().replace("\n", "\r").encode(),
    "packed.csv.gz": gzip.compress(text(";").encode()),
    "packed.csv.zst": zstd(text().encode()),
    "packed.tsv.bz2": bz2.compress(text("\t").encode()),
    "utf16.csv": text("\t").encode("utf-16"),
    "utf16-le.csv": text().encode("utf-16-le"),
    "utf16-be.csv": text().encode("utf-16-be"),
    "latin1.csv": text(";").encode("latin-1"),
    "sep.csv": ("sep=,\n" + text()).encode(),
    "sep-semicolon.csv": ("sep=;\r\n" + text(";").replace("\n", "\r\n")).encode(),
    "remarks.csv": ("# machine 7, hall 2\n#\n" + text()).encode(),
    "title.csv": ("Export of machine 7\n\n" + text()).encode(),
    "decimal-comma.csv": text(";", comma).encode(),
    "decimal-comma-quoted.csv": text(",", comma, cell=quoted).encode(),
    "thousands.csv": text(",", lambda x: f"{x:,}", cell=quoted).encode(),
    "thousands-german.csv": text(";", german).encode(),
    "thousands-space.csv": text(";", lambda x: german(x).replace(".", " ")).encode(),
    "thousands-narrow.csv": text(";", lambda x: german(x).replace(".", "\u202f")).encode(),
    "thousands-swiss.csv": text(";", lambda x: f"{x:,}".replace(",", "’")).encode(),
    "index.csv": (
        "," + ",".join(COLUMNS) + "\n" + "".join(f"{i},{t},{a},{c}\n" for i, (t, a, c) in enumerate(rows()))
    ).encode(),
    "quoted.csv": text(",", cell=quoted).encode(),
}


class Refusal(NamedTuple):
    """A file that must be refused, and words of the sentence."""

    content: bytes
    words: str


def lines(*cells: str, head: str = "a;b") -> bytes:
    return (head + "\n" + "".join(f"{cell}\n" for cell in cells)).encode()


REFUSED: dict[str, Refusal] = {
    "either.csv": Refusal(lines(*(f"1,{i:03};x" for i in range(9))), "--decimal , or --thousands ,"),
    "mixed.csv": Refusal(lines(*(f"{i},5;{i}.25" for i in range(9))), "write them alike"),
    "dates.csv": Refusal(lines(*(f"2024-01-0{i};1" for i in range(1, 9))), "--dates elapsed,hour,weekday"),
    "clocks.csv": Refusal(
        lines(
            *(f"00:01:2{i}.25{i};1" for i in range(9)),
            *(f"00:02:2{i}.25{i};1" for i in range(9)),
            *(f"00:03:2{i}.25{i};1" for i in range(9)),
        ),
        "times",
    ),
    "percent.csv": Refusal(lines(*(f"{i}.5%;1" for i in range(30))), "percentages"),
    "short.csv": Refusal(b"a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
    "long.csv": Refusal(b"a,b\n1,2\n3,4,5\n", "Expected 2 columns, got 3"),
    "open-quote.csv": Refusal(b'a,b\n1,"2\n3,4\n', "cannot be read as a table"),
    "empty.csv": Refusal(b"", "cannot be read as a table"),
    "no-rows.csv": Refusal(b"a,b\n", "no rows"),
    "no-names.csv": Refusal(b"1,2\n3,4\n", "first line holds numbers only"),
    "zeros.csv": Refusal(b"a,b\n1\x00,2\n3,4\n", "bytes that are zero"),
    "twice.csv": Refusal(b"a,a\n1,2\n", "occurs more than once"),
    "not-packed.csv.gz": Refusal(b"a,b\n1,2\n", "cannot be read as a table"),
    "cut.csv.gz": Refusal(gzip.compress(text().encode())[:-200], "cannot be read as a table"),
    "not.xlsx": Refusal(b"PK\x03\x04 nothing", "cannot be read"),
    "not.parquet": Refusal(b"PAR1 nothing PAR1", "cannot be read as a table"),
}


def table() -> pyarrow.Table:
    return pyarrow.table(dict(zip(COLUMNS, map(list, zip(*rows())))))


def others(folder: Path) -> list[Any]:
    """The same rows as Parquet, in one file and in parts, as Excel, and as answers of DuckDB and SQLite."""
    import openpyxl

    (folder / "parts").mkdir()
    pyarrow.parquet.write_table(table(), folder / "one.parquet")
    pyarrow.parquet.write_table(table().slice(0, 25), folder / "parts" / "part-0.parquet")
    pyarrow.parquet.write_table(table().slice(25), folder / "parts" / "part-1.parquet")
    book = openpyxl.Workbook()
    for row in (COLUMNS, *rows()):
        book.active.append(row)
    book.save(folder / "book.xlsx")
    with sqlite3.connect(folder / "base.db") as connection:
        connection.execute("CREATE TABLE t (temp REAL, amount REAL, colour TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows())
    connection.close()
    return [
        folder / "one.parquet",
        folder / "parts",
        folder / "book.xlsx",
        f"duckdb:SELECT * FROM '{folder}/parts/*.parquet'",
        f"sqlite:///{folder}/base.db?query=SELECT * FROM t",
    ]
