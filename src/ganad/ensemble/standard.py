"""Scores of different methods on one scale: how far from the mean of held-out normal samples, in deviations."""

from __future__ import annotations

import numpy as np

_ROUNDING = 1e-5  # of the scores' size; a spread below it is the rounding of float32, and not a spread


def centre_and_scale(scores: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of scores ``(m,)``; the deviation is 1 where the scores are constant.

    Not median and a robust spread: scores have right tails of very different length, and a spread that does not see
    them lets the member with the longest tail decide alone. benchmarks/ensembles.py compares them.
    """
    scale = float(scores.std())
    return float(scores.mean()), scale if scale > _ROUNDING * float(np.median(np.abs(scores))) else 1.0
