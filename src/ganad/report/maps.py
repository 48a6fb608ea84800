"""Maps of codes: principal components, and t-SNE of a part, for the eye alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

MAPPED = 2000  #: samples on a map, the highest scores among them
NEIGHBOURS = 600  #: samples of the t-SNE map: its cost grows fast


def draw(codes: np.ndarray, scores: np.ndarray) -> dict[str, Any] | None:
    """``{"index", "pca", "tsne"}``: sample numbers and places in [0, 1000] for each; None for too few samples.

    codes: ``(n, k)``; t-SNE keeps neighbours and no distances, so what lies apart in it need not be far apart.
    """
    codes = np.asarray(codes, np.float64).reshape(len(codes), -1)
    if len(codes) < 10 or codes.shape[1] < 2 or not np.isfinite(codes).all():
        return None
    index = _chosen(scores, MAPPED)
    some = _chosen(scores, NEIGHBOURS)
    plane = PCA(2, random_state=0).fit_transform(codes[index])
    reduced = PCA(min(30, codes.shape[1], len(some)), random_state=0).fit_transform(codes[some])
    near = TSNE(2, perplexity=min(30, (len(some) - 1) / 3), init="pca", random_state=0).fit_transform(reduced)
    return {
        "pca": {"index": index.tolist(), "at": _places(plane)},
        "tsne": {"index": some.tolist(), "at": _places(near)},
    }


def _chosen(scores: np.ndarray, most: int) -> np.ndarray:
    """A quarter with the highest scores, the rest at random, so that a map holds what is unusual."""
    if len(scores) <= most:
        return np.arange(len(scores))
    order = np.argsort(-scores, kind="stable")
    rest = np.random.default_rng(0).choice(order[most // 4 :], most - most // 4, replace=False)
    return np.sort(np.concatenate([order[: most // 4], rest]))


def _places(plane: np.ndarray) -> list[list[int]]:
    low, size = plane.min(0), np.ptp(plane, axis=0)
    return np.rint(1000 * (plane - low) / np.where(size > 0, size, 1)).astype(int).tolist()
