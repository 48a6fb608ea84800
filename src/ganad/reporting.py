"""The report on samples by one detector, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import calibrate, report_page
from .data import Samples, find_masks, read_mask
from .detector import Detector
from .errors import InputError
from .files import versions
from .photos import Regions
from .photos.found import to_scale
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
    rivals: Mapping[str, Detector] | None = None,
    masks: str | Path | None = None,
    places: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write a self-contained HTML page about samples and their scores by a fitted detector, and return its path.

    samples: what ``detector.anomaly_score`` takes, images ``(n, H, W[, C])`` or a table ``(n, d)`` as an array or a
    data frame; or what ``ganad.data.load`` returns, whose names, columns and unreadable inputs the page then shows.
    scores: ``(n,)``, where they are known already; None scores the samples. labels: ``(n,)``, 1 for anomalies and 0
    for normal samples; with them the page counts false alarms and draws curves. facts: names and values of whatever
    else the top of the page should say, such as the model's file. rivals: other fitted detectors by a name for the
    page, which with labels compares what each of them finds at its own threshold. masks: a folder of them by the
    samples' names, see ``data.find_masks``; the page shows them beside the maps. places: what ``metrics.by_kind`` says
    of these samples, for a table.

    The page shows histogram, threshold, gallery, training and settings. For images it shows where each is unusual,
    reconstructions and generated images. It shows maps of codes if the method has an encoder, and p-values if the
    detector is calibrated. Pixels must lie between 0 and 255, or be floats from 0 to 1.

    Raises InputError for unusable samples, scores or labels and for a path that cannot be written, and scikit-learn's
    NotFittedError for a detector that is not fitted. ``path`` is then left as it was.
    """
    path = _checked(Path(path))
    photos = isinstance(detector, Regions)
    if not photos:
        samples = detector._read(samples) or samples  # a frame with text, as numbers
    x = samples.x if isinstance(samples, Samples) else samples
    if scores is None:
        scores = detector.anomaly_score(x if photos else samples)
    scores = np.asarray(scores)
    values = _Photos(x) if photos else np.asarray(x)
    if scores.shape != values.shape[:1]:
        raise InputError(f"scores of shape {scores.shape} do not fit {len(values)} samples; give one for each")
    is_image = isinstance(values, _Photos) or values.ndim > 2
    scored = _scored(detector, _names(samples) or range(len(scores)), scores, labels)
    endless, scores = int(np.isposinf(scores).sum()), scored.scores
    contents = report_page.Contents(
        scored=scored,
        images=_images(detector, values, scores, _masks(masks, _names(samples))) if is_image else None,
        table=None if isinstance(values, _Photos) or values.ndim > 2 else report_page.Table(values, _columns(samples)),
        codes=_codes(detector, x),
        rivals=[_rival(name, other, x) for name, other in (rivals or {}).items()],
        places=places,
        generated=_if_able(detector, "sample", GENERATED, random_state=0) if is_image else None,
        method=type(detector).__name__,
        facts={
            **(facts or {}),
            **_endless(endless),
            **_doubts(detector),
            **{name: versions()[name] for name in ("ganad", "torch")},
        },
        settings=detector.get_params(),
        history=detector.history_,
        unreadable=samples.unreadable if isinstance(samples, Samples) else (),
    )
    return report_page.write(path, contents)


def drawable(scores: np.ndarray, threshold: float = -np.inf) -> np.ndarray:
    """Scores ``(n,)`` without infinities, which no curve can hold: these lie above the others and the threshold."""
    finite = np.append(scores[np.isfinite(scores)], threshold if np.isfinite(threshold) else [])
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    return np.where(np.isposinf(scores), high + ((high - low) / 20 or 1.0), scores)


def _endless(n: int) -> dict[str, str]:
    """How many scores are infinite, where some are: a row with a text that training did not have."""
    return {"infinite scores": f"{n:,}, drawn beyond the others"} if n else {}


def _checked(path: Path) -> Path:
    """The path. Raises InputError, before anything is computed, if the page cannot be written there."""
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
        scores=drawable(scores, detector.threshold_),
        names=names,
        threshold=detector.threshold_,
        labels=labels,
        p_values=None if calibration is None else calibrate.p_values(scores, calibration),
        calibration=calibration,
    )


def _rival(name: str, detector: Detector, x: Any) -> report_page.Rival:
    scores = drawable(np.asarray(detector.anomaly_score(x)), detector.threshold_)
    return report_page.Rival(name, scores, detector.threshold_)


class _Photos:
    """Photos of any size as a source of the page's pictures, one at a time."""

    def __init__(self, photos: Any):
        self.photos = as_photos(photos)
        self.shape = (len(self.photos),)

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, np.ndarray):  # for several pictures the page needs only the range of values
            return np.asarray([self.photos[int(index[0])]])
        photo: np.ndarray = self.photos[index]
        return photo


def _masks(folder: str | Path | None, names: list[str] | None) -> list[Path | None]:
    """The mask of each sample; InputError for samples without names."""
    if folder is None:
        return []
    if names is None:
        raise InputError("masks are found by the names of photos; give the samples that ganad.data.load returns")
    return find_masks(folder, names)


def _images(detector: Detector, pixels: Any, scores: np.ndarray, masks: list[Path | None]) -> report_page.Images:
    """The pictures; those that the page shows with heat maps, and with what else is known of them: what stands out,
    what the method redraws, and masks."""
    shown = report_page.shown(scores, detector.threshold_)
    reduced = report_page.reduced  # two hundred photos may be large
    known = {i: reduced(read_mask(file, None)) > 0 for i in shown.tolist() if masks and (file := masks[i])}
    if isinstance(detector, Regions):
        threshold = getattr(detector, "map_threshold_", None)
        stand_out, heat = {}, {}
        for i, found in zip(shown.tolist(), detector.inspect(taken(pixels.photos, shown))):
            heat[i] = reduced(to_scale(found.heat, float("inf") if threshold is None else threshold))
            if threshold is not None:
                stand_out[i] = found.regions
        return report_page.Images(pixels, heatmaps=heat, heat_full=1.0, masks=known, regions=stand_out)
    heat = dict(zip(shown.tolist(), detector.explain(pixels[shown])))
    redrawn = _if_able(detector, "reconstruct", pixels[shown])
    return report_page.Images(
        pixels,
        heatmaps={i: part for i, part in heat.items() if part.any()},  # a forest's says nothing
        reconstructions={} if redrawn is None else dict(zip(shown.tolist(), redrawn)),
        masks=known,
    )


def _codes(detector: Detector, x: Any) -> report_page.Codes | None:
    """Codes, if the method has an encoder, with the method's own clusters if it has a mixture of codes."""
    codes = _if_able(detector, "encode", x)
    if codes is None:
        return None
    mixture = getattr(detector, "mixture_", None)
    return report_page.Codes(codes, None if mixture is None else mixture.predict(codes))


def _doubts(detector: Detector) -> dict[str, object]:
    """The findings of the fit's self-test; model files before 0.2 have no self-test."""
    return {"self-test": str(detector.self_test_)} if hasattr(detector, "self_test_") else {}


def _names(samples: Any) -> list[str] | None:
    return samples.names if isinstance(samples, Samples) else None


def _columns(samples: Any) -> list[str] | None:
    """Names of a table's columns, from Samples or a data frame."""
    columns = getattr(samples, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def _if_able(detector: Detector, ability: str, *given: Any, **options: Any) -> Any:
    """The result of the detector's method of this name, or None if the detector does not support it."""
    return getattr(detector, ability)(*given, **options) if detector.supports(ability) else None
