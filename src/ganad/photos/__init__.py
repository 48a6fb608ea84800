"""Photos of any size: views that turn photos into regions, and a detector of photos that uses a detector of regions.

What auto takes for photos can be read without torch, so the classes are imported when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backbone import Backbone
    from .found import Finding, Region
    from .regions import Regions
    from .tiles import Tiles
    from .words import regions_of

__all__ = ["Backbone", "Finding", "Region", "Regions", "Tiles", "regions_of"]

_MODULES = {
    "Backbone": "backbone",
    "Finding": "found",
    "Region": "found",
    "Regions": "regions",
    "Tiles": "tiles",
    "regions_of": "words",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
