"""The collapsed sampler: each sweep is a Gibbs scan over all points, then the split-merge moves."""

from __future__ import annotations

import numpy as np

from . import niw
from .gibbs import GibbsScan
from .split_merge import restricted_gibbs_move


class CollapsedSampler(GibbsScan):
    """A Markov chain over partitions of the rows of ``x`` (N, d); ``prior`` must have μ0 = 0.

    ``moves`` is the number of split-merge proposals per sweep. The other arguments are those of ``GibbsScan``.
    """

    def __init__(
        self,
        x: np.ndarray,
        prior: niw.NIW,
        alpha: float,
        labels: np.ndarray | None,
        *,
        moves: int = 1,
        use_numba: bool | None = None,
    ):
        super().__init__(x, prior, alpha, labels, use_numba=use_numba)
        self.moves = moves

    def sweep(self, rng: np.random.Generator) -> None:
        """All points once in random order, then the split-merge moves."""
        n = len(self.x)
        self.scan(rng.permutation(n), rng.random(n))
        self.refresh()
        for _ in range(self.moves if n > 1 else 0):
            restricted_gibbs_move(self, rng)
