"""Tables made to harm, for benchmarks/hostile.py: the zoo of tests/data/zoo.py, altered in hundreds of ways."""

from __future__ import annotations

import bz2
import gzip
import io
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.data.zoo import SAME, others, zstd

import ganad
from ganad.data import iter_table, load

#: Files that are altered, by name.
TEXTS = (
    "plain.csv",
    "semicolon.csv",
    "decimal-comma.csv",
    "thousands.csv",
    "tab.tsv",
    "utf16.csv",
    "latin1.csv",
    "remarks.csv",
)
PACKED = ("packed.csv.gz", "packed.csv.zst", "packed.tsv.bz2")
OUTCOMES = ("refused", "error of another type", "process died", "hang", "same numbers", "another table")
Copy = tuple[str, str, str, bytes]  #: family, what was done, name of the file, content
_GIB = 2**30


def judge(table: str, source: dict[str, Any], numbers: str) -> tuple[str, str]:
    """What comes of one file, read as training data and as new data, and what is said of it."""
    known = np.load(numbers)
    try:
        found = load(table)
        scored = [part.x for part in iter_table(table, source)]
    except ganad.InputError as error:
        return "refused", str(error)
    except BaseException as error:
        return "error of another type", f"{type(error).__name__}: {error}"
    same = found.x.shape == known.shape and np.array_equal(found.x, known) and np.array_equal(np.vstack(scored), known)
    return ("same numbers" if same else "another table"), ""


def bases() -> dict[str, bytes]:
    """The whole files, which must be read right, by name."""
    with tempfile.TemporaryDirectory() as folder:
        others(Path(folder))
        files = {name: Path(folder, name).read_bytes() for name in ("one.parquet", "book.xlsx")}
    return {name: SAME[name] for name in (*TEXTS, *PACKED)} | files


def copies() -> Iterator[Copy]:
    """Every altered file."""
    rng = np.random.default_rng(0)
    files = bases()
    for name, content in files.items():
        for at in np.linspace(1, len(content) - 2, 9).astype(int):
            yield "cut short", f"at {at}", name, content[:at]
        for n in (1, 1, 1, 1, 2, 5, 20, 100):
            yield "bytes changed", f"{n}", name, flipped(content, rng.integers(0, len(content), n), rng)
        for _ in range(2):
            at = int(rng.integers(0, len(content)))
            yield "zeros", f"at {at}", name, content[:at] + b"\x00" * int(rng.integers(1, 50)) + content[at:]
    yield from text_copies(rng)
    yield from footers(files["one.parquet"], rng)
    yield from bombs(files["book.xlsx"])


def flipped(content: bytes, places: np.ndarray, rng: np.random.Generator) -> bytes:
    changed = np.frombuffer(content, np.uint8).copy()
    changed[places] ^= rng.integers(1, 256, len(places)).astype(np.uint8)
    return changed.tobytes()


def text_copies(rng: np.random.Generator) -> Iterator[Copy]:
    """Encodings that change, fields and lines that do not end, names that a terminal obeys."""
    plain = SAME["plain.csv"]
    for at in (0, 20, len(plain) // 2, len(plain) - 5):
        for kind in ("latin-1", "utf-16", "utf-8-sig", "utf-32"):
            yield "mixed encodings", f"{kind} at {at}", "t.csv", plain[:at] + "größe;ü,".encode(kind) + plain[at:]
    for mark in (b'"', b"'", b"\\", b"\r", b"\x1a", b"\xff\xfe", b"\xef\xbb\xbf"):
        for at in rng.integers(0, len(plain), 4).tolist():
            yield "marks in the way", f"{mark!r} at {at}", "t.csv", plain[:at] + mark + plain[at:]
    for size in (10**5, 10**6, 10**7, 10**8):
        yield "huge fields", f"a cell of {size}", "t.csv", b"a,b\n1," + b"x" * size + b"\n2,y\n"
        yield "huge fields", f"a quoted cell of {size}", "t.csv", b'a,b\n1,"' + b"x\n" * (size // 2) + b'"\n2,y\n'
        yield "huge fields", f"a name of {size}", "t.csv", b"x" * size + b",b\n1,2\n"
        yield "huge fields", f"a number of {size} digits", "t.csv", b"a,b\n" + b"9" * size + b",2\n3,4\n"
    for n in (29_999, 30_001, 10**6):
        yield (
            "many columns",
            f"{n}",
            "t.csv",
            b",".join(b"c%d" % i for i in range(n)) + b"\n" + b",".join([b"1"] * n) + b"\n",
        )
        yield "many columns", f"{n} without names", "t.csv", b"," * n + b"\n" + b"," * n
    for name in (b"\x1b[2J", b"\xe2\x80\xae", b"=cmd()", b"\x00", b"a\nb", b"--drop", b"%s{0}"):
        yield "names", repr(name), "t.csv", b'"' + name + b'",b\nq,1\n' + b"w,2\n" * 30
    for value in (
        b"1e999",
        b"-1e999",
        b"nan",
        b"inf",
        b"0x10",
        b"1_000",
        b"\xd9\xa1",
        b"1e400e1",
        b"1/2",
        b"2024-13-45",
    ):
        yield "numbers that are none", repr(value), "t.csv", b"a,b\n" + b"1,2\n" * 30 + value + b",3\n"


def footers(content: bytes, rng: np.random.Generator) -> Iterator[Copy]:
    """Parquet files whose footer, pages or lengths lie."""
    length = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - length
    for _ in range(60):
        places = start + rng.integers(0, length, int(rng.integers(1, 4)))
        yield "forged footer", f"{places.tolist()}", "t.parquet", flipped(content, places, rng)
    for _ in range(30):
        places = 4 + rng.integers(0, start - 4, int(rng.integers(1, 4)))
        yield "forged pages", f"{places.tolist()}", "t.parquet", flipped(content, places, rng)
    for claimed in (0, 1, length - 1, length + 1, 2**31 - 1, 2**32 - 1):
        yield "forged lengths", f"{claimed}", "t.parquet", content[:-8] + claimed.to_bytes(4, "little") + b"PAR1"


def bombs(book: bytes) -> Iterator[Copy]:
    """Small files that unpack to far more."""
    line, field = b"1.5,2.5,red\n", b"x"
    for name, pack in (("t.csv.gz", gzip.compress), ("t.csv.bz2", bz2.compress), ("t.csv.zst", zstd)):
        yield "bombs", f"rows in {name}", name, pack(b"temp,amount,colour\n") + repeated(pack, line * 2**20, 300)
        yield (
            "bombs",
            f"one cell in {name}",
            name,
            pack(b"temp,amount,colour\n1,2,") + repeated(pack, field * 2**23, 300),
        )
        yield "bombs", f"no names in {name}", name, repeated(pack, b"\n" * 2**23, 300)
    for member in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"):
        for size in (2**26, 2**31):
            yield "bombs", f"{member} of {size}", "t.xlsx", stuffed(book, member, size)
    yield "bombs", "Parquet of one value", "t.parquet", folded()


def repeated(pack: Any, block: bytes, times: int) -> bytes:
    """``block`` packed once and written many times, which these formats unpack one after the other."""
    return bytes(pack(block)) * times


def stuffed(book: bytes, member: str, size: int) -> bytes:
    """A workbook with blanks in one of its parts."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for info in old.infolist():
            content = old.read(info)
            if info.filename == member:
                with new.open(member, "w", force_zip64=True) as file:
                    file.write(content[: content.rfind(b"<")])
                    for _ in range(size // 2**24):
                        file.write(b" " * 2**24)
                    file.write(content[content.rfind(b"<") :])
            else:
                new.writestr(info, content)
    return out.getvalue()


def folded() -> bytes:
    """A Parquet file of few bytes whose text takes gigabytes once every row has its own."""
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    cells = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(20_000, np.int32)), ["x" * 2**20])
    pyarrow.parquet.write_table(pyarrow.table({"temp": np.ones(20_000), "colour": cells}), sink, store_schema=False)
    return bytes(sink.getvalue().to_pybytes())
