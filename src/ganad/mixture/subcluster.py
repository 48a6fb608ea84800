"""A parallel sampler for many points, after J. Chang and J. W. Fisher III, NeurIPS 2013.

A sweep draws weights π and parameters (μ_k, Σ_k) of the K present clusters, then all labels given them, as matrix
products; splits and merges change K. The invariant distribution is the collapsed sampler's p(z | X), exactly:

- Given K labelled clusters, p(z, π, θ) ∝ α^K Π_k h(θ_k)/π_k · π_*^{α-1} Π_i π_{z_i} f(x_i | θ_{z_i}) on labellings
  without empty clusters. So each point is drawn freely, except that a cluster's last point stays.
- Chang and Fisher keep sub-clusters from sweep to sweep and omit the normalising constant of their auxiliary posterior,
  so their Hastings ratio is approximate. Here each proposal grows two sub-clusters from the members and two anchor
  points alone, never from the present split. Jain and Neal do the same point by point; here all points are drawn
  together. The last draw's probability is a product over points, and the ratio is exact.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln, log_softmax

from . import niw
from .engine import Engine, NumpyEngine
from .proposals import Launch, choose_anchors, log_anchor_ratio

_SCAN_ROWS = 1024  # or 8 d; scans use a sample of large clusters, because any launch procedure is valid
_FRESH = 50  # sweeps between rebuilding all moments from the labels


class Cluster:
    """Moments of one cluster with its posterior μ_n and Ψ_n = LL'."""

    def __init__(self, prior: niw.NIW, data: niw.Moments):
        self.data, self.prior = data, prior
        self.mean, psi = prior.posterior(data)
        self.factor = niw.cholesky(psi)
        self.log_det = 2 * np.log(np.diagonal(self.factor)).sum()

    @functools.cached_property
    def log_evidence(self) -> float:
        """log Γ(n) + log p(X_k)."""
        return float(gammaln(self.data.n) + self.prior.log_marginal(self.data.n, self.log_det))

    def whitener(self) -> np.ndarray:
        """L⁻¹."""
        inverse: np.ndarray = solve_triangular(self.factor, np.eye(len(self.factor)), lower=True, check_finite=False)
        return inverse


class SubclusterSampler:
    """A Markov chain over partitions of the rows of ``x`` (N, d); ``prior`` must have μ0 = 0."""

    def __init__(
        self,
        x: np.ndarray,
        prior: niw.NIW,
        alpha: float,
        labels: np.ndarray,
        *,
        moves: int = 5,
        n_jobs: int = 1,
        device: str | None = None,
    ):
        # rotated to principal axes, so that the engine's bound decides early; the posterior does not change
        axes = np.linalg.eigh(x.T @ x)[1][:, ::-1]
        self.prior = replace(prior, psi=axes.T @ prior.psi @ axes)
        self.x = np.ascontiguousarray(x @ axes)
        self.alpha, self.moves = alpha, moves
        self.engine: Engine
        if device is None:
            self.engine = NumpyEngine(self.x, n_jobs)
        else:
            from .torch_engine import TorchEngine  # torch takes seconds to import

            self.engine = TorchEngine(self.x, device)
        self.labels = labels.astype(np.int64)
        self.sweeps = 0
        self.clusters: list[Cluster] = []
        self.refresh()

    @property
    def n_clusters(self) -> int:
        return len(self.clusters)

    def refresh(self) -> None:
        """Rebuild all clusters from the labels."""
        order = np.argsort(self.labels, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(self.labels))[:-1])
        self.clusters = [Cluster(self.prior, self.engine.moments(rows)) for rows in groups]

    def sweep(self, rng: np.random.Generator) -> None:
        """Weights, parameters, all labels, then the split and merge proposals."""
        drawn = [niw.draw_gaussian(rng, self.prior, c.data.n, c.mean, c.factor) for c in self.clusters]
        b = np.stack([b for _, b in drawn])
        offset = np.stack([b @ mean for mean, b in drawn])
        # gamma variates are Dirichlet weights up to a common factor, which does not affect the labels
        log_w = np.log(rng.gamma([c.data.n for c in self.clusters]))
        log_w += np.log(np.diagonal(b, axis1=1, axis2=2)).sum(axis=1)
        wanted = self.engine.draw(self.labels, log_w, b, offset, rng)
        self._relabel(keep_occupied(self.labels, wanted, self.n_clusters))
        for _ in range(self.moves if len(self.x) > 1 else 0):
            self.propose(rng)

    def _relabel(self, labels: np.ndarray) -> None:
        old, self.labels = self.labels, labels
        self.sweeps += 1
        if self.sweeps % _FRESH == 0:
            return self.refresh()
        moved = np.flatnonzero(old != labels)
        for k in np.unique(np.concatenate([old[moved], labels[moved]])):
            out, into = moved[old[moved] == k], moved[labels[moved] == k]
            data = self.clusters[k].data
            if len(out) + len(into) < data.n // 2:
                data = niw.combine(niw.without(data, self.engine.moments(out)), self.engine.moments(into))
            else:
                data = self.engine.moments(np.flatnonzero(labels == k))
            self.clusters[k] = Cluster(self.prior, data)
        return None

    def propose(self, rng: np.random.Generator) -> bool:
        """One split or merge around two random points; returns whether it was accepted."""
        anchors = choose_anchors(self.labels, np.arange(self.n_clusters), rng, self._log_partner)
        if anchors is None:
            return False
        i, j, log_partner = anchors
        a, b = int(self.labels[i]), int(self.labels[j])
        log_u = np.log(rng.random())
        if a == b:
            return self._split(rng, i, j, log_partner is not None, log_u)
        one, two = self.clusters[a], self.clusters[b]
        union = Cluster(self.prior, niw.combine(one.data, two.data))
        log_ratio = float(np.log(self.alpha)) + one.log_evidence + two.log_evidence - union.log_evidence
        if log_partner is not None:
            log_ratio += log_anchor_ratio(self.n_clusters - 1, one.data.n, two.data.n, log_partner)
        if log_u >= -log_ratio:  # q is at most 1, so this merge cannot be accepted
            return False
        members = np.flatnonzero((self.labels == a) | (self.labels == b))
        odds, free = self._launch(rng, members, i, j)
        side = self.labels[members] == b
        if log_u >= _log_probability(odds, side)[free].sum() - log_ratio:
            return False
        self.clusters[a] = union
        self.labels[members] = a
        last = self.n_clusters - 1
        self.labels[self.labels == last] = b if b != last else a
        self.clusters[b] = self.clusters[last]
        self.clusters.pop()
        return True

    def _log_weights(self, i: int, clusters: list[Cluster]) -> np.ndarray:
        """log of n_c t_c(x_i), normalised over these clusters."""
        v = self.x[i] - np.stack([c.mean for c in clusters])
        y = [solve_triangular(c.factor, row, lower=True, check_finite=False) for c, row in zip(clusters, v)]
        n = np.array([float(c.data.n) for c in clusters])
        kappa = self.prior.kappa + n
        log1p_q = np.log1p(np.square(y).sum(axis=1) * (kappa / (kappa + 1.0)))
        log_t = self._log_t(n, np.array([c.log_det for c in clusters]), log1p_q)
        weights: np.ndarray = log_softmax(np.log(n) + log_t)
        return weights

    def _log_partner(self, i: int, a: int) -> np.ndarray:
        table = np.full(self.n_clusters, -np.inf)
        others = [k for k in range(self.n_clusters) if k != a]
        table[others] = self._log_weights(i, [self.clusters[k] for k in others])
        return table

    def _split(self, rng: np.random.Generator, i: int, j: int, by_cluster: bool, log_u: float) -> bool:
        k = int(self.labels[i])
        members = np.flatnonzero(self.labels == k)
        odds, free = self._launch(rng, members, i, j)
        side = np.log(rng.random(len(members))) < -np.logaddexp(0.0, -odds)
        side[~free] = members[~free] == j
        log_q = _log_probability(odds, side)[free].sum()
        whole = self.clusters[k]
        minority = side if side.sum() * 2 <= len(side) else ~side
        part = self.engine.moments(members[minority])
        pair = [Cluster(self.prior, niw.without(whole.data, part)), Cluster(self.prior, part)]
        first, second = pair if minority is side else pair[::-1]
        log_ratio = float(np.log(self.alpha)) + first.log_evidence + second.log_evidence - whole.log_evidence
        if by_cluster:
            others = [second, *(c for c in self.clusters if c is not whole)]
            log_partner = float(self._log_weights(i, others)[0])
            log_ratio += log_anchor_ratio(self.n_clusters, first.data.n, second.data.n, log_partner)
        if log_u >= log_ratio - log_q:
            return False
        self.clusters[k] = first
        self.labels[members[side]] = self.n_clusters
        self.clusters.append(second)
        return True

    def _launch(self, rng: np.random.Generator, members: np.ndarray, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        """Log odds of j's side for each member, and which members are free (not anchors)."""
        launch, n_sample = Launch.draw(rng), max(_SCAN_ROWS, 8 * self.x.shape[1])
        if launch.scans and len(members) > n_sample:
            sample = rng.choice(members, n_sample, replace=False)
            sample = np.unique(np.append(sample, [i, j]))
        else:
            sample = members
        at_i, at_j = np.searchsorted(sample, [i, j])
        side = launch.sides(self.x[sample], int(at_i), int(at_j), rng)
        pair = self._sides(sample, side)
        for _ in range(launch.scans):
            side = rng.random(len(sample)) < _sigmoid(self._log_odds(sample, pair, side))
            side[at_i], side[at_j] = False, True
            pair = self._sides(sample, side)
        if sample is not members:
            odds = self._log_odds(members, pair, None)
            side = rng.random(len(members)) < _sigmoid(odds)
            side[np.searchsorted(members, [i, j])] = False, True
            pair = self._sides(members, side)
        return self._log_odds(members, pair, side), (members != i) & (members != j)

    def _sides(self, rows: np.ndarray, side: np.ndarray) -> list[Cluster]:
        return [Cluster(self.prior, self.engine.moments(rows[s])) for s in (~side, side)]

    def _log_odds(self, rows: np.ndarray, pair: list[Cluster], side: np.ndarray | None) -> np.ndarray:
        """log n_2 t_2(x) - log n_1 t_1(x), where each point is first taken out of its side."""
        b = np.stack([c.whitener() for c in pair])
        q = self.engine.quadratic(rows, b, np.stack([w @ c.mean for w, c in zip(b, pair)]))
        logs: list[np.ndarray] = []
        for c, cluster in enumerate(pair):
            n, kappa = float(cluster.data.n), self.prior.kappa + cluster.data.n
            value = np.log(n) + self._log_t(n, cluster.log_det, np.log1p(q[:, c] * (kappa / (kappa + 1.0))))
            if side is not None:
                inside = side == bool(c)
                if n > 1:  # as in kernels.log_predictive_without
                    left = np.log1p(-np.minimum(q[inside, c] * (kappa / (kappa - 1.0)), 1.0 - 1e-12))
                    value[inside] = np.log(n - 1.0) + self._log_t(n - 1.0, cluster.log_det + left, -left)
            logs.append(value)
        odds: np.ndarray = logs[1] - logs[0]
        return odds

    def _log_t(self, n: float | np.ndarray, log_det: np.ndarray | float, log1p_q: np.ndarray) -> np.ndarray:
        constant = self.prior.predictive_constants(np.asarray(n))
        return constant - 0.5 * np.asarray(log_det) - 0.5 * (self.prior.m + n + 1.0) * log1p_q

    def log_joint(self) -> float:
        """log p(X, z), comparable with the collapsed sampler's."""
        evidence = sum(c.log_evidence for c in self.clusters)
        n, k = len(self.x), self.n_clusters
        return float(evidence + k * np.log(self.alpha) + gammaln(self.alpha) - gammaln(self.alpha + n))


def keep_occupied(labels: np.ndarray, wanted: np.ndarray, k: int) -> np.ndarray:
    """Move points to their drawn labels, in index order, but keep the last point of each cluster.

    This is a Gibbs scan over the points. Only clusters that all points would leave need the point-by-point pass.
    """
    stays = np.bincount(labels[labels == wanted], minlength=k)
    at_risk = stays == 0
    if not at_risk.any():
        return wanted
    out = wanted.copy()
    counts = np.bincount(labels, minlength=k)
    for i in np.flatnonzero(at_risk[labels] | (at_risk[wanted] & (labels != wanted))):
        old, new = labels[i], wanted[i]
        if counts[old] == 1:
            out[i] = old
        else:
            counts[old] -= 1
            counts[new] += 1
    return out


def _sigmoid(log_odds: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.exp(-np.logaddexp(0.0, -log_odds))
    return share


def _log_probability(log_odds: np.ndarray, side: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0.0, np.where(side, -log_odds, log_odds))
