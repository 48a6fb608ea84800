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


class Cells:
    """The cells of one photo: which of its positions each one averages."""

    def __init__(self, side: int, shape: tuple[int, int], counts: np.ndarray):
        """``side`` x ``side`` cells of a grid of ``shape``, of whose positions those count that are True ``(n,)``."""
        self.side, self.shape = side, shape
        self.down, self.across = (_bins(side, length) for length in shape)
        self.counts = np.asarray(counts, np.float64).reshape(shape)
        total = (self.down @ self.counts @ self.across.T).ravel()
        self.there = np.flatnonzero(total)  #: numbers of the cells with a position that counts
        self.total = total[self.there]  #: how many positions that count each of them has

    def means(self, vectors: np.ndarray) -> np.ndarray:
        """The vectors ``(cells, d)`` of these cells, float32, from those of all positions ``(n, d)``."""
        rows = np.stack([self.across @ row for row in self._rows(vectors)])
        sums = np.tensordot(self.down, rows, 1).reshape(self.side**2, -1)[self.there]
        return np.asarray(sums / self.total[:, None], np.float32)

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
        own = np.einsum("ij,ij->i", means.astype(np.float64), slopes)
        return scores, self._positions(vectors, scores - own, slopes)

    def _positions(self, vectors: np.ndarray, levels: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """``levels + slopes . v_p`` of each position's cells ``(cells,)``, ``(cells, d)``, in the mean over them."""
        level, is_there, slope = (self._of_all(each) for each in (levels, np.ones(len(levels)), slopes))
        sums, count = np.zeros(self.shape), np.zeros(self.shape)
        for r, row in enumerate(self._rows(vectors)):  # only cells that hold the row: all of them would be too many
            for i in np.flatnonzero(self.down[:, r]):
                covers = self.across * is_there[i]
                sums[r] += (covers * (level[i] + slope[i] @ row.T)).sum(0)
                count[r] += covers.sum(0)
        seen = (self.counts > 0) & (count > 0)
        positions: np.ndarray = np.divide(sums, count, out=np.full(self.shape, np.nan), where=seen)
        return positions

    def _of_all(self, values: np.ndarray) -> np.ndarray:
        """Values of these cells as ``(side, side, d)`` of all, zero of the others."""
        found = np.zeros((self.side**2, values.size // max(1, len(values))))
        found[self.there] = values.reshape(len(values), -1)
        return found.reshape(self.side, self.side, -1)

    def _rows(self, vectors: np.ndarray) -> Iterator[np.ndarray]:
        """The vectors of a row of the grid ``(columns, d)``, float64, zero where none counts."""
        grid = vectors.reshape(*self.shape, -1)
        return (row.astype(np.float64) * counts[:, None] for row, counts in zip(grid, self.counts))


def centres(side: int, shape: tuple[int, ...]) -> Grid:
    """The grid of the cells in a photo of this shape."""
    return Grid(*((np.arange(side) + 0.5) * length / side - 0.5 for length in shape[:2]))


def numbered(numbers: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The vectors ``(n, d)`` after the numbers of their places."""
    return np.concatenate([np.asarray(numbers, np.float32)[:, None], vectors], 1)


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
