"""KDE, kernel density estimate: minus the log density of a sample under Gaussians around the training samples.

E. Parzen, "On estimation of a probability density function and mode", Annals of Mathematical Statistics 33, 1962. A
baseline of the ADGAN paper.

    score   -log mean_i N(z; z_i, h^2 I), z: the features
    h       the bandwidth of the highest likelihood, summed over ten folds

Differs from the ADGAN paper:
- There the number of components was chosen on held-out data with anomalies. Here it is a setting.
Differs from scikit-learn:
- scikit-learn's KDE sums in a tree whose error bound is absolute in the density. Where the density is below about
  1e-16, its log density is off in the second digit. Ours is not.

Every training sample is kept, and a score computes the distance to each of them, exactly. A tree would prune nothing in
40 dimensions. The bandwidth is chosen on ``max_samples`` training samples. Fitting 50,000 samples of 121 columns or 40
components takes at most 5 s on one thread (docs/speed.md).

Measured rows at full size agree with another implementation's within .01 of AUROC, except on CIFAR-10, where another
bandwidth won (.015): tests/test_reference.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ... import memory
from ...settings import Count
from .features import OnDistances, squared_distances


class KDE(OnDistances):
    """Kernel density estimate with a Gaussian kernel."""

    bandwidths: tuple[float, ...] = tuple(2.0 ** (i / 2) for i in range(9))  #: bandwidths to choose from
    folds: Count = 10  #: folds of the cross-validation that chooses the bandwidth
    max_samples: Count = 4000  #: training samples that choose the bandwidth, at most

    PRESETS = {"mnist": dict(n_components=40), "cifar10": dict(n_components=60)}
    LEARNS = {"bandwidth_": "float"}

    def learn(self, z: np.ndarray) -> None:
        self.bandwidth_ = self.choose(self.some(z, self.max_samples, "the bandwidth is chosen"))
        self.keep(z)

    def part_is_alike(self, n: int) -> bool:
        """Not where a part of the samples spans fewer directions: densities in fewer have other heights."""
        return "axes_" not in vars(self) or len(self.axes_) <= n - n // 5

    def chosen(self) -> dict[str, Any]:
        return dict(bandwidths=(self.bandwidth_,))

    def choose(self, z: np.ndarray) -> float:
        """The bandwidth with the highest log likelihood, summed over the folds."""
        if len(self.bandwidths) == 1:
            return self.bandwidths[0]
        what = f"KDE: the distances of {len(z):,} samples that choose the bandwidth"
        memory.require(2 * 8 * len(z) ** 2 // max(2, self.folds), what, "give a smaller max_samples (--max-samples)")
        rows = torch.as_tensor(z)
        fold = torch.as_tensor(np.random.default_rng(self.seed_).permutation(len(z)) % min(self.folds, len(z)))
        totals = torch.zeros(len(self.bandwidths), dtype=torch.float64)
        for k in range(int(fold.max()) + 1):
            kept = rows[fold != k]
            d2 = squared_distances(rows[fold == k], kept, kept.square().sum(1))
            for i, h in enumerate(self.bandwidths):
                totals[i] += log_density(d2, h, z.shape[1]).sum()
        return self.bandwidths[int(totals.argmax())] if len(z) > 1 else self.bandwidths[-1]

    def rate(self, z: Tensor) -> Tensor:
        return -log_density(self.distances(z), self.bandwidth_, z.shape[1])


def log_density(d2: Tensor, h: float, d: int) -> Tensor:
    """log mean_i N(z; z_i, h^2 I), ``(n,)``, from squared distances ``(n, m)`` in d dimensions."""
    return (d2 * (-0.5 / h**2)).logsumexp(1) - math.log(max(1, d2.shape[1])) - d * math.log(h * math.sqrt(2 * math.pi))
