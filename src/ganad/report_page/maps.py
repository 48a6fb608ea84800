"""Maps of codes, only for viewing: principal components, and t-SNE of a part."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

MAPPED = 2000  #: samples on a map, the highest scores among them
NEIGHBOURS = 600  #: samples of the t-SNE map, whose cost grows fast
MARKED = 6  #: the largest clusters have their own mark; k-means looks for at most this many


def draw(
    codes: np.ndarray, scores: np.ndarray, odd: np.ndarray, clusters: np.ndarray | None = None
) -> dict[str, Any] | None:
    """``{"pca", "tsne", "own"}``: places in [0, 1000] and the group of each point; None if there is nothing to draw.

    codes: ``(n, k)``. odd: ``(n,)`` bool, samples outside of the clusters. clusters: ``(n,)``, the method's own; if
    None, k-means finds clusters among the mapped codes. Groups: 0 to MARKED - 1 are clusters by falling size, MARKED
    the smaller clusters, MARKED + 1 the odd samples. t-SNE keeps neighbours but not distances: points that it draws far
    apart may be close.
    """
    codes = np.asarray(codes, np.float64).reshape(len(codes), -1)
    size = codes.std(0).max(initial=0)
    # if an encoder gives only equal codes, t-SNE would crash, and the process with it
    if len(codes) < 10 or codes.shape[1] < 2 or not np.isfinite(size) or size == 0:
        return None
    codes = codes / size
    index = _chosen(scores, MAPPED)
    codes, scores, odd = codes[index], scores[index], odd[index]
    found = _clustered(codes) if clusters is None else np.asarray(clusters)[index]
    group = np.full(len(index), MARKED + 1)
    group[~odd] = _ranked(found[~odd])
    some = _chosen(scores, NEIGHBOURS)
    plane = PCA(2, random_state=0).fit_transform(codes)
    reduced = PCA(min(30, codes.shape[1], len(some)), random_state=0).fit_transform(codes[some])
    near = TSNE(2, perplexity=min(30, (len(some) - 1) / 3), init="pca", random_state=0).fit_transform(reduced)
    return {
        "pca": {"at": _places(plane), "group": group.tolist()},
        "tsne": {"at": _places(near), "group": group[some].tolist()},
        "own": clusters is not None,
    }


def _clustered(codes: np.ndarray) -> np.ndarray:
    """Clusters by k-means; the silhouette chooses their number."""
    distinct = len(np.unique(codes, axis=0))
    tries = [KMeans(k, n_init=3, random_state=0).fit_predict(codes) for k in range(2, min(MARKED, distinct - 1) + 1)]
    return max(tries, key=lambda labels: silhouette_score(codes, labels), default=np.zeros(len(codes), int))


def _ranked(clusters: np.ndarray) -> np.ndarray:
    """The rank of each sample's cluster by size, at most MARKED."""
    names, inverse, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(names))
    return np.minimum(rank[inverse], MARKED)


def _chosen(scores: np.ndarray, most: int) -> np.ndarray:
    """A quarter with the highest scores, the rest at random, so that a map shows unusual samples."""
    if len(scores) <= most:
        return np.arange(len(scores))
    order = np.argsort(-scores, kind="stable")
    rest = np.random.default_rng(0).choice(order[most // 4 :], most - most // 4, replace=False)
    return np.sort(np.concatenate([order[: most // 4], rest]))


def _places(plane: np.ndarray) -> list[list[int]]:
    low, size = plane.min(0), np.ptp(plane, axis=0)
    places: list[list[int]] = np.rint(1000 * (plane - low) / np.where(size > 0, size, 1)).astype(int).tolist()
    return places
