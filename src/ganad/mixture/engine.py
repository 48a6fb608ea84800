"""The parallel sampler's passes over the data, on NumPy/BLAS: label draws, quadratic forms, moments.

Labels are drawn by the Gumbel-max rule: argmax_k (log π_k + log N(x_i | μ_k, Σ_k) + g_ik) with g_ik standard Gumbel.
With B_k lower triangular and B'B = Σ⁻¹, the first r entries of B_k (x - μ_k) need only the first r coordinates, and
their sum of squares is a lower bound of the whole sum. A cluster whose bound already loses against the point's present
cluster can be excluded exactly. On data rotated to principal axes this excludes nearly all clusters at a small cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from . import niw

_ROWS = 1024  # rows of a chunk; they and their scores stay in the second-level cache


class Engine(Protocol):
    """The operations that the sampler needs from a device. All arguments and results are NumPy arrays."""

    def draw(
        self,
        labels: np.ndarray,
        log_w: np.ndarray,
        b: np.ndarray,
        offset: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Labels (N,) from p ∝ exp(log_w_k - ½|B_k x - offset_k|²); ``labels`` are the present ones."""

    def quadratic(self, rows: np.ndarray, b: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """|B_k x - offset_k|² for the rows asked for, (n, K)."""

    def moments(self, rows: np.ndarray) -> niw.Moments:
        """Moments of the rows asked for."""


class NumpyEngine:
    """The engine on the CPU: ``n_jobs`` threads share chunks of rows, and BLAS uses one thread."""

    def __init__(self, x: np.ndarray, n_jobs: int = 1):
        self.x = np.ascontiguousarray(x)
        self.n_jobs = n_jobs
        self._blas = ThreadpoolController().select(user_api="blas")
        d = x.shape[1]
        self.prefix = d if d <= 8 else max(8, (d + 5) // 6)

    def _map(self, work: Callable[[int], None], n: int) -> None:
        """``work(start)`` for each chunk of n rows."""
        starts = range(0, n, _ROWS)
        if self.n_jobs == 1 or len(starts) < 2:
            for start in starts:
                work(start)
            return
        with self._blas.limit(limits=1), ThreadPoolExecutor(self.n_jobs) as pool:
            list(pool.map(work, starts))

    def draw(
        self,
        labels: np.ndarray,
        log_w: np.ndarray,
        b: np.ndarray,
        offset: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        k, r = len(b), self.prefix
        if k == 1:
            return labels.copy()
        order = np.argsort(labels.astype(np.int32), kind="stable")
        head = np.ascontiguousarray(b[:, :r, :r].transpose(2, 0, 1).reshape(r, k * r))
        head_offset = offset[:, :r].ravel()
        seed = int(rng.integers(2**63))
        out = np.empty_like(labels)

        def work(start: int) -> None:
            rows = order[start : start + _ROWS]
            x, own = self.x[rows], labels[rows]
            # seeded by chunk, because the draw must not depend on the number of threads
            noise = np.random.Generator(np.random.SFC64([seed, start])).standard_exponential((len(rows), k))
            bound = log_w - np.log(noise)
            y = x[:, :r] @ head
            y -= head_offset
            np.square(y, out=y)
            y = y.reshape(len(rows), k, r)
            if r == x.shape[1]:
                out[rows] = np.argmax(bound - 0.5 * y.sum(axis=2), axis=1)
                return
            at = np.arange(len(rows))
            best = bound[at, own]
            for a, e in _runs(own):
                best[a:e] -= 0.5 * _squares(x[a:e], b[own[a]], offset[own[a]])
            bound -= 0.5 * np.einsum("nkr->nk", y)
            pick = own.copy()
            alive = bound > best[:, None]
            alive[at, own] = False
            for c in np.flatnonzero(alive.any(axis=0)):
                hit = np.flatnonzero(alive[:, c])
                full = log_w[c] - np.log(noise[hit, c]) - 0.5 * _squares(x[hit], b[c], offset[c])
                wins = full > best[hit]
                best[hit[wins]], pick[hit[wins]] = full[wins], c
            out[rows] = pick

        self._map(work, len(order))
        return out

    def quadratic(self, rows: np.ndarray, b: np.ndarray, offset: np.ndarray) -> np.ndarray:
        out = np.empty((len(rows), len(b)))

        def work(start: int) -> None:
            x = self.x[rows[start : start + _ROWS]]
            for c in range(len(b)):
                out[start : start + _ROWS, c] = _squares(x, b[c], offset[c])

        self._map(work, len(rows))
        return out

    def moments(self, rows: np.ndarray) -> niw.Moments:
        return niw.moments(self.x[rows])


def _squares(x: np.ndarray, b: np.ndarray, offset: np.ndarray) -> np.ndarray:
    y = x @ b.T
    y -= offset
    squares: np.ndarray = np.einsum("nd,nd->n", y, y)
    return squares


def _runs(labels: np.ndarray) -> Iterator[tuple[int, int]]:
    """Start and end of each stretch of equal labels."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    yield from zip([0, *edges.tolist()], [*edges.tolist(), len(labels)])
