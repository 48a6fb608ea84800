"""Densities, margins and trees on fixed features: KDE, one-class SVM, LOF, isolation forest, Gaussian mixture, PCA.

E. Parzen, 1962; B. Schoelkopf et al., Neural Computation 13, 2001; M. Breunig et al., SIGMOD 2000; F. T. Liu et al.,
ICDM 2008; G. Schwarz, 1978. The baselines of the ADGAN paper, which has all but LOF on PCA or AlexNet features.

scikit-learn fits; what it learnt is kept as plain arrays, and the score is computed from them here, in float64. So a
model is saved without pickles, has gradients that explain it, and runs where the networks run. Tests hold the scores
against scikit-learn's own.

    features   the sample, or a network's view of it, then PCA on the training samples, not whitened
    KDE        -log mean_i N(z; z_i, h^2 I); h maximises the ten-fold likelihood
    OCSVM      -(sum_i a_i exp(-gamma ||z - z_i||^2) - rho), nu = .1
    LOF        mean over neighbours of their density / the sample's own
    forest     2^(-mean path length / that of an average tree)
    GMM        -log sum_k w_k N(z; mu_k, Sigma_k), full covariances; K has the lowest BIC
    PCA        ||x - its projection||^2

Differs from the papers:
- The number of components was chosen on a hold-out with anomalies; it is a setting here.
- gamma is 1 / median squared distance to the nearest neighbour. The paper's rule is not stated, and rules read into
  it are unreliable (docs of measured rows); libraries' default, 1 / (d var), loses .25 AUROC on MNIST.

Growth with the number of samples: KDE and LOF keep every training sample, and a score costs as many distances, exactly
and without a tree, which prunes nothing in 40 dimensions; LOF's fit grows with the square. KDE chooses h on
``max_samples`` of them. One-class SVM and GMM are fitted to ``max_samples``, drawn once by the seed. What is done on a
part is logged by "ganad" at INFO, and the command line shows it. 50,000 samples of 121 columns or 40 components take
16 s at most (KDE), 33 (LOF), 6 (one-class SVM), 76 (GMM) and 2 (the others) to fit on one thread: docs/speed.md.

scikit-learn's own KDE sums in a tree whose error bound is absolute in the density: where that is below 1e-16 or so its
log density is off in the second digit, and ours is not.

Rows at full size are held against another implementation's (tests/test_reference.py), within .01 of AUROC. Outside
are forests and mixtures, whose random starts end elsewhere (up to .17 and .055 on one digit), KDE on CIFAR-10 where
another bandwidth won (.015), and one nearest neighbour whose PCA had seen all classes (.035). On KDD99 two figures
cannot be had from what is said of them: PCA-10 on raw columns (F1 .945; .87 to .95 by norm, solver and precision, for
counts of bytes reach 7e8) and a mixture of four on ten directions (.921; .893 in scikit-learn itself, with any seed).
"""

from __future__ import annotations

import logging
import math
from typing import Any, Literal

import numpy as np
import torch
from sklearn import decomposition, ensemble, mixture, neighbors, svm
from torch import Tensor, nn

from ..detector import Detector
from ..errors import InputError
from ..nets import row_linear
from ..nets.alexnet import AlexNetFeatures, checkpoint
from ..training import TrainingSet

_LOG = logging.getLogger("ganad")
_ROUNDING = 1e-9  # of a squared distance's size: what is below it is nothing
_BLOCK = 2048  # training samples whose distances are computed at a time
_SHORTEST = 1e-10  # scikit-learn's, for the density of samples that lie on top of their neighbours


class OnFeatures(Detector):
    """A detector without players of its own: features, PCA, then ``learn`` and ``rate`` in float64."""

    reducer: Literal["none", "pca", "alexnet"] = "pca"  #: features; "alexnet": its last convolution, then PCA
    n_components: int = 40  #: directions that PCA keeps, at most
    weights: str | None = None  #: file of AlexNet's weights; None: the public one, downloaded
    network: nn.Module | None = None  #: features of your own instead; such a model cannot be saved

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        if self.network is not None:
            return dict(features=self.network)
        if self.reducer != "alexnet":
            return {}
        if len(shape) == 1:
            raise InputError('reducer="alexnet" is for images, and the data are a table; use "pca" or "none"')
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
        kept = self.__dict__.setdefault("_placed", {})
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


class KDE(OnDistances):
    """Kernel density estimate with a Gaussian kernel."""

    bandwidths: tuple[float, ...] = tuple(2.0 ** (i / 2) for i in range(9))  #: to choose from
    folds: int = 10  #: of the likelihood that chooses
    max_samples: int = 4000  #: that choose the bandwidth

    PRESETS = {"mnist": dict(n_components=40), "cifar10": dict(n_components=60)}

    def learn(self, z: np.ndarray) -> None:
        self.bandwidth_ = self.choose(self.some(z, self.max_samples, "the bandwidth is chosen"))
        self.keep(z)

    def choose(self, z: np.ndarray) -> float:
        """The bandwidth of the highest log likelihood summed over the folds."""
        rows = torch.as_tensor(z)
        fold = torch.as_tensor(np.random.default_rng(self.seed_).permutation(len(z)) % min(self.folds, len(z)))
        totals = torch.zeros(len(self.bandwidths), dtype=torch.float64)
        for k in fold.unique():
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


class OneClassSVM(OnDistances):
    """Schoelkopf's one-class support vector machine with a Gaussian kernel."""

    nu: float = 0.1  #: share of the training data that may lie outside
    gamma: float | None = None  #: inverse squared length of the kernel; None: from nearest neighbours
    max_samples: int = 10_000  #: that it is fitted to

    PRESETS = {"mnist": dict(n_components=40), "cifar10": dict(n_components=60)}

    def learn(self, z: np.ndarray) -> None:
        z = self.some(z, self.max_samples, "fitted")
        gamma = self.gamma if self.gamma is not None else nearest_gamma(z)
        model = svm.OneClassSVM(nu=self.nu, gamma=gamma, cache_size=1000)
        model.random_state = self.seed_  # not an argument; without it NumPy's global state is drawn from
        model.fit(z)
        self.keep(model.support_vectors_)
        # arrays, because an export rounds a Python number to float32
        self.duals_, self.rho_, self.gamma_ = model.dual_coef_[0], model.offset_, np.array([gamma])

    def rate(self, z: Tensor) -> Tensor:
        kernel = (self.distances(z) * -self.on(self.gamma_, z)).exp()
        return self.on(self.rho_, z) - (kernel * self.on(self.duals_, z)).sum(1)


def nearest_gamma(z: np.ndarray) -> float:
    """1 / median squared distance of distinct rows to their nearest neighbour."""
    z = np.unique(z, axis=0)
    if len(z) < 2:
        return 1.0
    nearest = neighbors.NearestNeighbors(n_neighbors=1, algorithm="brute").fit(z).kneighbors()[0]
    return float(1 / np.median(np.square(nearest)))


class LOF(OnDistances):
    """Local outlier factor of new samples."""

    reducer: Literal["none", "pca", "alexnet"] = "none"  #: features; "alexnet": its last convolution, then PCA
    n_neighbors: int = 20  #: neighbours that a density is estimated from

    def learn(self, z: np.ndarray) -> None:
        model = neighbors.LocalOutlierFactor(
            n_neighbors=min(self.n_neighbors, len(z) - 1), novelty=True, algorithm="brute"
        ).fit(z)
        self.keep(z)
        self.reach_, self.density_ = model._distances_fit_X_[:, -1], model._lrd

    def rate(self, z: Tensor) -> Tensor:
        near, index = self.distances(z).topk(min(self.n_neighbors, len(self.samples_) - 1), largest=False)
        reach = torch.maximum(root(near), self.on(self.reach_, z)[index])
        return self.on(self.density_, z)[index].mean(1) * (reach.mean(1) + _SHORTEST)


def root(d2: Tensor) -> Tensor:
    """The root, with a gradient of zero at zero."""
    return torch.where(d2 > 0, d2, 1.0).sqrt() * (d2 > 0)


class IsolationForest(OnFeatures):
    """How few random cuts isolate a sample. A score's gradient is zero, so it cannot be explained."""

    n_trees: int = 100  #: trees
    tree_samples: int = 256  #: training samples a tree is grown on, at most

    def learn(self, z: np.ndarray) -> None:
        forest = ensemble.IsolationForest(
            n_estimators=self.n_trees, max_samples=min(self.tree_samples, len(z)), random_state=self.seed_
        ).fit(z)
        size = max(t.tree_.node_count for t in forest.estimators_)
        self.nodes_ = np.zeros((self.n_trees, size, 3), dtype=np.int64)  # column to look at, and the two children
        self.cuts_ = np.zeros((self.n_trees, size))
        self.depths_ = np.zeros((self.n_trees, size))
        for i, estimator in enumerate(forest.estimators_):
            tree = estimator.tree_
            n, own = tree.node_count, np.arange(tree.node_count)
            leaf = tree.children_left < 0
            self.nodes_[i, :n] = np.stack(
                [
                    np.where(leaf, 0, tree.feature),
                    np.where(leaf, own, tree.children_left),
                    np.where(leaf, own, tree.children_right),
                ],
                axis=1,
            )
            self.cuts_[i, :n] = tree.threshold
            depth = np.zeros(n)
            for node in own[~leaf]:  # parents come before their children
                depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
            self.depths_[i, :n] = depth + average_path(tree.n_node_samples)
        self.longest_ = int(max(t.tree_.max_depth for t in forest.estimators_))
        self.average_ = float(average_path(np.array([forest.max_samples_]))[0])

    def rate(self, z: Tensor) -> Tensor:
        nodes, cuts, depths = (self.on(a, z) for a in (self.nodes_, self.cuts_, self.depths_))
        z = z.float().double()  # the trees were grown on float32
        trees = torch.arange(len(nodes), device=z.device)
        at = torch.zeros_like(z[:, :1], dtype=torch.int64).expand(-1, len(nodes))
        for _ in range(self.longest_):
            column, left, right = nodes[trees, at].unbind(2)
            at = torch.where(z.gather(1, column) <= cuts[trees, at], left, right)
        path = depths[trees, at].sum(1)
        scale = len(nodes) * self.average_
        return torch.exp2(-path / scale) if scale else torch.ones_like(path)


def average_path(n: np.ndarray) -> np.ndarray:
    """Mean depth of a sample in a random tree of n samples, 2 H(n - 1) - 2 (n - 1)/n."""
    n = np.asarray(n, dtype=np.float64)
    large = 2 * (np.log(np.maximum(n - 1, 1)) + np.euler_gamma) - 2 * (n - 1) / np.maximum(n, 1)
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, large))


class GMM(OnFeatures):
    """Gaussian mixture with as many components as the Bayesian information criterion wants."""

    components: tuple[int, ...] = tuple(range(2, 21))  #: numbers of components to choose from
    jitter: float = 1e-4  #: added to the variances
    max_samples: int = 20_000  #: that it is fitted to

    PRESETS = {"mnist": dict(n_components=40), "cifar10": dict(n_components=60)}

    def learn(self, z: np.ndarray) -> None:
        z = self.some(z, self.max_samples, "fitted")
        models = [
            mixture.GaussianMixture(k, reg_covar=self.jitter, random_state=self.seed_).fit(z)
            for k in self.components
            if k <= len(z)
        ]
        best = min(models, key=lambda model: model.bic(z))
        self.log_weights_, self.means_ = np.log(best.weights_), best.means_
        self.precisions_ = best.precisions_cholesky_

    def rate(self, z: Tensor) -> Tensor:
        log_w, mean, p = (self.on(a, z) for a in (self.log_weights_, self.means_, self.precisions_))
        k, d, _ = p.shape
        white = row_linear(z, p.transpose(1, 2).reshape(k * d, d)).reshape(-1, k, d) - (p * mean[:, :, None]).sum(1)
        log_det = p.diagonal(dim1=1, dim2=2).log().sum(1)
        return -(log_w + log_det - white.square().sum(2) / 2 - d * math.log(2 * math.pi) / 2).logsumexp(1)


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

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        """The projection; of AlexNet's features it would be no image."""
        if "features" in self.nets_:
            return super().reconstruct_batch(x)
        return self.project(x.flatten(1).double()).reshape(x.shape).float()
