"""The parts that the proposals of both samplers share: the anchors, their probability, and the starts of a launch.

Jain and Neal draw the anchors uniformly from all points and launch at random. Uniform anchors hardly ever pick a small
cluster among large ones. Here a coin decides between uniform anchors and anchors drawn by cluster, and three launches
take turns. One launch starts from one or a few points, without scans, as in Dahl's sequentially allocated sampler
(2003). This launch makes and dissolves small clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SCANS = 2  #: restricted Gibbs scans before the last one
SPLIT_SHARE = 0.2  #: share of splits among proposals with anchors drawn by cluster; refusing a merge is cheap


def choose_anchors(
    labels: np.ndarray,
    present: np.ndarray,
    rng: np.random.Generator,
    log_partner: Callable[[int, int], np.ndarray] | None = None,
) -> tuple[int, int, float | None] | None:
    """Two distinct points i, j, or None if they cannot be drawn.

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
    """A way to start a launch; ``near`` and ``share`` belong to the third kind."""

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

        The kinds are: the nearer anchor; at random; and the n^share rows nearest to one anchor against all others.
        """
        if self.kind == 0:
            side: np.ndarray = (x - 0.5 * (x[i] + x[j])) @ (x[j] - x[i]) > 0
        elif self.kind == 1:
            side = rng.random(len(x)) < 0.5
        else:
            few = int(len(x) ** self.share)
            distance = np.square(x - x[j if self.near_j else i]).sum(axis=1)
            side = np.full(len(x), not self.near_j)
            side[np.argpartition(distance, few - 1)[:few]] = self.near_j
        side[i], side[j] = False, True
        return side
