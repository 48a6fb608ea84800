"""How a folder of images was read, for people: sizes, modes, classes, and the bits that its pixels use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .decode import open_image, shape_of, strict
from .photos import Photos
from .samples import Samples

_LOOKED_AT = 50  # images whose size and mode are told
_MEASURED = 10  # images of 16 bits whose values are looked through


def account_of_images(root: Path, samples: Samples) -> dict[str, Any]:
    """What a model keeps of how its images were read, as JSON. samples: as read from ``root``."""
    names = list(samples.names or ())
    spread = names[:: max(1, -(-len(names) // _LOOKED_AT))]
    places = [root if root.is_file() else root / name for name in spread]
    with strict():
        seen = [found for place in places if (found := _looked_at(place))]
        bits = _bits([place for place, (_, mode) in zip(places, seen) if mode.startswith("I")][:_MEASURED])
    classes = Counter(samples.y.tolist()) if samples.y is not None else {}
    return {
        "count": len(names),
        "looked_at": len(seen),
        "sizes": _counts(size for size, _ in seen),
        "modes": _counts(mode for _, mode in seen),
        "classes": {str(name): n for name, n in sorted(classes.items())},
        "depth": _depth(bits, samples.source.get("depth")),
    }


def squeezed(source: Mapping[str, Any]) -> str:
    """A sentence where a recipe's images were read at less than half of their usual size; "" for others."""
    read = source.get("read") or {}
    if source.get("kind") != "images" or not read.get("sizes"):
        return ""
    height, width = source["size"]
    usual = next(iter(read["sizes"]))
    if 2 * max(height, width) >= max(_sides(usual)):
        return ""
    return f"photos of {usual} pixels are squeezed to {width} x {height}; --tiles 64/32 or --backbone keeps their size"


def count_far(photos: Photos, source: Mapping[str, Any]) -> int:
    """How many photos are less than half or more than twice as large as those of a recipe, by their longer sides."""
    learnt = [max(_sides(size)) for size in (source.get("read") or {}).get("sizes", ())]
    if not learnt:
        return 0
    with strict():
        seen = [found for file in photos.files if (found := _looked_at(file))]
    sides = [max(_sides(size)) for size, _ in seen]
    return sum(not min(learnt) <= 2 * side <= 4 * max(learnt) for side in sides)


def _sides(size: str) -> list[int]:
    """Width and height of "359 x 248"."""
    return [int(side) for side in size.split(" x ")]


def _looked_at(place: Path) -> tuple[str, str] | None:
    """Size and mode of an image that could be read a moment ago."""
    try:
        with open_image(place) as image:
            height, width = shape_of(image)
            return f"{width} x {height}", image.mode
    except Exception:
        return None


def _bits(places: Sequence[Path]) -> int:
    """Bits that the values of images of 16 bits take; 0 without images."""
    largest = 0
    for place in places:
        try:
            with open_image(place) as image:
                largest = max(largest, int(np.asarray(image).max()))
        except Exception:
            continue
    return largest.bit_length()


def _depth(bits: int, said: int | None) -> str:
    """A line on images of 16 bits, which are read as 8; "" for others. said: the bits that the user names."""
    if said:
        return f"{said} bits a pixel of 16, read as 8" if bits else f"--depth {said} changes nothing: none has 16 bits"
    if not bits:
        return ""
    if bits > 12:
        return "16 bits a pixel, read as 8"
    levels = 2 ** max(0, bits - 8)
    return (
        f"16 bits a pixel, of which the images use {bits}: of 256 grey levels {levels} are left; "
        f"--depth {max(8, bits)} keeps all"
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
