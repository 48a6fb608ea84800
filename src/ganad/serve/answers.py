"""What an answer says of each sample: score, verdict, p-value and, where it is asked for, a reason."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from ..calibrate import p_values
from ..detector import Detector
from ..explain import ranked

_EXPLAINED = 8  # columns of a row that an explanation names


def verdicts(detector: Detector, names: list[str], scores: np.ndarray) -> list[dict[str, Any]]:
    """Score, verdict and, for a calibrated model, p-value of each sample."""
    threshold = detector.threshold_
    rows = [dict(name=n, score=finite(s), is_anomaly=bool(s > threshold)) for n, s in zip(names, scores.tolist())]
    if hasattr(detector, "calibration_"):
        for row, p in zip(rows, p_values(scores, detector.calibration_).tolist()):
            row["p_value"] = p
    return rows


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return float(value) if np.isfinite(value) else None


def explanations(detector: Detector, x: np.ndarray) -> list[Any]:
    """For an image a heat map, as PNG in a data URL; for a row the columns that add most to its score.

    None or an empty list where the method cannot say, as an isolation forest cannot.
    """
    parts = detector.explain(x)
    if x.ndim == 2:
        names = getattr(detector, "columns_", None) or [f"column {i}" for i in range(x.shape[1])]
        rows = ranked(parts, names, getattr(detector, "source_", None))
        return [[{"column": name, "contribution": finite(part)} for name, part in row[:_EXPLAINED]] for row in rows]
    return [heat_map(part) for part in parts]


def heat_map(part: np.ndarray, full: float | None = None) -> str | None:
    """What raises the score among contributions ``(H, W)``, as a transparent red PNG; None where nothing does.

    full: what is opaque; None: the highest contribution.
    """
    size = part.clip(0)
    if not size.any():
        return None
    alpha = np.uint8(255 * (size / (full or float(size.max()))).clip(0, 1))
    pixels = np.dstack([np.full_like(alpha, 220), np.full_like(alpha, 30), np.zeros_like(alpha), alpha])
    out = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
