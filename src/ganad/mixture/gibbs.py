"""Exact collapsed Gibbs sampling of the labels: R. Neal's Algorithm 3 (2000) with rank-one changes of the factors.

P(z_i = k | rest) ∝ n_{k,-i} t_k(x_i) and P(new) ∝ α t_0(x_i), where the predictive of a point's cluster excludes the
point. In high dimension, moving one point at a time hardly ever changes the number of clusters, so the sampler in
``sweeps.py`` adds the split-merge moves of ``split_merge.py``.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from . import fallback, niw
from .clusters import Clusters

try:
    from . import kernels as kernels
except ImportError:  # the optional extra "fast" is not installed
    kernels = None  # type: ignore[assignment]


class GibbsScan:
    """A partition of the rows of ``x`` (N, d) and Gibbs scans that redraw it; ``prior`` must have μ0 = 0.

    ``labels`` (N,) are the cluster of each row, 0..K-1; None leaves every row without a cluster. ``use_numba``
    chooses between the compiled kernels and the NumPy ones; None takes the compiled ones if they are installed.
    """

    def __init__(
        self,
        x: np.ndarray,
        prior: niw.NIW,
        alpha: float,
        labels: np.ndarray | None,
        *,
        use_numba: bool | None = None,
    ):
        self.prior, self.alpha = prior, alpha
        if use_numba is None:
            use_numba = kernels is not None
        self.kernel: ModuleType = kernels if use_numba else fallback
        self.x = np.ascontiguousarray(x, dtype=np.float64)
        n, d = self.x.shape
        lower = niw.cholesky(prior.psi)
        log_t0 = niw.log_student_t(self.x, prior, 0, prior.mu, lower)
        clusters = 0 if labels is None else int(labels.max()) + 1
        capacity = clusters + 8
        self.state = Clusters(
            x=self.x,
            z=np.full(n, -1) if labels is None else labels.astype(np.int64),
            active=np.arange(capacity),
            size=np.array([clusters]),
            counts=np.zeros(capacity, dtype=np.int64),
            mean=np.zeros((capacity, d)),
            factor=np.zeros((capacity, d, d)),
            aux=np.zeros((capacity, d, d) if self.kernel is fallback else (0, 0, 0)),
            diag=np.zeros((capacity, d)),
            log_det=np.zeros(capacity),
            psi=np.ascontiguousarray(prior.psi),
            empty_factor=np.ascontiguousarray(lower.T),
            empty_diag=1.0 / np.diagonal(lower),
            empty_log_det=float(2 * np.log(np.diagonal(lower)).sum()),
            log_t0=log_t0,
            constants=prior.predictive_constants(np.arange(n + 2)),
            kappa=float(prior.kappa),
            m=float(prior.m),
        )
        self.refresh()

    def refresh(self) -> None:
        """Rebuild every factor from the labels, so that rounding errors do not accumulate over sweeps."""
        g = self.state
        order = np.argsort(g.z, kind="stable")
        slots = g.active[: g.size[0]]
        edges = np.searchsorted(g.z[order], np.stack([slots, slots + 1]))
        for slot, start, stop in zip(slots, *edges):
            self.load(int(slot), order[start:stop])

    def load(self, slot: int, members: np.ndarray) -> None:
        """Set a slot's moments and factor to those of the rows ``members``. Labels stay as they are."""
        g = self.state
        data = niw.moments(self.x[members])
        g.counts[slot] = data.n
        g.mean[slot], psi = self.prior.posterior(data)
        lower = niw.cholesky(psi)
        g.log_det[slot] = 2 * np.log(np.diagonal(lower)).sum()
        if self.kernel is fallback:
            g.factor[slot] = psi
            g.aux[slot] = solve_triangular(lower, np.eye(len(lower)), lower=True, check_finite=False)
        else:
            g.factor[slot] = lower.T
            g.diag[slot] = 1.0 / np.diagonal(lower)

    def reserve(self, free: int) -> None:
        """Make room for at least ``free`` more clusters."""
        g = self.state
        old = len(g.active)
        if old - g.size[0] >= free:
            return
        more = max(free, old)
        grown: dict[str, Any] = {
            name: np.concatenate([value, np.zeros((more, *value.shape[1:]), dtype=value.dtype)])
            for name in ("counts", "mean", "factor", "diag", "log_det", "aux")
            if len(value := getattr(g, name)) == old
        }
        self.state = g._replace(active=np.concatenate([g.active, np.arange(old, old + more)]), **grown)

    def scan(self, order: np.ndarray, uniforms: np.ndarray) -> None:
        """Redraw the labels of the points of ``order`` one by one; a point without a label is inserted."""
        done = 0
        while done < len(order):
            self.reserve(1)
            done += self.kernel.sweep(self.state, order[done:], uniforms[done:], self.alpha)

    @property
    def labels(self) -> np.ndarray:
        """Cluster of each point, 0..K-1."""
        g = self.state
        rank = np.empty(len(g.active), dtype=np.int64)
        rank[g.active] = np.arange(len(g.active))
        labels: np.ndarray = rank[g.z]
        return labels

    @property
    def n_clusters(self) -> int:
        return int(self.state.size[0])

    def log_joint(self) -> float:
        """log p(X, z) with all constants, so that labellings and samplers can be compared."""
        g = self.state
        slots = g.active[: g.size[0]]
        counts = g.counts[slots]
        return float(self.prior.log_marginal(counts, g.log_det[slots]).sum()) + niw.log_crp(counts, self.alpha)
