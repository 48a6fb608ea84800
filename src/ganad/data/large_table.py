"""Parquet files larger than memory: read by row groups, and kept as numbers in a file that is mapped.

A fit draws rows in a shuffled order, and a Parquet file gives them in its own. So the rows that train are written once
as float64 into the cache, where the order of a pass stays a function of seed and pass, as for a table in memory.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from ..atomic import replacing
from ..errors import InputError
from .column import Origin, Recipe, recipe_of, trimmed
from .fetch import cache_dir
from .labels import labels_of, only_normal, unnamed
from .row_groups import row_batches
from .samples import Progress, Samples
from .table import encode, refuse_misplaced, refuse_unlabelled, with_trimmed_texts
from .table_file import first_line
from .table_options import UNKNOWN, Place, TableOptions
from .written import origin_of

#: Bytes of a table as float64 from which it is mapped. Read whole it takes about four times as many.
LARGE = 2**30
_BATCH = 65_536  # rows in memory at a time
_TEXTS = 10_000  # different texts of a column that are looked at; a column with more holds no categories
_STANDS_FOR = 1_000  # rows that stand for a column of text
_VERSION = 3  # raise when the reading changes, so that files made before are not used
_LOG = logging.getLogger("ganad")


def is_large(path: str | Path) -> bool:
    """Whether ``path`` is a Parquet file with more than ``LARGE`` bytes of numbers."""
    path = Path(path)
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    try:
        about = pyarrow.parquet.read_metadata(path)
    except (OSError, pyarrow.ArrowException):
        return False  # whoever reads it says what is wrong
    return bool(about.num_rows * about.num_columns * 8 > LARGE)


def load_large(
    path: str | Path,
    *,
    normal: Sequence[str] = (),
    anomaly: Sequence[str] = (),
    progress: Progress | None = None,
    **options: Unpack[TableOptions],
) -> Samples:
    """The rows that train, ``Samples.x`` a read-only ``numpy.memmap`` float64 ``(n, d)``, without names and classes.

    The columns become what ``load_table`` makes of them, by how the first rows are written; whether a column of text
    holds categories is judged by its different texts and how often each occurs, and dates count from the earliest of
    those looked at. normal, anomaly: classes, as for ``only_normal``. options: see ``TableOptions``; not ``impute``,
    which needs the whole table. A second call finds the file in the cache while the table is the same. Raises
    InputError for what ``load_table`` refuses, where no row trains, and where the disk has no room.
    """
    path = Path(path)
    refuse_misplaced(str(path), options, Place(path))
    if options.get("impute"):
        raise InputError(f"{path}: gaps cannot be filled in a table that is read in parts; leave --impute out")
    stat = path.stat()
    said = {name: value for name, value in sorted(options.items()) if value not in (None, ())}
    asked = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, list(normal), list(anomaly), said, _VERSION]
    store = cache_dir() / "tables" / hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
    about = _known(store)
    if about is None:
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                about = _written(file, path, store, options, (tuple(normal), tuple(anomaly)), progress)
        except pyarrow.ArrowException as error:
            raise InputError(f"{path}: cannot be read as a table ({first_line(error)})") from error
    only_normal(Samples(np.empty((0, 1)), np.array(about["classes"], str)))  # says so where several classes train
    shape = (about["rows"], len(about["columns"]))
    x = np.memmap(store.with_suffix(".f8"), np.float64, "r", shape=shape)
    return Samples(x, columns=about["columns"], source=about["source"])


def _known(store: Path) -> dict[str, Any] | None:
    try:
        about: dict[str, Any] = json.loads(store.with_suffix(".json").read_text("utf-8"))
        whole = store.with_suffix(".f8").stat().st_size == 8 * about["rows"] * len(about["columns"])
    except (OSError, ValueError, KeyError):
        return None
    return about if whole else None


def _written(
    file: pyarrow.parquet.ParquetFile,
    path: Path,
    store: Path,
    options: TableOptions,
    named: tuple[tuple[str, ...], tuple[str, ...]],
    progress: Progress | None,
) -> dict[str, Any]:
    label = options.get("label")
    source, columns = _source(file, path, options)
    _refuse_small_disk(path, store, file.metadata.num_rows * len(columns) * 8)
    rows, seen, classes = 0, 0, set[str]()
    with replacing(store.with_suffix(".f8"), wait=True) as temporary, open(temporary, "wb") as out:
        for batch in row_batches(file, _BATCH):
            table = pyarrow.Table.from_batches([batch])
            refuse_unlabelled(table, label, path)
            # the recipe knows every text of training
            part = encode(table, Place(path, None, seen), source=source, label=label, unknown="refuse")
            labels = labels_of(part, *named)
            x = part.x if labels is None else part.x[labels == 0]
            classes.update([] if part.y is None else part.y.astype(str).tolist())
            out.write(np.ascontiguousarray(x).data)
            rows, seen = rows + len(x), seen + len(part.x)
            if progress:
                progress(seen, file.metadata.num_rows)
        unnamed(classes, *named)  # refuses a name that does not occur
        if rows == 0:
            raise InputError(f"{path}: no normal row is left to learn from; look at --normal and --anomaly")
    trained = sorted(classes) if not any(named) else []
    about = {"rows": rows, "columns": columns, "source": source, "classes": trained}
    with replacing(store.with_suffix(".json"), wait=True) as temporary:
        temporary.write_text(json.dumps(about), encoding="utf-8")
    return about


def _refuse_small_disk(path: Path, store: Path, size: int) -> None:
    """Say how large the file will be, before it is written. Raises InputError where there is no room."""
    store.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.parent).free
    if free < size:
        raise InputError(
            f"{path}: {size / 1e9:,.1f} GB as numbers, and {store.parent} has {free / 1e9:,.1f} GB free; make room or "
            f"set XDG_CACHE_HOME to a larger disk"
        )
    _LOG.warning("%s: %.1f GB as numbers, written to %s first", path, size / 1e9, store.with_suffix(".f8"))


def _source(file: pyarrow.parquet.ParquetFile, path: Path, options: TableOptions) -> tuple[dict[str, Any], list[str]]:
    """The recipe of the table and the names of its features, from a few rows that stand for all."""
    place, label, drop = Place(path), options.get("label"), tuple(options.get("drop") or ())
    names = file.schema_arrow.names
    for name in [*drop, *([label] if label else [])]:
        if name not in names:
            raise InputError(f"{path}: no column {name!r}; it has {', '.join(names[:30])}")
    kept = [name for name in names if name not in drop and name != label]
    first = next(row_batches(file, _BATCH), None)
    if first is None or first.num_rows == 0:
        raise InputError(f"{path}: no rows in this table")
    head = with_trimmed_texts(pyarrow.Table.from_batches([first]).select(kept), path)
    ways: TableOptions = {**options, "label": None, "drop": ()}
    origin = origin_of(head, place, ways)
    # what ``load_table`` refuses in the first rows it refuses here, and it knows which column only counts the rows
    plain = [name for name in kept if not _is_text(head.schema.field(name).type)]
    looked: dict[str, Any] = encode(head.select(plain), place, **ways).source if plain else {}
    known = {recipe["name"]: recipe for recipe in looked.get("columns", ())}
    found = _recipes_of_text(file, [name for name in kept if name not in plain], origin)
    recipes = [known.get(name) or found[name] for name in kept if name in known or name in found]
    left_out = looked.get("read", {}).get("left_out", {}) | dict.fromkeys(drop, "--drop")
    source: dict[str, Any] = {
        "kind": "table",
        "columns": recipes,
        "label": label,
        "text": origin.notation.to_source(),
        "unknown": options.get("unknown") or UNKNOWN[0],
        "read": {
            "rows": file.metadata.num_rows,
            "missing": {},
            "left_out": left_out | ({label: "the label"} if label else {}),
        },
    }
    features = encode(pyarrow.Table.from_batches([first]).slice(0, 1), place, source=source, label=label).columns or []
    return source, features


def _recipes_of_text(file: pyarrow.parquet.ParquetFile, names: Sequence[str], origin: Origin) -> dict[str, Recipe]:
    """How columns of text are read, by how often each text occurs."""
    counts: dict[str, Counter[str | None]] = {name: Counter() for name in names}
    for batch in row_batches(file, _BATCH, columns=names) if names else ():
        for name in names:
            column = trimmed(pyarrow.chunked_array([batch.column(name).cast(pyarrow.string())]))
            for entry in pyarrow.compute.value_counts(column).to_pylist():
                if len(counts[name]) < _TEXTS or entry["values"] in counts[name]:
                    counts[name][entry["values"]] += entry["counts"]
    kinds = {name: file.schema_arrow.field(name).type for name in names}
    standing = {name: _standing_for(counts[name]) for name in names}
    # a dictionary holds categories, whatever its texts are
    standing |= {n: c.dictionary_encode() for n, c in standing.items() if pyarrow.types.is_dictionary(kinds[n])}
    return {name: recipe_of(name, standing[name], origin) for name in names}


def _standing_for(counts: Counter[str | None]) -> pyarrow.ChunkedArray:
    """Some rows in which each text occurs, and about as often as in all."""
    total = sum(counts.values())
    times = {text: -(-count * _STANDS_FOR // total) for text, count in counts.items()}
    return pyarrow.chunked_array([pyarrow.array([t for t, n in times.items() for _ in range(n)], pyarrow.string())])


def _is_text(kind: Any) -> bool:
    types = pyarrow.types
    is_string = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(is_string or types.is_dictionary(kind))
