"""What a model says of samples, as entries of a history: verdict, what may change over time, where, how it looks."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.ndimage
import torch
from PIL import Image

from .. import calibrate
from ..detector import Detector, Scaling
from ..history import Entry, ModelRecord
from ..history.entries import new_key

_COLUMNS = 20  # of a row, those that the score hears most
_SIDE = 128  # pixels of a thumbnail
_PNG = 64  # pixels of a side up to which a thumbnail is kept as it is
_BOXES = 5  # of a picture
_TOGETHER = 64  # columns that are moved in one batch


class Verdicts:
    """Entries for the samples of one detector.

    model: SHA-256 of its file. spot_checks: the share of all samples that a person should look at, whatever their
    verdict; see ``is_spot_check``.
    """

    def __init__(self, detector: Detector, model: str, spot_checks: float = 0.0):
        self.detector, self.model, self.spot_checks = detector, model, spot_checks
        self._columns: list[int] | None = None

    def entries(
        self,
        x: np.ndarray | Sequence[np.ndarray],
        names: Sequence[str],
        scores: np.ndarray,
        keys: Sequence[str] | None = None,
        seen_at: float | None = None,
        looks: Sequence[dict[str, Any]] | None = None,
    ) -> list[Entry]:
        """An entry a sample ``(n, ...)`` with its score ``(n,)``.

        Pictures have brightness and contrast, from 0 to 1, a thumbnail and, where they are flagged, boxes; rows have
        the columns that count. ``looks`` says all of that in their stead. Without ``keys`` each entry has one of its
        own; ``seen_at`` is now unless it is given.
        """
        threshold = self.detector.threshold_
        flagged = scores > threshold
        p = self._p_values(scores)
        seen_at = time.time() if seen_at is None else seen_at
        looks = self._looks(x, flagged) if looks is None else looks
        keys = [new_key() for _ in names] if keys is None else keys
        return [
            Entry(
                name=name,
                score=float(scores[i]),
                is_anomaly=bool(flagged[i]),
                p_value=p[i],
                threshold=threshold,
                seen_at=seen_at,
                model=self.model,
                key=keys[i],
                spot_check=is_spot_check(keys[i], self.spot_checks),
                **looks[i],
            )
            for i, name in enumerate(names)
        ]

    def _p_values(self, scores: np.ndarray) -> list[float | None]:
        if not hasattr(self.detector, "calibration_"):
            return [None] * len(scores)
        found: list[float | None] = calibrate.p_values(scores, self.detector.calibration_).tolist()
        return found

    def _looks(self, x: np.ndarray | Sequence[np.ndarray], flagged: np.ndarray) -> list[dict[str, Any]]:
        if isinstance(x, np.ndarray) and x.ndim == 2:
            return [{"traits": traits} for traits in self.columns_of(x)]
        boxes = self._boxes(x, np.flatnonzero(flagged))
        return [
            {"traits": light(picture), "thumbnail": thumbnail(picture), "boxes": boxes.get(i)}
            for i, picture in enumerate(x)
        ]

    def columns_of(self, x: np.ndarray) -> list[dict[str, float]]:
        """Of rows ``(n, d)`` the columns that count, in units of their spread in training, from their mean there."""
        if self._columns is None:
            self._columns = columns_that_count(self.detector)
        scaling, chosen = scaling_of(self.detector), self._columns
        z = ((x - scaling.shift) / scaling.scale)[:, chosen]
        names = getattr(self.detector, "columns_", None) or self.detector.input_.names
        named = [names[j] if names else f"column {j}" for j in chosen]
        return [dict(zip(named, row)) for row in z.tolist()]

    def _boxes(self, x: np.ndarray | Sequence[np.ndarray], rows: np.ndarray) -> dict[int, list[dict[str, float]]]:
        if not len(rows):
            return {}
        maps = self.detector.explain(x[rows] if isinstance(x, np.ndarray) else [x[i] for i in rows])
        return {int(i): boxes(part) for i, part in zip(rows, maps)}


def record_of(detector: Detector, name: str, sha256: str) -> ModelRecord:
    """What a history keeps of the detector that came from a model file of this name and hash."""
    calibration = getattr(detector, "calibration_", None)
    return ModelRecord(
        sha256=sha256,
        name=name,
        method=type(detector).__name__,
        threshold=detector.threshold_,
        false_alarm_rate=getattr(detector, "false_alarm_rate_", None),
        parent=getattr(detector, "parent_", None),
        calibration=None if calibration is None else np.asarray(calibration, float).tobytes(),
        registered_at=time.time(),
    )


def is_spot_check(key: str, share: float) -> bool:
    """Whether the sample with this key is one of the random ``share`` of all samples that a person should look at.

    The key decides, before and without a score: the same sample is always chosen or never, and what is chosen is a
    random sample of all, flagged or not. Only such samples may renew a calibration; see ``ganad.recalibration``.
    """
    drawn = int.from_bytes(hashlib.sha256(f"spot check {key}".encode()).digest()[:8], "big")
    return drawn < share * 2**64


def light(picture: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation of the pixels of a picture ``(H, W[, C])``, as shares of its type's range."""
    most = np.iinfo(picture.dtype).max if picture.dtype.kind in "ui" else 1.0
    return {"brightness": float(picture.mean() / most), "contrast": float(picture.std() / most)}


def lights(x: np.ndarray) -> list[dict[str, float]]:
    """``light`` of every picture ``(n, H, W[, C])``, at once."""
    most = np.iinfo(x.dtype).max if x.dtype.kind in "ui" else 1.0
    pixels = x.reshape(len(x), -1)
    means, spreads = (pixels.mean(axis=1) / most).tolist(), (pixels.std(axis=1) / most).tolist()
    return [{"brightness": mean, "contrast": spread} for mean, spread in zip(means, spreads)]


def thumbnail(picture: np.ndarray) -> bytes | None:
    """A picture uint8 ``(H, W)`` or ``(H, W, 3)`` as PNG or JPEG, its longer side at most 128; None for another one."""
    if picture.dtype != np.uint8:
        return None
    image = Image.fromarray(picture.squeeze())
    image.thumbnail((_SIDE, _SIDE))
    out = io.BytesIO()
    if max(image.size) <= _PNG:
        image.save(out, "PNG")
    else:
        image.save(out, "JPEG", quality=80)
    return out.getvalue()


def boxes(part: np.ndarray) -> list[dict[str, float]]:
    """Where contributions ``(H, W)`` to a score are at least half of the highest, smoothed: five boxes at most.

    Each has ``x``, ``y``, ``width`` and ``height`` as shares of the picture's sides and ``share``, what it holds of all
    that raises the score; the greatest first.
    """
    raising = part.clip(0)
    smooth = scipy.ndimage.gaussian_filter(raising.astype(np.float64), max(part.shape) / 32)
    if not smooth.max() > 0:
        return []
    areas, _ = scipy.ndimage.label(smooth >= smooth.max() / 2)
    height, width = part.shape
    total, found = float(raising.sum()), []
    for rows, columns in scipy.ndimage.find_objects(areas):
        found.append(
            {
                "x": columns.start / width,
                "y": rows.start / height,
                "width": (columns.stop - columns.start) / width,
                "height": (rows.stop - rows.start) / height,
                "share": float(raising[rows, columns].sum()) / total,
            }
        )
    return sorted(found, key=lambda box: -box["share"])[:_BOXES]


def scaling_of(detector: Detector) -> Scaling:
    """Of the training samples; a detector that is made of others leaves it to its members."""
    members = getattr(detector, "members_", None)
    return scaling_of(members[0]) if members else detector.input_.scaling


def columns_that_count(detector: Detector, most: int = _COLUMNS) -> list[int]:
    """The columns, at most so many, that change the score most: by a spread up or down from the training mean."""
    (d,) = detector.input_.sample_shape
    if d <= most:
        return list(range(d))
    mean = detector.input_.to_user(torch.as_tensor(detector.mean_)[None]).double().numpy()
    spread = np.broadcast_to(scaling_of(detector).scale, (d,))
    base = detector.anomaly_score(mean)[0]
    effects = np.empty(d)
    for start in range(0, d, _TOGETHER):
        chosen = np.arange(start, min(start + _TOGETHER, d))
        moved = np.repeat(mean, 2 * len(chosen), axis=0)
        rows = np.arange(len(chosen))
        moved[rows, chosen] += spread[chosen]
        moved[rows + len(chosen), chosen] -= spread[chosen]
        change = np.abs(detector.anomaly_score(moved) - base).reshape(2, -1)
        effects[chosen] = change.max(0)
    return sorted(np.argsort(-effects, kind="stable")[:most].tolist())
