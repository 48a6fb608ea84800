"""LOF, local outlier factor: how much sparser the training samples are around a sample than around its neighbours.

M. M. Breunig, H.-P. Kriegel, R. T. Ng, J. Sander, "LOF: identifying density-based local outliers", SIGMOD 2000. The
ADGAN paper does not compare with it.

    reach(a, b)  max(distance of b to its k-th neighbour, distance of a and b)
    density(a)   1 / mean over the k neighbours b of reach(a, b)
    score        mean over the neighbours of their density / the sample's own

Differs from the paper: only training samples are neighbours of a new sample, and k is one number, 20 by default.

Every training sample is kept, and a score computes the distance to each of them, exactly. A tree would prune nothing in
40 dimensions. The time of a fit grows with the square of the number of samples: 50,000 samples of 121 columns or 40
components take at most 41 s on one thread (docs/speed.md).

Measured rows at full size agree with another implementation's within .01 of AUROC (tests/test_reference.py).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from sklearn import neighbors
from torch import Tensor

from ...settings import Count
from .features import OnDistances, root

_SHORTEST = 1e-10  # scikit-learn's least distance, for samples that coincide with their neighbours


class LOF(OnDistances):
    """Local outlier factor of new samples."""

    reducer: Literal["none", "pca", "alexnet"] = "none"  #: features; "alexnet": its last convolution, then PCA
    n_neighbors: Count = 20  #: neighbours that a density is estimated from
    LEARNS = {"reach_": "float64[m]", "density_": "float64[m]"}

    def learn(self, z: np.ndarray) -> None:
        model = neighbors.LocalOutlierFactor(
            n_neighbors=min(self.n_neighbors, len(z) - 1), novelty=True, algorithm="brute"
        ).fit(z)
        self.keep(z)
        self.reach_, self.density_ = model._distances_fit_X_[:, -1], model._lrd

    def rate(self, z: Tensor) -> Tensor:
        near, index = self.nearest(z, min(self.n_neighbors, len(self.samples_) - 1))
        reach = torch.maximum(root(near), self.on(self.reach_, z)[index])
        return self.on(self.density_, z)[index].mean(1) * (reach.mean(1) + _SHORTEST)
