"""Split-merge moves: S. Jain and R. Neal, JCGS 2004 (conjugate case), for the collapsed sampler.

Two anchor points i, j are drawn. If they share a cluster, a split of it is proposed, else the merge of their two
clusters. A launch state is made from the members S, i and j alone, then ``SCANS`` restricted Gibbs scans follow. One
last scan makes the split, and its probability q is known factor by factor; for a merge the last scan is forced to the
present split. Since the launch never looks at the present split of S, the Metropolis-Hastings ratio
p(split)/p(merged) · P(anchors | split)/P(anchors | merged) / q is exact.

Jain and Neal draw the anchors uniformly from all points, which hardly ever picks a small cluster among large ones, and
launch at random. Here a coin decides between that and anchors drawn by cluster, and three launches take turns; one of
them starts from a single point or a few, without scans, as in Dahl's sequentially allocated sampler (2003): it is what
makes and dissolves small clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from .gibbs import CollapsedSampler

SCANS = 2


SPLIT_SHARE = 0.2  #: of the proposals with anchors drawn by cluster; merges are cheap to refuse


def choose_anchors(
    labels: np.ndarray,
    present: np.ndarray,
    rng: np.random.Generator,
    log_partner: Callable[[int, int], np.ndarray] | None = None,
) -> tuple[int, int, float | None] | None:
    """Two distinct points i, j, or None where the draw cannot be made.

    The third entry is None if they were drawn uniformly, else the log probability of j's cluster given i, which is 0
    for a split. ``log_partner(i, a)`` has the log probabilities of the clusters as partners of a, -inf for a itself;
    without it they are equally probable.
    """
    if rng.random() < 0.5:
        i, j = rng.choice(len(labels), size=2, replace=False)
        return int(i), int(j), None
    if rng.random() < SPLIT_SHARE:
        members = np.flatnonzero(labels == rng.choice(present))
        if len(members) < 2:
            return None
        i, j = rng.choice(members, size=2, replace=False)
        return int(i), int(j), 0.0
    if len(present) < 2:
        return None
    a, b = (int(k) for k in rng.choice(present, size=2, replace=False))
    i = int(rng.choice(np.flatnonzero(labels == a)))
    log_p = -float(np.log(len(present) - 1))
    if log_partner is not None:
        table = log_partner(i, a)
        b = int(rng.choice(len(table), p=np.exp(table)))
        log_p = float(table[b])
    return i, int(rng.choice(np.flatnonzero(labels == b))), log_p


def log_anchor_ratio(k: int, n_a: int, n_b: int, log_partner: float) -> float:
    """log P(anchors | split)/P(anchors | merged) of anchors drawn by cluster, K clusters before the split.

    Merged: SPLIT_SHARE / (K n (n - 1)) with n = n_a + n_b; split: (1 - SPLIT_SHARE) P(b | i) / ((K + 1) n_a n_b).
    """
    n = float(n_a + n_b)
    return float(np.log((1 - SPLIT_SHARE) / SPLIT_SHARE * k * n * (n - 1) / ((k + 1.0) * n_a * n_b)) + log_partner)


class Launch(NamedTuple):
    """A way to start; ``near`` and ``share`` are for the third kind."""

    kind: int
    near_j: bool
    share: float

    @property
    def scans(self) -> int:
        return 0 if self.kind == 2 else SCANS

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Launch:
        return cls(int(rng.integers(3)), bool(rng.random() < 0.5), float(rng.random()))

    def sides(self, x: np.ndarray, i: int, j: int, rng: np.random.Generator) -> np.ndarray:
        """Starting side (False: with row i, True: with row j) of each row of ``x``.

        By kind: the nearer anchor; at random; or the n^share rows nearest to one anchor against all others.
        """
        if self.kind == 0:
            side = (x - 0.5 * (x[i] + x[j])) @ (x[j] - x[i]) > 0
        elif self.kind == 1:
            side = rng.random(len(x)) < 0.5
        else:
            few = int(len(x) ** self.share)
            distance = np.square(x - x[j if self.near_j else i]).sum(axis=1)
            side = np.full(len(x), not self.near_j)
            side[np.argpartition(distance, few - 1)[:few]] = self.near_j
        side[i], side[j] = False, True
        return side


def log_split_ratio(sampler: CollapsedSampler, first: int, second: int, merged: int) -> float:
    """log p(split) - log p(merged) of three slots."""
    g, prior = sampler.state, sampler.prior
    slots = np.array([first, second, merged])
    counts = g.counts[slots]
    a, b, c = prior.log_marginal(counts, g.log_det[slots]) + gammaln(counts)
    return float(np.log(sampler.alpha) + a + b - c)


def restricted_gibbs_move(sampler: CollapsedSampler, rng: np.random.Generator) -> bool:
    """Propose one split or merge; returns whether it was accepted."""
    sampler.reserve(3)
    g = sampler.state
    k = int(g.size[0])
    anchors = choose_anchors(g.z, g.active[:k], rng)
    log_u = np.log(rng.random())
    if anchors is None:
        return False
    i, j, log_partner = anchors
    home_i, home_j = int(g.z[i]), int(g.z[j])
    is_split = home_i == home_j
    members = np.flatnonzero((g.z == home_i) | (g.z == home_j))
    before = g.z[members].copy()
    first, second, third = (int(slot) for slot in g.active[g.size[0] : g.size[0] + 3])

    if not is_split:
        sampler.load(third, members)
        log_ratio = log_split_ratio(sampler, home_i, home_j, third)
        if log_partner is not None:
            log_ratio += log_anchor_ratio(k - 1, int(g.counts[home_i]), int(g.counts[home_j]), log_partner)
        if log_u >= -log_ratio:  # q is at most 1, so the launch cannot save this merge
            return False

    at_i, at_j = np.searchsorted(members, [i, j])
    launch = Launch.draw(rng)
    side = launch.sides(sampler.x[members], int(at_i), int(at_j), rng)
    sampler.load(first, members[~side])
    sampler.load(second, members[side])
    g.z[members] = np.where(side, second, first)
    free = (members != i) & (members != j)
    others = members[free]
    drawn = np.full(len(others), -1)
    for _ in range(launch.scans):
        order = rng.permutation(len(others))
        sampler.kernel.restricted_scan(g, others[order], first, second, rng.random(len(others)), drawn)
    order = rng.permutation(len(others))
    forced = drawn if is_split else (before[free][order] == home_j).astype(np.int64)
    log_q = sampler.kernel.restricted_scan(g, others[order], first, second, rng.random(len(others)), forced)

    if is_split:
        log_accept = log_split_ratio(sampler, first, second, home_i) - log_q
        if log_partner is not None:
            log_accept += log_anchor_ratio(k, int(g.counts[first]), int(g.counts[second]), -float(np.log(k)))
    else:
        log_accept = log_q - log_ratio
    if log_u >= log_accept:
        g.z[members] = before
        return False
    keep = (first, second) if is_split else (third,)
    if not is_split:
        g.z[members] = third
    for slot in keep:
        _swap(g.active, slot, int(g.size[0]))
        g.size[0] += 1
    for slot in {home_i, home_j}:
        sampler.kernel.close_slot(g, slot)
    return True


def _swap(active: np.ndarray, slot: int, to: int) -> None:
    at = int(np.flatnonzero(active == slot)[0])
    active[at], active[to] = active[to], active[at]
