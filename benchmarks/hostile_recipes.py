"""Recipes made to harm, for benchmarks/hostile.py: what a model file says of how its training table was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hostile_models import UNLIKE, Base, Copy, short, with_header

#: Words that mean something in a recipe.
WORDS: tuple[Any, ...] = ("table", "images", "numeric", "categorical", "boolean", "date", "time", ["x"], ["x"] * 3)


def recipes(base: Base) -> Iterator[Copy]:
    """How the training data were read, by which new tables are read."""
    now = base.header["state"].get("source_", {}).get("value")
    for path in paths(now) if now else ():
        old = at(now, path)
        for value in (*UNLIKE, *WORDS):
            if value != old:
                # a name that the table lacks, or other texts, may have been those of training
                possible = isinstance(value, type(old)) or (old is None and isinstance(value, str | float | list))
                state = base.header["state"] | {"source_": {"value": put(now, path, value)}}
                what = f"{'.'.join(map(str, path))}={short(value)}"
                yield Copy("recipe", what, with_header(base, {"state": state}), possible)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all parts of a JSON value, the whole first."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths(value[key], (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """The part at this place."""
    for key in path:
        value = value[key]
    return value


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another part at this place."""
    if not path:
        return new
    copy = json.loads(json.dumps(value))
    at(copy, path[:-1])[path[-1]] = new
    return copy
