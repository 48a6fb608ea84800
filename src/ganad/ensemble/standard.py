"""Scores of different methods on one scale: standard deviations from the mean of held-out normal samples."""

from __future__ import annotations

import numpy as np

_ROUNDING = 1e-5  # relative to the scores' size; a smaller spread is rounding of float32


def centre_and_scale(scores: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of scores ``(m,)``; the deviation is 1 if the scores are constant.

    It does not use the median and a robust spread. Scores have right tails of very different length, and a robust
    spread ignores them, so the member with the longest tail would decide alone. benchmarks/ensembles.py compares both.
    """
    scale = float(scores.std())
    return float(scores.mean()), scale if scale > _ROUNDING * float(np.median(np.abs(scores))) else 1.0
