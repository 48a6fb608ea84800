"""Gaussian: how far a sample lies from the mean of the normal ones, in units of their spread in that direction.

P. C. Mahalanobis, "On the generalised distance in statistics", Proceedings of the National Institute of Sciences of
India 2, 1936. The covariance is shrunk as Y. Chen et al., "Shrinkage algorithms for MMSE covariance estimation", IEEE
Transactions on Signal Processing 58, 2010 (OAS), so that it has an inverse with fewer samples than columns.

    score   sqrt((z - mu)^T Sigma^-1 (z - mu)), z: the features in units of their deviations
    Sigma   (1 - r) S + r tr(S) / d I; S: the covariance, r: from S, n and d alone

On a pretrained network's features: O. Rippel et al., "Modeling the distribution of normal data in pre-trained deep
features for anomaly detection", ICPR 2020. With ``apart`` each place of a photo has a Gaussian of its own, as in
T. Defard et al., "PaDiM", ICPR 2021. What is normal at the rim of a part is then not normal in its middle:

    ganad fit photos/ -o m.safetensors --method gaussian --apart --backbone efficientnet-lite2 --layers 0,3 --cells 24
        --max-regions 400000 --pool max

Differs from PaDiM: all features take part, not a hundred drawn ones, and the shrinkage is OAS's instead of a constant.
It is the default for large photos (docs/guide/photos.md).

Features have variances of at least 1e-6 of the training set's, else what is constant in training would count without
bound.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ... import memory
from ...detector.covariance import shrunk_covariance
from ...errors import InputError
from ...nets import filled, row_linear
from .features import OnFeatures, root

_FEW = 2  # rows that a Gaussian needs


class Gaussian(OnFeatures):
    """Mahalanobis distance with a shrunk covariance; with ``apart`` a Gaussian for each place of a photo."""

    reducer: Literal["auto", "none", "pca", "alexnet"] = "auto"  # type: ignore[assignment]  #: "auto": PCA of images
    apart: bool = False  #: column 0 is the number of a place, and each place has a Gaussian of its own

    PRESETS = {"mnist": dict(n_components=40), "cifar10": dict(n_components=60)}
    LEARNS = {"places_": "float64[k]", "means_": "float64[k, d]", "whitening_": "float32[k, d, d]"}

    @property
    def takes_places(self) -> bool:
        """With ``apart``."""
        return self.apart

    def check_settings(self) -> None:
        super().check_settings()
        if self.apart and self.reducer not in ("auto", "none"):
            raise InputError(f'Gaussian: apart=True needs reducer="none", not {self.reducer!r}, which would mix places')

    @property
    def reduces(self) -> bool:
        """As in the base class; "auto" reduces images."""
        return self.input_.is_image if self.reducer == "auto" else super().reduces

    @property
    def _chunk(self) -> int:
        """With ``apart`` the places of one photo, or equal parts of them: rows are scored one by one, so a chunk that
        holds more only costs."""
        places = len(getattr(self, "places_", ())) if self.apart else 0
        if not places:
            return super()._chunk
        parts = -(-places // super()._chunk)
        return -(-places // parts)

    def learn(self, z: np.ndarray) -> None:
        number, z = (z[:, 0], z[:, 1:]) if self.apart else (np.zeros(len(z)), z)
        self.places_, rows = np.unique(number, return_inverse=True)
        k, d = len(self.places_), z.shape[1]
        what = f"Gaussian: {k} covariances of {d:,} features"
        memory.require(
            4 * (1 + self.apart) * k * d * d + 5 * 8 * d * d, what, 'give reducer="pca" (--reducer pca), or fewer cells'
        )
        self.means_, self.whitening_ = np.empty((k, d)), np.empty((k, d, d), np.float32)
        for i in range(k):
            self.means_[i], self.whitening_[i] = self.gaussian(z[rows == i])

    def gaussian(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean ``(d,)`` of rows ``(n, d)``, and the matrix ``(d, d)`` that makes their covariance the identity."""
        if len(z) < _FEW:
            raise InputError(f"Gaussian: {len(z)} training sample has no spread; give {_FEW} or more (of each place)")
        spread, sigma = shrunk_covariance(z)
        return z.mean(0), np.linalg.inv(np.linalg.cholesky(sigma)) / spread

    def rate(self, z: Tensor) -> Tensor:
        in_loop = self.apart and not torch.compiler.is_exporting()  # a graph has no loop over the places that occur
        means, whitening = self.on(self.means_, z), self.on(self.whitening_, z, fill=in_loop)
        if not self.apart:
            return root(row_linear(z - means[0], whitening[0].double()).square().sum(1))
        at = (z[:, :1] - self.on(self.places_, z)).abs().argmin(1)  # equal but for rounding in an exported graph
        z = (z[:, 1:] - means[at]).float()
        if in_loop:  # a row at a time: a copy of all matrices costs more than the products, and changes the bits
            z = filled(z)
            white = torch.cat([row_linear(row[None], whitening[i]) for row, i in zip(z, at.tolist())])
        else:
            white = torch.bmm(whitening[at], z[:, :, None]).squeeze(2)
        return root(white.double().square().sum(1))
