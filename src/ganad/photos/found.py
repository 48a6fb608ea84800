"""What is found in a photo: its score, its map, and the regions of the map that stand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Region:
    """A connected part of a photo whose map lies above the threshold; pixels from the photo's top left corner."""

    x: int  #: of its left edge
    y: int  #: of its top edge
    width: int
    height: int
    area: int  #: pixels in it, its box not counted
    score: float  #: the highest of its map


@dataclass(frozen=True, eq=False)
class Finding:
    """What ``Regions.inspect`` says of a photo."""

    score: float
    region_scores: np.ndarray  #: ``(rows, columns)``, NaN outside the part that is looked at
    heat: np.ndarray  #: ``(H, W)`` float32, their map, or in detail that of the positions in cells
    regions: list[Region]  #: the highest first


_FULL = 2.0  # times the threshold that is drawn in full


def to_scale(heat: np.ndarray, threshold: float) -> np.ndarray:
    """A map ``(H, W)`` as it is to be drawn: 0 is its median, 1 in full, and half of that stands at the threshold.

    So the map of a normal photo stays pale, whatever its highest place. A higher map, or one without a threshold above
    its median, is drawn in full where it is highest.
    """
    rise = heat - np.median(heat)
    full = max(float(rise.max()), _FULL * (threshold - float(np.median(heat))) if np.isfinite(threshold) else 0.0)
    return rise / full if full > 0 else np.zeros_like(rise)


def regions_above(heat: np.ndarray, threshold: float) -> list[Region]:
    """The connected regions of a map ``(H, W)`` above a threshold, the highest first; corners that touch connect."""
    labels, count = ndimage.label(heat > threshold, np.ones((3, 3)))
    if not count:
        return []
    numbers = np.arange(1, count + 1)
    peaks = ndimage.maximum(heat, labels, numbers)
    areas = np.bincount(labels.ravel())[1:]
    found = [
        Region(across.start, down.start, across.stop - across.start, down.stop - down.start, int(area), float(peak))
        for (down, across), area, peak in zip(ndimage.find_objects(labels), areas, peaks)
    ]
    return sorted(found, key=lambda region: -region.score)
