"""What a model keeps of how its data were read, as types: a file may hold anything, and new data are read by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from ..errors import InputError
from .column import Recipe, width
from .decode import check_depth
from .encodings import named


class _Column(msgspec.Struct):
    """One column of a table; see ``column.Recipe``."""

    name: str
    kind: Literal["numeric", "boolean", "categorical", "date", "time"]
    fill: float | str | list[float] | None = None
    categories: list[str] = []
    usual: str | None = None
    parts: list[Literal["elapsed", "hour", "weekday"]] = []
    first: int = 0


class _Text(msgspec.Struct):
    """Marks and words of a table; see ``notation.Notation``."""

    decimal: Literal[".", ","]
    thousands: Literal["", ".", ",", " ", "'"]
    missing: list[str]
    missing_among_numbers: list[str]
    day_first: bool | None


class _TableRead(msgspec.Struct):
    """The account of a table."""

    rows: int
    missing: dict[str, int]
    left_out: dict[str, str]
    separator: Literal[",", ";", "\t", "|"] | None = None
    encoding: str = ""
    skipped: int = 0


class _ImagesRead(msgspec.Struct):
    """The account of images."""

    count: int
    looked_at: int
    sizes: dict[str, int]
    modes: dict[str, int]
    classes: dict[str, int]
    depth: str = ""


class _Table(msgspec.Struct, tag_field="kind", tag="table"):
    columns: list[_Column]
    label: str | None = None
    text: _Text | None = None
    unknown: Literal["anomaly", "ignore", "refuse"] = "refuse"
    encoding: str | None = None
    read: _TableRead | None = None


class _Images(msgspec.Struct, tag_field="kind", tag="images"):
    size: tuple[int, int]
    mode: Literal["L", "RGB"]
    depth: int | None = None
    read: _ImagesRead | None = None


class _Photos(msgspec.Struct, tag_field="kind", tag="photos"):
    mode: Literal["L", "RGB"]
    depth: int | None = None
    least: tuple[int, int] | None = None
    read: _ImagesRead | None = None


def check(source: Mapping[str, Any] | None, columns: Sequence[Any] | None, shape: tuple[int, ...] | None) -> None:
    """Raise InputError unless ``source`` is a recipe that ``load`` may have left, for samples of this shape.

    columns: the names that a model keeps of its features. shape: ``(d,)``, ``(H, W)`` or ``(H, W, C)``; None for photos
    of any size.
    """
    if columns is not None and not (shape and len(columns) == shape[0] and all(isinstance(n, str) for n in columns)):
        raise InputError("the names of its columns are not those of its samples")
    if not source:
        return
    try:
        recipe = msgspec.convert(source, _Table | _Images | _Photos)
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        raise InputError(f"it does not say how its data were read ({error})") from error
    if isinstance(recipe, _Table):
        _check_table(recipe, shape)
        return
    check_depth(recipe.depth)
    fits = shape is None
    if isinstance(recipe, _Images):
        fits = shape is not None and recipe.size == shape[:2] and (recipe.mode == "RGB") == (shape[2:] == (3,))
    if not fits:
        raise InputError(f"images that are read as {recipe.mode} are not its samples of shape {shape}")


def _check_table(recipe: _Table, shape: tuple[int, ...] | None) -> None:
    if recipe.encoding is not None:
        named(recipe.encoding)
    for column in recipe.columns:
        allowed: tuple[type, ...] = (int, float)
        if column.kind == "categorical":
            allowed = (str,)
            if len(set(column.categories)) < len(column.categories) or not column.categories:
                raise InputError(f"column {column.name!r} has no categories, or one of them twice")
        elif column.kind == "date":
            allowed = (list,)
            if not column.parts or not -(2**63) <= column.first < 2**63:
                raise InputError(f"column {column.name!r} holds dates that become nothing")
        fill = column.fill
        numbers = fill if isinstance(fill, list) else [fill] if isinstance(fill, float) else []
        wrong = fill is not None and not isinstance(fill, allowed)
        wrong |= isinstance(fill, list) and len(fill) != len(column.parts)
        if wrong or not all(map(math.isfinite, numbers)):
            raise InputError(f"column {column.name!r} cannot be filled with {fill!r}")
    features = sum(width(cast("Recipe", msgspec.to_builtins(column))) for column in recipe.columns)
    if shape != (features,):
        raise InputError(f"a table that is read as {features:,} features is none of its samples of shape {shape}")
