"""Whitening of a backbone's vectors, of all alike or of each place, before a detector learns them.

Features of a network are strongly correlated. In units of one column each, a few directions hold nearly all of the
spread, and a network that learns the vectors sees little else; what tells a defect may lie in the others. After
whitening the directions of normal vectors have the same spread, so that the length of a vector is its Mahalanobis
distance (``Gaussian``), and a detector learns what is left to learn. With places, a vector is compared with what is
normal at its own place, and the detector need not know of them.

    white   Lambda^-1/2 V^T (v - m) / s     m, s: mean and spread of the columns; V, Lambda: eigenvectors and values of
                                            their shrunk covariance, the largest first

Only half as many directions are kept as there were vectors to fit them to. In the others the vectors that were learnt
hardly differ and every new one does, so that a detector would learn what no new photo looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .. import memory
from ..detector.covariance import shrunk_covariance
from ..errors import InputError

_FEW = 2  # vectors that have a spread


@dataclass(frozen=True, eq=False)
class Whitening:
    """``W_k (v - m_k)`` of a vector v; k is its place, or 0 if all are alike."""

    places: np.ndarray | None  #: numbers ``(k,)`` of the places, rising; None: all vectors alike
    means: np.ndarray  #: ``(k, d)``, float64
    matrices: np.ndarray  #: ``(k, c, d)``, float32; c: the directions that are kept

    @classmethod
    def of(cls, vectors: np.ndarray, numbers: np.ndarray | None) -> Whitening:
        """Fitted to normal vectors ``(n, d)``; numbers: of their places ``(n,)``, None: all alike.

        Raises InputError for a place with one vector, and where the matrices do not fit into memory.
        """
        places, rows = np.zeros(1), np.zeros(len(vectors), np.int64)
        if numbers is not None:
            places, rows = np.unique(numbers, return_inverse=True)
        k, d = len(places), vectors.shape[1]
        what = f"Regions: {k} covariances of {d:,} features"
        kept = max(1, min(d, int(np.bincount(rows).min()) // 2))
        memory.require(4 * k * kept * d + 5 * 8 * d * d, what, "give fewer cells (--cells)")
        unit = vectors.std(0, dtype=np.float64)
        rounding = 10 * np.finfo(np.float32).eps * np.abs(vectors.mean(0, dtype=np.float64))
        unit = np.where(unit > rounding, unit, 1.0)
        means, matrices = np.empty((k, d)), np.empty((k, kept, d), np.float32)
        for i in range(k):
            mine = vectors[rows == i] / unit
            if len(mine) < _FEW:
                raise InputError(
                    f"Regions: {len(mine)} vector of a place has no spread to whiten by; give more normal photos, or a "
                    f"larger max_regions (--max-regions)"
                )
            spread, sigma = shrunk_covariance(mine)
            values, axes = np.linalg.eigh(sigma)
            largest = slice(None, -kept - 1, -1)
            means[i] = mine.mean(0) * unit
            matrices[i] = (axes[:, largest] / np.sqrt(values[largest])).T / (spread * unit)
        return cls(None if numbers is None else places.astype(np.float64), means, matrices)

    def apply(self, vectors: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """White vectors ``(n, c)``, float32, of those ``(n, d)`` of the places ``numbers`` ``(n,)``."""
        if self.places is None:
            found: np.ndarray = (vectors - self.means[0]).astype(np.float32) @ self.matrices[0].T
            return found
        at = self._at(numbers)
        out = np.empty((len(vectors), self.matrices.shape[1]), np.float32)
        for i in np.unique(at):  # one matrix at a time: a copy of all costs more than the products
            mine = at == i
            out[mine] = (vectors[mine] - self.means[i]).astype(np.float32) @ self.matrices[i].T
        return out

    def back(self, slopes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Gradients ``(n, c)`` with respect to white vectors as those ``(n, d)`` with respect to the vectors."""
        at = np.zeros(len(slopes), np.int64) if self.places is None else self._at(numbers)
        return np.stack([slope @ self.matrices[i] for slope, i in zip(slopes, at)])

    def traced(self, z: Tensor, numbers: Tensor | None) -> Tensor:
        """``apply`` in operations that a graph can hold; numbers: ``(n, 1)``, None where there are no cells."""
        means, matrices = torch.from_numpy(self.means), torch.from_numpy(self.matrices)
        if self.places is None or numbers is None:
            return (z.double() - means[0]).float() @ matrices[0].T
        at = (numbers - torch.from_numpy(self.places)).abs().argmin(1)
        return torch.bmm(matrices[at], (z.double() - means[at]).float()[:, :, None]).squeeze(2)

    def _at(self, numbers: np.ndarray) -> np.ndarray:
        """Which matrix a place has; that of the nearest number, where training had none of the place."""
        assert self.places is not None
        between = (self.places[1:] + self.places[:-1]) / 2  # places are in order
        return np.searchsorted(between, numbers)
