"""PCA residual: what the principal components of the training samples do not redraw of a sample.

The reconstruction error of principal component analysis (K. Pearson, 1901; as a detector J. E. Jackson and G. S.
Mudholkar, "Control procedures for residuals associated with principal component analysis", Technometrics 21, 1979). A
baseline of the ADGAN paper.

    score   ||x - its projection on the components||^2

Differs from the ADGAN paper: the number of components was chosen on a hold-out with anomalies; it is a setting here,
and at most half of the directions are kept, or nothing would remain.

50,000 samples of 121 columns or 40 components take 2 s at most to fit on one thread: docs/speed.md.

Measured rows at full size agree with another implementation's within .01 of AUROC (tests/test_reference.py). One figure
on KDD99 cannot be had from what is said of it: ten directions of the raw columns are printed with an F1 of .945, and it
is .87 to .95 by norm, solver and precision, for counts of bytes reach 7e8.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from torch import Tensor

from ...nets import row_linear
from .features import OnFeatures


class PCAResidual(OnFeatures):
    """What principal components do not redraw; at most half of the directions are kept, or nothing would remain."""

    reducer: Literal["pca", "alexnet"] = "pca"  #: features; "alexnet": its last convolution, then PCA

    PRESETS = {"mnist": dict(n_components=40), "cifar10": dict(n_components=60), "kddcup99": dict(n_components=10)}

    def kept(self, n: int, d: int) -> int:
        """At most half of the features."""
        return min(super().kept(n, d), max(1, d // 2))

    def learn(self, z: np.ndarray) -> None:
        pass

    def score_batch(self, x: Tensor) -> Tensor:
        z = self.view(x).double()
        return (z - self.project(z)).square().sum(1)

    def project(self, z: Tensor) -> Tensor:
        origin, axes = self.on(self.origin_, z), self.on(self.axes_, z)
        return row_linear(row_linear(z - origin, axes), axes.T) + origin

    def supports(self, part: str) -> bool:
        """The projection of a network's features is not an image."""
        return super().supports(part) and not (part == "reconstruct" and "features" in getattr(self, "nets_", ()))

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        """The projection; see ``supports``."""
        return self.project(x.flatten(1).double()).reshape(x.shape).float()
