"""Split-merge moves: S. Jain and R. Neal, JCGS 2004 (conjugate case), for the collapsed sampler.

Two anchor points i, j are drawn. If they share a cluster, the move proposes to split it, else to merge their two
clusters. A launch state is made from the members S, i and j alone, then ``SCANS`` restricted Gibbs scans follow. One
last scan makes the split, and its probability q is a product of known factors; for a merge the last scan is forced to
the present split. The launch does not depend on the present split of S, so the Metropolis-Hastings ratio
p(split)/p(merged) · P(anchors | split)/P(anchors | merged) / q is exact.

``proposals.py`` says how anchors and launches differ from the paper's.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from .gibbs import GibbsScan
from .proposals import Launch, choose_anchors, log_anchor_ratio


def log_split_ratio(sampler: GibbsScan, first: int, second: int, merged: int) -> float:
    """log p(split) - log p(merged) of three slots."""
    g, prior = sampler.state, sampler.prior
    slots = np.array([first, second, merged])
    counts = g.counts[slots]
    a, b, c = prior.log_marginal(counts, g.log_det[slots]) + gammaln(counts)
    return float(np.log(sampler.alpha) + a + b - c)


def restricted_gibbs_move(sampler: GibbsScan, rng: np.random.Generator) -> bool:
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
        if log_u >= -log_ratio:  # q is at most 1, so this merge cannot be accepted
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
