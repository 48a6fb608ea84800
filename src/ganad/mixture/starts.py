"""Starting labellings. The log joint after a few sweeps decides which one wins."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from . import niw
from .gibbs import GibbsScan

OVER_SEGMENTED = 30  #: k-means clusters; more than needed, because merging is easier than splitting
_KMEANS_ROWS = 20_000


def one(x: np.ndarray, prior: niw.NIW, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """All points in one cluster, as in the published code. In high dimension only split moves leave this start."""
    return np.zeros(len(x), dtype=np.int64)


def sequential(x: np.ndarray, prior: niw.NIW, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """Points inserted one by one in random order, each by its conditional given the earlier points."""
    sampler = GibbsScan(x, prior, alpha, None)
    sampler.scan(rng.permutation(len(x)), rng.random(len(x)))
    return sampler.labels


def kmeans(x: np.ndarray, prior: niw.NIW, alpha: float, rng: np.random.Generator) -> np.ndarray:
    """k-means with far more centres than clusters, on at most 20,000 of the points."""
    rows = x if len(x) <= _KMEANS_ROWS else x[rng.choice(len(x), _KMEANS_ROWS, replace=False)]
    centres = min(OVER_SEGMENTED, max(1, len(rows) // 2))
    model = KMeans(centres, n_init=1, max_iter=50, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # duplicates leave centres empty, which is harmless here
        labels = model.fit(rows).predict(x)
    return np.unique(labels, return_inverse=True)[1]


STARTS = {"one": one, "sequential": sequential, "kmeans": kmeans}
