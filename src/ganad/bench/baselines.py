"""The recipes that learn nothing, or need no network. Every table contains them."""

from __future__ import annotations

from typing import Any

from .recipes import Recipe


def plain(n_components: int) -> tuple[Recipe, ...]:
    """Every baseline. Those that learn see ``n_components`` principal components, except LOF and "1-NN"."""
    pca = dict(reducer="pca", n_components=n_components)
    return (
        Recipe("KDE", "KDE", settings=pca, is_baseline=True),
        Recipe("OCSVM", "OneClassSVM", settings=pca, is_baseline=True),
        Recipe("GMM", "GMM", settings=pca | dict(components=(10,)), is_baseline=True),
        Recipe("IsolationForest", "IsolationForest", settings=pca, is_baseline=True),
        Recipe("1-NN, PCA", "NearestNeighbor", settings=pca | dict(k=1, variant="kth"), is_baseline=True),
        Recipe("1-NN", "NearestNeighbor", settings=dict(k=1, variant="kth"), is_baseline=True),
        Recipe("LOF", "LOF", is_baseline=True),
        Recipe("PCA residual", "PCAResidual", settings=pca, is_baseline=True),
        *trivial(),
    )


def trivial(**settings: Any) -> tuple[Recipe, ...]:
    """The scores that learn nothing about the data, or only their mean."""
    return tuple(
        Recipe(name, "Trivial", settings=dict(variant=variant, **settings), is_baseline=True)
        for name, variant in (
            ("distance to the mean", "distance"),
            ("brightness", "brightness"),
            ("untrained network", "untrained"),
            ("random", "random"),
        )
    )
