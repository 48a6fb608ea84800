"""The page of one detector and some samples, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from . import calibrate, report_page
from .data import Samples
from .detector import Detector
from .errors import InputError
from .files import versions
from .photos import Regions
from .photos.sequence import as_photos, taken

GENERATED = 16  #: generated pictures on a page


def report(
    detector: Detector,
    samples: Samples | Any,
    path: str | Path,
    *,
    scores: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    facts: Mapping[str, object] | None = None,
) -> Path:
    """Write one self-contained HTML page of what a fitted detector says of samples, and return its path.

    samples: what ``detector.anomaly_score`` takes, images ``(n, H, W[, C])`` or a table ``(n, d)`` as an array or a
    data frame; or what ``ganad.data.load`` returns, whose names, columns and unreadable inputs the page then shows.
    scores: ``(n,)``, where they are known already; None scores the samples. labels: ``(n,)``, 1 for anomalies and 0
    for normal samples; with them the page counts false alarms and draws curves. facts: names and values of whatever
    else the top of the page should say, such as the model's file.

    The page shows histogram, threshold, gallery, training and settings; for images where each one is unusual, and what
    the method redraws and generates; maps of codes where the method has an encoder; p-values of a calibrated detector.
    Pixels must lie between 0 and 255, or be floats from 0 to 1.

    Raises InputError for samples, scores or labels that cannot be used and for a path that cannot be written,
    scikit-learn's NotFittedError for a detector that is not fitted. ``path`` is then left as it was.
    """
    path = _checked(Path(path))
    photos = isinstance(detector, Regions)
    if not photos:
        samples = detector._read(samples) or samples  # a frame with text, as numbers
    x = samples.x if isinstance(samples, Samples) else samples
    if scores is None:
        scores = detector.anomaly_score(x if photos else samples)
    scores = drawable(np.asarray(scores))
    values = _Photos(x) if photos else np.asarray(x)
    if scores.shape != values.shape[:1]:
        raise InputError(f"scores of shape {scores.shape} do not fit {len(values)} samples; give one for each")
    is_image = isinstance(values, _Photos) or values.ndim > 2
    contents = report_page.Contents(
        scored=_scored(detector, _names(samples) or range(len(scores)), scores, labels),
        images=_images(detector, values, scores) if is_image else None,
        table=None if isinstance(values, _Photos) or values.ndim > 2 else report_page.Table(values, _columns(samples)),
        codes=_codes(detector, x),
        generated=_if_able(detector, "sample", GENERATED, random_state=0) if is_image else None,
        method=type(detector).__name__,
        facts={**(facts or {}), **_doubts(detector), **{name: versions()[name] for name in ("ganad", "torch")}},
        settings=detector.get_params(),
        history=detector.history_,
        unreadable=samples.unreadable if isinstance(samples, Samples) else (),
    )
    return report_page.write(path, contents)


def drawable(scores: np.ndarray) -> np.ndarray:
    """Scores ``(n,)`` without infinities, which no curve can hold: these samples get the highest of the others."""
    finite = scores[np.isfinite(scores)]
    return np.where(np.isposinf(scores), finite.max() if len(finite) else 0.0, scores)


def _checked(path: Path) -> Path:
    """The path; InputError, before anything is computed, where no page can be written."""
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder for the report; make it first")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it for the report")
    return path


def _scored(
    detector: Detector, names: Sequence[object], scores: np.ndarray, labels: np.ndarray | None
) -> report_page.Scored:
    calibration = getattr(detector, "calibration_", None)
    return report_page.Scored(
        scores=scores,
        names=names,
        threshold=detector.threshold_,
        labels=labels,
        p_values=None if calibration is None else calibrate.p_values(scores, calibration),
        calibration=calibration,
    )


class _Photos:
    """Photos of any size as what the page takes pictures from, one at a time."""

    def __init__(self, photos: Any):
        self.photos = as_photos(photos)
        self.shape = (len(self.photos),)

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, np.ndarray):  # of some pictures, the page looks at the range of values alone
            return np.asarray([self.photos[int(index[0])]])
        photo: np.ndarray = self.photos[index]
        return photo


def _regions(detector: Regions, photos: _Photos, scores: np.ndarray) -> report_page.Images:
    """The photos; those that the page shows with the scores of their regions, above the photo's median."""
    shown = report_page.shown(scores, detector.threshold_)
    maps = detector.maps(taken(photos.photos, shown))
    return report_page.Images(
        cast(Any, photos), heatmaps={i: heat - np.median(heat) for i, heat in zip(shown.tolist(), maps)}
    )


def _images(detector: Detector, pixels: Any, scores: np.ndarray) -> report_page.Images:
    """The pictures; those that the page shows with their heat maps and, where the method redraws, redrawn."""
    if isinstance(detector, Regions):
        return _regions(detector, pixels, scores)
    shown = report_page.shown(scores, detector.threshold_)
    heat = detector.explain(pixels[shown])
    redrawn = _if_able(detector, "reconstruct", pixels[shown])
    return report_page.Images(
        pixels,
        heatmaps={i: part for i, part in zip(shown.tolist(), heat) if part.any()},  # a forest's says nothing
        reconstructions={} if redrawn is None else dict(zip(shown.tolist(), redrawn)),
    )


def _codes(detector: Detector, x: Any) -> report_page.Codes | None:
    """Codes where the method has an encoder, with its own clusters where it has a mixture of them."""
    codes = _if_able(detector, "encode", x)
    if codes is None:
        return None
    mixture = getattr(detector, "mixture_", None)
    return report_page.Codes(codes, None if mixture is None else mixture.predict(codes))


def _doubts(detector: Detector) -> dict[str, object]:
    """What the fit's self-test found; a model file from before 0.2 has none."""
    return {"self-test": str(detector.self_test_)} if hasattr(detector, "self_test_") else {}


def _names(samples: Any) -> list[str] | None:
    return samples.names if isinstance(samples, Samples) else None


def _columns(samples: Any) -> list[str] | None:
    """Names of a table's columns, of Samples or of a data frame."""
    columns = getattr(samples, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def _if_able(detector: Detector, ability: str, *given: Any, **options: Any) -> Any:
    """What the detector's method of this name returns, or None where the detector cannot do it."""
    return getattr(detector, ability)(*given, **options) if detector.supports(ability) else None
