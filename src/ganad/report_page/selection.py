"""Selecting the samples that a page shows and names, so that its size stays bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

MAX_THUMBNAILS = 200
LISTED = 20_000  #: most samples that a page lists by name; counts, histogram and curves use all
LISTED_FLAGGED = 15_000  #: most flagged samples among them


def shown(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Samples with a picture: half are the most anomalous, a quarter the least, a quarter the nearest to the threshold.

    scores: ``(n,)``. Returns rising sample numbers, at most MAX_THUMBNAILS.
    """
    if len(scores) <= MAX_THUMBNAILS:
        return np.arange(len(scores))
    order = np.argsort(-scores, kind="stable")
    half, quarter = MAX_THUMBNAILS // 2, MAX_THUMBNAILS // 4
    middle = order[half:-quarter]
    near = middle[np.argsort(np.abs(scores[middle] - threshold), kind="stable")[:quarter]]
    return np.sort(np.concatenate([order[:half], near, order[-quarter:]]))


def listed(scores: np.ndarray, threshold: float, pictured: np.ndarray) -> np.ndarray:
    """Samples with a name: all, or those with a picture, the highest flagged, and some of the others at random."""
    if len(scores) <= LISTED:
        return np.arange(len(scores))
    order, flagged = np.argsort(-scores, kind="stable"), int((scores > threshold).sum())
    top = min(flagged, LISTED_FLAGGED)
    # the page counts between listed scores, so the first one below the threshold must be listed
    named = np.unique(np.concatenate([order[:top], order[flagged : flagged + 1], pictured]))
    others = np.setdiff1d(order, named)
    return np.union1d(named, np.random.default_rng(0).choice(others, LISTED - len(named), replace=False))


def by_place(of: Mapping[int, Any], listed: np.ndarray) -> dict[int, Any]:
    """Values of samples, by the samples' places in the list."""
    return {int(np.searchsorted(listed, i)): value for i, value in of.items()}
