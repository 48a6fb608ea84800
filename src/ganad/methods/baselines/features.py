"""Fixed features: what the densities, margins, trees and neighbours of this folder are computed on.

The features are the sample or a network's view of it, then PCA on the training samples, not whitened. The baselines of
the ADGAN paper are on PCA or on AlexNet's features.

scikit-learn fits; what it learnt is kept as plain arrays, and the score is computed from them here, in float64. So a
model is saved without pickles, has gradients that explain it, and runs where the networks run. Tests hold the scores
against scikit-learn's own.

What is done on a part of the training samples is logged by "ganad" at INFO, and the command line shows it. The parts
are drawn once by the seed. Seconds at 50,000 samples: docs/speed.md.

Rows at full size are held against another implementation's (tests/test_reference.py), within .01 of AUROC; the pages of
the baselines say where they are not.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
import torch
from sklearn import decomposition
from torch import Tensor, nn

from ...detector import Detector
from ...errors import InputError
from ...nets import row_linear
from ...nets.alexnet import AlexNetFeatures, checkpoint
from ...training import TrainingSet

_LOG = logging.getLogger("ganad")
_ROUNDING = 1e-9  # of a squared distance's size: what is below it is nothing
_BLOCK = 2048  # training samples whose distances are computed at a time


class OnFeatures(Detector):
    """A detector without players of its own: features, PCA, then ``learn`` and ``rate`` in float64."""

    reducer: Literal["none", "pca", "alexnet"] = "pca"  #: features; "alexnet": its last convolution, then PCA
    n_components: int = 40  #: directions that PCA keeps, at most
    weights: str | None = None  #: file of AlexNet's weights; None: the public one, downloaded
    network: nn.Module | None = None  #: features of your own instead; such a model cannot be saved
    LEARNS = {"seed_": "int", "origin_": "float64[seen]?", "axes_": "float64[d, seen]?"}

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        if self.network is not None:
            return dict(features=self.network)
        return super().build(shape) if self.reducer == "alexnet" else {}

    def build_table(self, d: int) -> dict[str, nn.Module]:
        raise InputError('reducer="alexnet" is for images, and the data are a table; use "pca" or "none"')

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        return dict(features=AlexNetFeatures())

    def train(self, x: TrainingSet) -> None:
        if self.network is None and self.reducer == "alexnet":
            features = self.nets_["features"]
            assert isinstance(features, AlexNetFeatures)
            features.read(checkpoint(self.weights))
        self.nets_.eval()
        self.__dict__.pop("_placed", None)
        self.seed_ = torch.initial_seed() % 2**31
        if self.reducer != "none":
            seen = self.map_batches(self.view, x).double().cpu().numpy()  # or the axes are orthogonal to 1e-7 only
            pca = decomposition.PCA(self.kept(*seen.shape), random_state=self.seed_).fit(seen)
            self.origin_, self.axes_ = pca.mean_, pca.components_
        self.learn(self.map_batches(self.features, x).cpu().numpy())

    def kept(self, n: int, d: int) -> int:
        """Directions that PCA keeps of n samples with d features."""
        return min(self.n_components, n, d)

    def view(self, x: Tensor) -> Tensor:
        """The network's view of samples, or the samples, as rows ``(n, d)``."""
        seen: Tensor = self.nets_["features"](x) if "features" in self.nets_ else x
        return seen.float().flatten(1)

    def features(self, x: Tensor) -> Tensor:
        """Rows ``(n, d)`` in float64 that ``learn`` and ``rate`` see."""
        z = self.view(x).double()
        if self.reducer == "none":
            return z
        return row_linear(z - self.on(self.origin_, z), self.on(self.axes_, z))

    encode_batch = features

    def score_batch(self, x: Tensor) -> Tensor:
        return self.rate(self.features(x))

    def learn(self, z: np.ndarray) -> None:
        """Fit to the features ``(n, d)`` of the training set; what is learnt goes to attributes ending in _."""
        raise NotImplementedError(f"{type(self).__name__} must define learn(z)")

    def rate(self, z: Tensor) -> Tensor:
        """Scores ``(n,)`` of features ``(n, d)``."""
        raise NotImplementedError(f"{type(self).__name__} must define rate(z)")

    def on(self, array: np.ndarray, like: Tensor) -> Tensor:
        """A fitted array on the device of a tensor; copied there once."""
        kept: dict[tuple[int, torch.device], tuple[np.ndarray, Tensor]] = self.__dict__.setdefault("_placed", {})
        key = (id(array), like.device)
        if key in kept:
            return kept[key][1]
        placed = torch.as_tensor(array, device=like.device)
        if type(placed) is Tensor:  # an export traces with stand-ins, which must not outlive it
            kept[key] = (array, placed)  # the array lives as long as its id
        return placed

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_placed"}

    def some(self, z: np.ndarray, most: int, what: str) -> np.ndarray:
        """At most ``most`` rows, drawn by the seed; the log says so."""
        if len(z) <= most:
            return z
        _LOG.info("%s: %s on %d of %d training samples", type(self).__name__, what, most, len(z))
        return z[np.random.default_rng(self.seed_).choice(len(z), most, replace=False)]


class OnDistances(OnFeatures):
    """One that keeps training samples and looks at the distances to them."""

    TRANSIENT = ("norms_",)
    LEARNS = {"samples_": "float64[m, d]"}

    def keep(self, samples: np.ndarray) -> None:
        """The features ``(m, d)`` that ``distances`` measures from."""
        self.samples_ = np.ascontiguousarray(samples)  # or the norms of a loaded model end in other bits
        self.restored()

    def restored(self) -> None:
        self.norms_ = np.einsum("ij,ij->i", self.samples_, self.samples_)  # to square m samples would cost each chunk

    def distances(self, z: Tensor) -> Tensor:
        """Squared distances ``(n, m)`` of features ``(n, d)``."""
        return squared_distances(z, self.on(self.samples_, z), self.on(self.norms_, z))


def squared_distances(z: Tensor, refs: Tensor, norms: Tensor) -> Tensor:
    """``(n, m)`` between rows ``(n, d)`` and ``(m, d)`` of squared length ``norms``; rounding is cut to zero.

    By matrix products, a block of ``refs`` at a time: a block's distances stay in the cache until they are finished.
    """
    own = z.square().sum(1, keepdim=True)
    blocks = []
    for i in range(0, len(refs), _BLOCK):
        b = norms[i : i + _BLOCK]
        d2 = row_linear(-2 * z, refs[i : i + _BLOCK], b).add_(own)
        blocks.append(d2.masked_fill_(d2 <= _ROUNDING * (own + b), 0.0))
    return torch.cat(blocks, 1)


def root(d2: Tensor) -> Tensor:
    """The root, with a gradient of zero at zero."""
    return torch.where(d2 > 0, d2, 1.0).sqrt() * (d2 > 0)
