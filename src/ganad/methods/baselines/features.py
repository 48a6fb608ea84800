"""Fixed features, the input of the densities, margins, trees and neighbours in this folder.

The features are the sample itself or a network's features of it. PCA, fitted to the training samples, reduces them
without whitening. The baselines of the ADGAN paper use PCA or AlexNet's features.

scikit-learn fits. The fitted values are kept as plain arrays, and the score is computed from them here, in float64. So
a model is saved without pickles, has gradients that explain it, and runs where the networks run. Tests compare the
scores with scikit-learn's own.

A step that uses only a part of the training samples is logged by "ganad" at INFO, and the command line shows it. The
seed draws each part once. Seconds at 50,000 samples: docs/speed.md.

Rows at full size are compared with another implementation's (tests/test_reference.py). They agree within .01 of AUROC,
except where a baseline's page says so.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
import torch
from sklearn import decomposition
from torch import Tensor, nn

from ... import memory
from ...detector import Detector, frozen
from ...detector.input import joined
from ...errors import InputError
from ...nets import filled, row_linear
from ...nets.alexnet import AlexNetFeatures, checkpoint
from ...settings import Count, Fifths
from ...training import TrainingSet
from .neighbors import BLOCK, Candidates

_LOG = logging.getLogger("ganad")
_ROUNDING = 1e-9  # relative to the size of a squared distance; smaller values are rounding errors


class OnFeatures(Detector):
    """A detector without trained networks: features, PCA, then ``learn`` and ``rate`` in float64."""

    reducer: Literal["none", "pca", "alexnet"] = "pca"  #: features; "alexnet": its last convolution, then PCA
    n_components: Count = 40  #: directions that PCA keeps, at most
    weights: str | None = None  #: file with AlexNet's weights; None: download the public file
    network: nn.Module | None = None  #: your own network for the features; such a model cannot be saved
    threshold_fits: Fifths | None = 5  #: more fits, each to score for the threshold a fifth that it has not learnt
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
        if self.reduces:
            seen = self.map_batches(self.view, x).double().cpu().numpy()  # float32: axes orthogonal only to 1e-7
            pca = decomposition.PCA(self.kept(*seen.shape), random_state=self.seed_).fit(seen)
            self.origin_, self.axes_ = pca.mean_, pca.components_
        self.learn(self._features_of(x))

    def _features_of(self, x: TrainingSet) -> np.ndarray:
        """The features ``(n, d)`` of the training set."""
        with frozen(self.nets_):
            chunks = torch.split(torch.arange(len(x)), self._chunk)
            return joined((self.features(x.batch(rows)).detach().cpu() for rows in chunks), len(x)).numpy()

    @property
    def reduces(self) -> bool:
        """Whether PCA reduces the features."""
        return self.reducer != "none"

    def kept(self, n: int, d: int) -> int:
        """Directions that PCA keeps of n samples with d features."""
        return min(self.n_components, n, d)

    def view(self, x: Tensor) -> Tensor:
        """The network's features of samples, or the samples themselves, as rows ``(n, d)``."""
        seen: Tensor = self.nets_["features"](x) if "features" in self.nets_ else x
        return seen.float().flatten(1)

    def features(self, x: Tensor) -> Tensor:
        """The rows ``(n, d)`` in float64 that ``learn`` and ``rate`` get."""
        z = self.view(x).double()
        if not self.reduces:
            return z
        return row_linear(z - self.on(self.origin_, z), self.on(self.axes_, z))

    encode_batch = features

    def score_batch(self, x: Tensor) -> Tensor:
        return self.rate(self.features(x))

    def learn(self, z: np.ndarray) -> None:
        """Fit to the features ``(n, d)`` of the training set; set attributes that end in _."""
        raise NotImplementedError(f"{type(self).__name__} must define learn(z)")

    def rate(self, z: Tensor) -> Tensor:
        """Scores ``(n,)`` of features ``(n, d)``."""
        raise NotImplementedError(f"{type(self).__name__} must define rate(z)")

    def on(self, array: np.ndarray, like: Tensor, *, fill: bool = False) -> Tensor:
        """A fitted array on the device of a tensor, with ``fill`` as ``row_linear`` needs it; made once."""
        kept: dict[tuple[int, torch.device, bool], tuple[np.ndarray, Tensor]] = self.__dict__.setdefault("_placed", {})
        key = (id(array), like.device, fill)
        if key in kept:
            return kept[key][1]
        placed = torch.as_tensor(array, device=like.device)
        placed = filled(placed) if fill else placed
        if type(placed) is Tensor:  # an export traces with stand-ins, which must not be kept
            kept[key] = (array, placed)  # keeping the array keeps its id from being used again
        return placed

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_placed"}

    def some(self, z: np.ndarray, most: int, what: str) -> np.ndarray:
        """At most ``most`` rows, drawn by the seed. It logs if rows are left out."""
        if len(z) <= most:
            return z
        if not self._fit.aside:
            _LOG.info("%s: %s on %d of %d training samples", type(self).__name__, what, most, len(z))
        return z[np.random.default_rng(self.seed_).choice(len(z), most, replace=False)]


class OnDistances(OnFeatures):
    """A detector that keeps training samples and scores by the distances to them."""

    TRANSIENT = ("norms_",)
    LEARNS = {"samples_": "float64[m, d]"}

    def keep(self, samples: np.ndarray) -> None:
        """The features ``(m, d)`` that ``distances`` measures from. Raises InputError for more than memory can hold."""
        memory.require(
            2 * 8 * self._chunk * len(samples),
            f"{type(self).__name__}: the distances of {self._chunk:,} samples at a time to {len(samples):,} kept ones",
            "give a smaller score_batch_size (--score-batch-size), or fit fewer samples",
        )
        self.samples_ = np.ascontiguousarray(samples)  # otherwise a loaded model's norms differ in the last bits
        self.restored()

    def restored(self) -> None:
        self.norms_ = np.einsum("ij,ij->i", self.samples_, self.samples_)  # once, so that no chunk squares m samples
        self._candidates: Candidates | None = None  # made where they are needed: a density needs none

    def distances(self, z: Tensor) -> Tensor:
        """Squared distances ``(n, m)`` of features ``(n, d)``."""
        return squared_distances(z, self.on(self.samples_, z), self.on(self.norms_, z))

    def nearest(self, z: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Squared distances ``(n, k)`` of features ``(n, d)`` to the k nearest samples, in order, and their numbers."""
        of = None
        if Candidates.possible(len(self.samples_), k):
            of = self._candidates = self._candidates or Candidates(self.samples_)
        if of is None or not of.pay:
            near, numbers = self.distances(z).topk(k, largest=False)
            return near, numbers
        placed = self.on(of.origin, z), self.on(of.samples, z), self.on(of.norms, z)
        near, numbers, certain = of.nearest(z, self.on(self.samples_, z), k, placed)
        if certain.all():
            return near, numbers
        by_all = self.distances(z).topk(k, largest=False)  # of the whole chunk: products of fewer rows have other bits
        known = certain[:, None]
        return torch.where(known, near, by_all.values), torch.where(known, numbers, by_all.indices)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_candidates": None}


def squared_distances(z: Tensor, refs: Tensor, norms: Tensor) -> Tensor:
    """Squared distances ``(n, m)`` between rows ``(n, d)`` and ``refs`` ``(m, d)`` of squared lengths ``norms``.

    Rounding errors are set to zero. Matrix products take a block of ``refs`` at a time, so that a block's distances
    stay in the cache until they are finished.
    """
    own = z.square().sum(1, keepdim=True)
    blocks = []
    for i in range(0, len(refs), BLOCK):
        b = norms[i : i + BLOCK]
        d2 = row_linear(-2 * z, refs[i : i + BLOCK], b).add_(own)
        blocks.append(d2.masked_fill_(d2 <= _ROUNDING * (own + b), 0.0))
    return torch.cat(blocks, 1)


def root(d2: Tensor) -> Tensor:
    """The square root, with a gradient of zero at zero."""
    return torch.where(d2 > 0, d2, 1.0).sqrt() * (d2 > 0)
