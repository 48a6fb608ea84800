"""How a table is written: told from all of its columns in training, and taken from the model's recipe afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow

from ..errors import InputError
from . import excel
from .column import Origin, Recipe, width
from .dates import check_parts, day_first_of
from .notation import AMONG_NUMBERS, MISSING, Notation, marks_of
from .table_options import UNKNOWN, Place, TableOptions

_LOOKED_AT = 50_000  # cells of a column that its notation is told from


def origin_of(table: pyarrow.Table, place: Place, options: TableOptions) -> Origin:
    """How a training table is written, told from all of its columns."""
    parts, said = tuple(options.get("dates") or ()), tuple(options.get("missing") or ())
    check_parts(parts)
    if (options.get("unknown") or UNKNOWN[0]) not in UNKNOWN:
        raise InputError(f"--unknown {options['unknown']}: give one of {', '.join(UNKNOWN)}")
    # cells that have types say themselves what is missing, but for what stands among numbers; sheets people fill in
    everywhere = MISSING if place.dialect or place.path.suffix.lower() in excel.ENDINGS else ()
    way = Notation(missing=(*everywhere, *said), among_numbers=(*(() if everywhere else MISSING), *AMONG_NUMBERS))
    columns = _texts(table, way)
    where = str(place.path)
    marks = marks_of(columns, where, options.get("decimal") or "", options.get("thousands") or "")
    day_first = options.get("day_first")
    if parts:
        day_first = day_first_of(columns, where, day_first)
    return Origin(place.path, place.first_row, replace(way, marks=marks, day_first=day_first), parts)


def origin_by(source: dict[str, Any], place: Place, table: pyarrow.Table, options: TableOptions) -> Origin:
    """How new data are written: as the training table, but for what the user says."""
    way = Notation.of_source(source)
    if said := tuple(options.get("missing") or ()):
        way = replace(way, missing=(*way.missing, *said))
    decimal, thousands = options.get("decimal") or "", options.get("thousands") or ""
    if decimal or thousands:
        numeric = table.select([r["name"] for r in source["columns"] if r["kind"] == "numeric"])
        way = replace(way, marks=marks_of(_texts(numeric, way), str(place.path), decimal, thousands))
    if options.get("day_first") is not None:
        way = replace(way, day_first=options["day_first"])
    return Origin(place.path, place.first_row, way)


def _texts(table: pyarrow.Table, way: Notation) -> Mapping[str, pyarrow.ChunkedArray]:
    """The beginnings of the columns of text, gaps where a cell is missing."""
    named = zip(table.column_names, table.columns)
    texts = {name: column[:_LOOKED_AT] for name, column in named if pyarrow.types.is_string(column.type)}
    return {name: way.present(column, among_numbers=True) for name, column in texts.items()}


def account(x: np.ndarray, recipes: list[Recipe], place: Place, left_out: dict[str, str]) -> dict[str, Any]:
    """How a training table was read, as JSON, beside what the recipes say. x: ``(n, d)`` with NaN for missing cells."""
    starts = np.cumsum([0, *map(width, recipes)])[:-1]
    missing = {recipe["name"]: int(np.isnan(x[:, start]).sum()) for recipe, start in zip(recipes, starts)}
    found: dict[str, Any] = {"rows": len(x), "missing": {name: n for name, n in missing.items() if n}}
    if place.dialect:
        found |= {k: v for k, v in asdict(place.dialect).items() if k in ("separator", "encoding", "skipped")}
    return found | {"left_out": left_out}
