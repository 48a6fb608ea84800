"""Isolation forest: how few random cuts isolate a sample.

F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation forest", ICDM 2008. A baseline of the ADGAN paper.

    score   2^(-mean path length / that of an average tree)
    path    cuts to the sample's leaf, plus those that an average tree would still need for the leaf's n samples:
            2 H(n - 1) - 2 (n - 1)/n, H: the harmonic number

A score is a step function of the sample. Its gradient is zero, so no gradient explains it.

Differs from the ADGAN paper: there the number of components was chosen on held-out data with anomalies. Here it is a
setting.

Fitting 50,000 samples of 121 columns or 40 components takes at most 4 s on one thread (docs/speed.md).

Measured rows at full size differ from another implementation's by up to .17 of AUROC on one digit, because every random
start ends elsewhere (tests/test_reference.py).
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn import ensemble
from torch import Tensor

from ...errors import InputError
from ...settings import Count
from .features import OnFeatures


class IsolationForest(OnFeatures):
    """The fewer random cuts isolate a sample, the higher its score. Its gradient is zero and explains nothing."""

    n_trees: Count = 100  #: number of trees
    tree_samples: Count = 256  #: training samples a tree is grown on, at most
    LEARNS = {
        "nodes_": "int64[n_trees, size, 3]",
        "cuts_": "float64[n_trees, size]",
        "depths_": "float64[n_trees, size]",
        "longest_": "int",
        "average_": "float",
    }

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

    def restored(self) -> None:
        size, columns = self.cuts_.shape[1], self.input_.n_features if self.reducer == "none" else len(self.axes_)
        column, children = self.nodes_[..., 0], self.nodes_[..., 1:]
        if (self.nodes_ < 0).any() or (children >= size).any() or (column >= columns).any():
            raise InputError("the trees point outside of themselves")
        if self.longest_ > size:
            raise InputError(f"a path of {self.longest_} cuts in trees of {size} nodes")

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
