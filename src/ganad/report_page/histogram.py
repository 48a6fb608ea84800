"""Bins that show most of the scores and count the rest, however heavy the tail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Scale = Callable[[np.ndarray], np.ndarray]

BINS = 60  #: between the edges; one more on each side counts the scores beyond
WIDE = 30  #: scores span orders of magnitude if the middle 98 % is this many times wider than its narrower half


def edges(scores: np.ndarray) -> np.ndarray:
    """``(BINS + 1,)`` rising edges around the middle 98 % of the scores, and as far again if there are samples.

    The steps are even. If scores span orders of magnitude, the steps are even in the logarithm or, with scores at or
    below zero, in the inverse hyperbolic sine, which is linear around the median and logarithmic far from it.
    """
    forth, back = _scale(scores)
    t = forth(scores)
    low, high = np.percentile(t, [1, 99])
    spread = high - low
    low, high = max(t.min(), low - spread), min(t.max(), high + spread)
    result: np.ndarray = back(np.linspace(low, high if high > low else low + (abs(low) or 1), BINS + 1))
    # rounding in the scale and its inverse must not leave the extremes out
    result[0] = scores.min() if low == t.min() else result[0]
    result[-1] = scores.max() if high == t.max() > low else result[-1]
    return result


def counts(scores: np.ndarray, edges: np.ndarray) -> list[int]:
    """``BINS + 2`` numbers of scores: below the edges, in each bin, above the edges."""
    slot = np.searchsorted(edges, scores, side="right")
    slot[scores == edges[-1]] = BINS
    numbers: list[int] = np.bincount(slot, minlength=BINS + 2).tolist()
    return numbers


def _scale(scores: np.ndarray) -> tuple[Scale, Scale]:
    """A rising function that spreads the scores, and its inverse."""
    low, middle, high = np.percentile(scores, [1, 50, 99])
    halves = [half for half in (middle - low, high - middle) if half > 0]
    if not halves or high - low <= WIDE * min(halves):
        return np.positive, np.positive
    if scores.min() > 0:
        return np.log, np.exp
    unit = min(halves)
    return lambda s: np.arcsinh((s - middle) / unit), lambda t: middle + unit * np.sinh(t)
