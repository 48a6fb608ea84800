"""Views, which turn a photo into regions, and the grid of the regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from ..nets.maps import Maps

#: Numbers ``(n,)`` of regions, counted along the grid's rows, and the regions ``(n, ...)``.
Block = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Grid:
    """The centres of a photo's regions, in pixels from the centre of its first pixel."""

    ys: np.ndarray  #: of the rows
    xs: np.ndarray  #: of the columns

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.ys), len(self.xs)

    def within(self, inside: np.ndarray) -> np.ndarray:
        """Which centres lie on True pixels of ``inside`` ``(H, W)``, in the order of the regions' numbers."""
        ys, xs = (np.rint(at).astype(int).clip(0, side - 1) for at, side in zip((self.ys, self.xs), inside.shape))
        found: np.ndarray = inside[np.ix_(ys, xs)].ravel()
        return found

    def upsampled(self, scores: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Region scores ``(rows, columns)`` as a map ``(H, W)`` of the photo, float32: linear between the centres,
        and constant beyond the outer ones."""
        down, across = _weights(self.ys, shape[0]), _weights(self.xs, shape[1])
        full: np.ndarray = (down @ scores @ across.T).astype(np.float32)
        return full


class View(Protocol):
    """A way to divide a photo into regions: a frozen dataclass whose fields are its settings."""

    def check(self) -> None:
        """Raise InputError for settings that cannot work."""

    def network(self) -> Maps | None:
        """The network that makes the regions, with its weights, if the view has one."""

    def grid(self, shape: tuple[int, ...], network: Maps | None) -> Grid:
        """The grid of a photo of this shape."""

    def blocks(self, photo: np.ndarray, network: Maps | None, device: torch.device) -> Iterator[Block]:
        """All regions of a photo, each once, a part at a time."""


def _weights(centres: np.ndarray, side: int) -> np.ndarray:
    """The weight of each centre at each pixel of a side, ``(side, len(centres))``."""
    at = np.arange(side)
    return np.stack([np.interp(at, centres, unit) for unit in np.eye(len(centres))], 1)
