"""Several detectors on the same labelled samples, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from ..errors import InputError
from .checks import numbers
from .contents import Rival


def lines(odd: np.ndarray | None, detectors: Sequence[Rival]) -> list[dict[str, Any]]:
    """AUROC, anomalies found and normal samples flagged; nothing for one detector or without labels of both kinds."""
    if len(detectors) < 2 or odd is None or odd.all() or not odd.any():
        return []
    return [_line(odd, detector) for detector in detectors]


def _line(odd: np.ndarray, detector: Rival) -> dict[str, Any]:
    scores = numbers(f"scores of {detector.name}", detector.scores)
    if scores.shape != odd.shape:
        raise InputError(f"scores of {detector.name} have shape {scores.shape}; {len(odd)} samples need one each")
    flagged = scores > detector.threshold
    return {
        "name": detector.name,
        "auroc": float(roc_auc_score(odd, scores)),
        "found": int(flagged[odd].sum()),
        "false_alarms": int(flagged[~odd].sum()),
    }
