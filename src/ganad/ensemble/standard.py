"""Scores of different methods on one scale: how far from the median of held-out normal samples, in robust spreads."""

from __future__ import annotations

import numpy as np

#: Of a normal distribution: its standard deviation over its median absolute deviation.
_MAD_TO_SD = 1.4826
_ROUNDING = 1e-5  # of the scores' size; a spread below it is the rounding of float32, and not a spread


def centre_and_scale(scores: np.ndarray) -> tuple[float, float]:
    """Median and spread of scores ``(m,)``, to standardise by.

    The spread is the median absolute deviation, as a standard deviation: scores have a long right tail, in which a
    single odd sample would else decide what a member's scores count for. It is the standard deviation where half of the
    scores are equal, and 1 where all are: the score of such a member stays finite.
    """
    centre = float(np.median(scores))
    least = _ROUNDING * float(np.median(np.abs(scores)))
    for scale in (_MAD_TO_SD * float(np.median(np.abs(scores - centre))), float(scores.std())):
        if scale > least:
            return centre, scale
    return centre, 1.0
