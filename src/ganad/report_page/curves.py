"""The curves of a page: ROC, precision-recall and training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ..errors import InputError
from .checks import numbers

CURVE_POINTS = 200  #: points of a ROC or PR curve that are drawn; the figures use all of them


def figures(odd: np.ndarray | None, scores: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
    """AUROC and average precision by scikit-learn, and the curves thinned for drawing."""
    if odd is None or odd.all() or not odd.any():
        return {}, {}
    fpr, tpr, _ = roc_curve(odd, scores)
    precision, recall, _ = precision_recall_curve(odd, scores)
    of_all = {
        "auroc": float(roc_auc_score(odd, scores)),
        "average_precision": float(average_precision_score(odd, scores)),
    }
    return of_all, {"roc": _thinned(fpr, tpr), "pr": _thinned(recall, precision)}


def training(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One panel per stage: the loss terms as pairs of epoch and value."""
    panels: dict[str, dict[str, list[list[float]]]] = {}
    for row in history:
        if "stage" not in row or "epoch" not in row:
            raise InputError("each row of history must hold stage and epoch")
        epoch, terms = float(numbers("epochs of history", row["epoch"])), panels.setdefault(str(row["stage"]), {})
        for key in (key for key in row if key not in ("stage", "epoch", "seconds")):
            what = f"history: {key} of {row['stage']}, epoch {row['epoch']},"
            terms.setdefault(key, []).append([epoch, float(numbers(what, row[key]))])
    return [{"stage": stage, "terms": terms} for stage, terms in panels.items()]


def _thinned(x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).astype(int))
    points: list[list[float]] = np.round(np.column_stack([x[keep], y[keep]]), 5).tolist()
    return points
