"""Which library reads tables as offices write them: how many forms each reads right by itself, and time and memory.

    python benchmarks/readers.py [--megabytes 200]

The forms are those of tests/data/zoo.py: one table in many ways of writing. "numbers" counts the forms whose columns
come out as the right numbers, "cells" those that are cut into the right cells under the right names, which ganad then
reads by itself. Each library is called as its documentation shows first; none is told anything about the file. Seconds
of all cores and memory are those of a process of its own that reads a file of 20 columns as text cells; ganad's
is the whole way to numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.data.zoo import COLUMNS, SAME, rows


def by_duckdb(path: str, options: str = "") -> pyarrow.Table:
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    return connection.sql(f"SELECT * FROM read_csv(?{options})", params=[path]).to_arrow_table()


def by_polars(path: str, **options: Any) -> pyarrow.Table:
    import polars

    return polars.read_csv(path, **options or dict(try_parse_dates=True)).to_arrow()


def by_pandas(path: str, **options: Any) -> pyarrow.Table:
    import pandas

    frame = pandas.read_csv(path, **options or dict(sep=None, engine="python"))
    return pyarrow.Table.from_pandas(frame, preserve_index=False)


def by_pyarrow(path: str, texts: bool = False) -> pyarrow.Table:
    with open(path, errors="replace") as file:
        names = file.readline().strip().split(",") if texts else []
    types = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()))
    return pyarrow.csv.read_csv(path, convert_options=types)


def by_ganad(path: str) -> pyarrow.Table:
    from ganad.data import load

    samples = load(path)
    colours = np.array(["blue", "grün", "red"])[samples.x[:, 2:5].argmax(1)]
    return pyarrow.table(dict(zip(COLUMNS, (samples.x[:, 0], samples.x[:, 1], colours))))


#: How each library reads a table that it is told nothing of, and a large one as cells of text, which ganad needs.
READERS: dict[str, Callable[[str], Any]] = {
    "duckdb": by_duckdb,
    "polars": by_polars,
    "pyarrow": by_pyarrow,
    "pandas": by_pandas,
    "ganad": by_ganad,
}
TEXTS: dict[str, Callable[[str], Any]] = {
    "duckdb": lambda path: by_duckdb(path, ", all_varchar = true"),
    "polars": lambda path: by_polars(path, infer_schema=False),
    "pyarrow": lambda path: by_pyarrow(path, texts=True),
    "pandas": lambda path: by_pandas(path, dtype=str),
    "ganad": by_ganad,
}


def has_numbers(table: pyarrow.Table) -> bool:
    wanted = list(zip(*rows()))
    numbers = [np.array_equal(table[name].to_numpy().astype(float), wanted[i]) for i, name in enumerate(COLUMNS[:2])]
    return all(numbers) and table["colour"].to_pylist() == list(wanted[2])


def has_cells(table: pyarrow.Table) -> bool:
    return set(COLUMNS) <= set(table.column_names) and table["colour"].to_pylist() == [c for _, _, c in rows()]


def passed(library: str, folder: Path, check: Callable[[pyarrow.Table], bool]) -> int:
    """The number of forms that come out right."""
    n = 0
    for file in SAME:
        with contextlib.suppress(BaseException):  # a panic of Rust as well: the library has not read the file
            n += check(READERS[library](str(folder / file)))
    return n


def measured(library: str, path: Path) -> tuple[float, int]:
    """Seconds and MB of a process of its own."""
    command = [sys.executable, __file__, "--one", library, str(path)]
    seconds, megabytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), int(megabytes)


def one(library: str, path: str) -> None:
    importlib.import_module({"pyarrow": "pyarrow.csv", "ganad": "ganad.data.table"}.get(library, library))
    start = time.process_time()
    TEXTS[library](path)
    print(f"{time.process_time() - start:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}")


def large(path: Path, megabytes: int) -> None:
    """A file of 18 numbers, one count and one colour a row."""
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(18)]
    block = [",".join(f"{x:.6f}" for x in row) + f",{i % 997},red" for i, row in enumerate(rng.normal(size=(5000, 18)))]
    content = ("\n".join(block) + "\n").encode()
    with path.open("wb") as file:
        file.write((",".join([*names, "count", "colour"]) + "\n").encode())
        for _ in range(megabytes * 10**6 // len(content)):
            file.write(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(*options.one)
        return
    print("| library | version | numbers | cells | CPU seconds | MB |\n|---|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in SAME.items():
            (folder / file).write_bytes(content)
        large(folder / "large.csv", options.megabytes)
        for library in READERS:
            numbers, cells = passed(library, folder, has_numbers), passed(library, folder, has_cells)
            seconds, megabytes = measured(library, folder / "large.csv")
            row = (library, metadata.version(library), f"{numbers} of {len(SAME)}", cells, f"{seconds:.1f}", megabytes)
            print(f"| {' | '.join(map(str, row))} |", flush=True)


if __name__ == "__main__":
    main()
