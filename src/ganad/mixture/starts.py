"""Starting labellings; which one wins is decided by the log joint after a few sweeps."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from . import niw
from .gibbs import GibbsScan

OVER_SEGMENTED = 30  #: k-means clusters: merging is easier than splitting
_KMEANS_ROWS = 20_000


def one(x: np.ndarray, prior: niw.NIW, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """All points in one cluster, the published code's start: in high dimension only split moves leave it."""
    return np.zeros(len(x), dtype=np.int64)


def sequential(x: np.ndarray, prior: niw.NIW, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Points inserted one by one in random order, each by its conditional given those before it."""
    sampler = GibbsScan(x, prior, alpha, None)
    sampler.scan(rng.permutation(len(x)), rng.random(len(x)))
    return sampler.labels


def kmeans(x: np.ndarray, prior: niw.NIW, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """k-means with far more centres than clusters, on at most 20,000 of the points."""
    rows = x if len(x) <= _KMEANS_ROWS else x[rng.choice(len(x), _KMEANS_ROWS, replace=False)]
    centres = min(OVER_SEGMENTED, max(1, len(rows) // 2))
    model = KMeans(centres, n_init=1, max_iter=50, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # duplicates leave centres empty, which does no harm here
        labels = model.fit(rows).predict(x)
    return np.unique(labels, return_inverse=True)[1]


STARTS = {"one": one, "sequential": sequential, "kmeans": kmeans}
