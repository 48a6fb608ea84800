"""Cells: a photo divided into the same number of equal parts, whatever its size, each with the mean of its vectors.

The vectors of a backbone lie on a grid that grows with the photo. Cells are as many in every photo, so that a detector
can know which one it sees, and a photo is as many samples as any other. One cell is the whole photo.

A cell's score tells about all of its positions. Where in the cell the cause lies, the score's gradient says: with the
mean v of a cell's vectors v_p, its score s and the gradient g of s at v,

    score of position p     s + (v_p - v) . g

which is s in the mean over the cell's positions. For a Mahalanobis distance it is exactly what each position adds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..detector import Detector
from .view import Grid
from .whitening import Whitening

_ROWS = 4096  # vectors that become float64 at a time


class Cells:
    """The cells of one photo: which of its positions each one averages."""

    def __init__(self, side: int, shape: tuple[int, int], counts: np.ndarray):
        """``side`` x ``side`` cells of a grid of ``shape``, of whose positions those count that are True ``(n,)``."""
        down, across = (_bins(side, length) for length in shape)
        weights = np.einsum("ir,jc->ijrc", down, across).reshape(side * side, -1) * counts
        total = weights.sum(1)
        self.side, self.shape = side, shape
        self.there = np.flatnonzero(total)  #: numbers of the cells with a position that counts
        self.weights = weights[self.there] / total[self.there, None]  #: of the positions in these cells, of sum 1

    def means(self, vectors: np.ndarray) -> np.ndarray:
        """The vectors ``(cells, d)`` of these cells, float32, from those of all positions ``(n, d)``."""
        total = sum(self.weights[:, part] @ vectors[part].astype(np.float64) for part in _parts(vectors))
        return np.asarray(total, np.float32)

    def scores(
        self, detector: Detector, vectors: np.ndarray, whitening: Whitening | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The detector's scores of the cells ``(cells,)``, and those of the positions ``(rows, columns)``, float64.

        vectors: ``(n, d)`` of all positions. whitening: of the cells' vectors, before the detector sees them. NaN is
        the score of positions that do not count.
        """
        means = self.means(vectors)
        white = means if whitening is None else whitening.apply(means, self.there)
        rows = numbered(self.there, white) if detector.takes_places else white
        found = detector.map_samples(lambda x: _with_slopes(detector, x), rows)
        scores, slopes = found[:, 0], found[:, 1:] / detector.input_.scaling.scale  # per unit of a vector's columns
        slopes = slopes[:, 1:] if detector.takes_places else slopes
        slopes = slopes if whitening is None else whitening.back(slopes, self.there)
        offsets = np.concatenate([vectors[part].astype(np.float64) @ slopes.T for part in _parts(vectors)])
        own = np.einsum("ij,ij->i", means.astype(np.float64), slopes)
        covers = self.weights > 0
        positions = np.full(covers.shape[1], np.nan)
        seen = covers.any(0)
        positions[seen] = (covers * (scores + offsets - own).T).sum(0)[seen] / covers.sum(0)[seen]
        return scores, positions.reshape(self.shape)


def centres(side: int, shape: tuple[int, ...]) -> Grid:
    """The grid of the cells in a photo of this shape."""
    return Grid(*((np.arange(side) + 0.5) * length / side - 0.5 for length in shape[:2]))


def numbered(numbers: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The vectors ``(n, d)`` after the numbers of their places."""
    return np.concatenate([np.asarray(numbers, np.float32)[:, None], vectors], 1)


def _parts(vectors: np.ndarray) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, len(vectors), _ROWS))


def _bins(count: int, length: int) -> np.ndarray:
    """Which of ``length`` positions lie in which of ``count`` equal parts ``(count, length)``, at least one in each."""
    at = np.arange(length)
    first = np.arange(count)[:, None] * length // count
    last = -(-(np.arange(count)[:, None] + 1) * length // count)
    return ((at >= first) & (at < last)).astype(np.float64)


def _with_slopes(detector: Detector, x: Tensor) -> Tensor:
    """Scores of network inputs ``(n, d)`` and their gradients, zero where there are none, as ``(n, 1 + d)``."""
    x = x.detach().requires_grad_()
    scores = detector.score_batch(x).double()
    slopes = torch.autograd.grad(scores.sum(), x)[0] if scores.requires_grad else torch.zeros_like(x)
    return torch.cat([scores[:, None], slopes.double()], 1)
