"""Views and detectors of regions from the words of a command line or of a table's recipe."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from ..detector import Detector
from ..errors import InputError
from .backbone import Backbone
from .regions import Regions
from .tiles import Tiles


def view_of(
    tiles: str | None = None,
    backbone: str | None = None,
    *,
    layers: str | None = None,
    whole: bool = False,
    cells: int | None = None,
) -> Tiles | Backbone:
    """The view of "64/32", side and step of a tile in pixels, or of a backbone "NAME" or "NAME:FILE".

    layers: those of the backbone, "0,3". whole: one vector a photo, not one a region. cells: the mean vectors of so
    many parts of the height and of the width. Raises InputError for words that name no view.
    """
    if backbone is not None:
        named = Backbone.named(backbone)
        numbers = named.layers if layers is None else _numbers(layers)
        return dataclasses.replace(named, layers=numbers, cells=1 if whole else cells)
    found = re.fullmatch(r"(\d{1,5})(?:/(\d{1,5}))?", tiles or "")
    if not found:
        raise InputError(f"tiles {tiles}: give the side of a crop and the step to the next in pixels, such as 64/32")
    size = int(found[1])
    return Tiles(size, int(found[2]) if found[2] else max(1, size // 2))


def regions_of(
    detector: Detector,
    *,
    tiles: str | None = None,
    backbone: str | None = None,
    layers: str | None = None,
    whole: bool = False,
    cells: int | None = None,
    **settings: Any,
) -> Regions:
    """``detector`` on the regions of ``view_of``, with these settings of ``Regions`` and its own device and seed.

    Raises InputError for settings that cannot work.
    """
    shared = {
        name: getattr(detector, name) for name in ("device", "threads", "verbose", "random_state", "contamination")
    }
    found = Regions(detector, view_of(tiles, backbone, layers=layers, whole=whole, cells=cells), **shared | settings)
    found.check_settings()
    return found


def _numbers(layers: str) -> tuple[int, ...]:
    """The numbers of "0,3"."""
    if not re.fullmatch(r"\d{1,5}(,\d{1,5})*", layers):
        raise InputError(f"layers {layers}: give their numbers, such as 0,3")
    return tuple(map(int, layers.split(",")))
