"""Crops of pixels at the photo's own resolution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from ..errors import InputError
from ..nets.maps import Maps
from .view import Block, Grid

_BLOCK_BYTES = 4 * 2**20  # most bytes of crops in memory at once
_SIDES = (8, 1024)


@dataclass(frozen=True)
class Tiles:
    """Square crops with a side of ``size`` pixels, ``stride`` pixels apart, that cover the whole photo.

    The last crop of a row ends at the photo's edge. A photo that is smaller than a crop is padded by reflection.
    """

    size: int = 64  #: side of a crop in pixels
    stride: int = 32  #: pixels from a crop to the next
    cells: ClassVar[None] = None
    in_detail: ClassVar[bool] = False

    def check(self) -> None:
        """Raise InputError for a size or stride that cannot work."""
        if not (isinstance(self.size, int) and _SIDES[0] <= self.size <= _SIDES[1]):
            raise InputError(f"Tiles: size={self.size!r} must be a whole number of pixels, {_SIDES[0]} to {_SIDES[1]}")
        if not (isinstance(self.stride, int) and 1 <= self.stride <= self.size):
            raise InputError(f"Tiles: stride={self.stride!r} must be a whole number of pixels, 1 to the size of a crop")

    def network(self) -> None:
        """None, because a crop consists of pixels."""

    def grid(self, shape: tuple[int, ...], network: Maps | None = None) -> Grid:
        """The centres of a photo's crops."""
        middle = (self.size - 1) / 2
        return Grid(*(self.starts(side) + middle - padding_of(side, self.size)[0] for side in shape[:2]))

    def blocks(self, photo: np.ndarray, network: Maps | None, device: torch.device) -> Iterator[Block]:
        """The crops ``(n, size, size[, 3])`` of a photo, row by row, a few megabytes at a time."""
        padded = _padded(photo, self.size)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (self.size, self.size), axis=(0, 1))
        if photo.ndim == 3:
            windows = np.moveaxis(windows, 2, -1)
        tops, lefts = (self.starts(side) for side in photo.shape[:2])
        places = np.stack(np.meshgrid(tops, lefts, indexing="ij"), -1).reshape(-1, 2)
        rows = max(1, _BLOCK_BYTES // (self.size**2 * (photo.size // (photo.shape[0] * photo.shape[1]))))
        for start in range(0, len(places), rows):
            at = places[start : start + rows]
            yield np.arange(start, start + len(at)), np.ascontiguousarray(windows[at[:, 0], at[:, 1]])

    def starts(self, side: int) -> np.ndarray:
        """Where crops begin along a side of the padded photo; the last one is moved back to end at the edge."""
        last = max(side, self.size) - self.size
        return np.append(np.arange(0, last, self.stride), last)


def padding_of(side: int, size: int) -> tuple[int, int]:
    """Pixels that padding adds before and after a side."""
    missing = max(0, size - side)
    return missing // 2, missing - missing // 2


def _padded(photo: np.ndarray, size: int) -> np.ndarray:
    widths = [padding_of(side, size) for side in photo.shape[:2]]
    if not any(map(any, widths)):
        return photo
    return np.pad(photo, [*widths, *[(0, 0)] * (photo.ndim - 2)], mode="reflect")
