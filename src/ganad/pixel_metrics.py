"""How well the place of a defect is found: figures of masks and maps, of all photos at once or a photo at a time.

A mask is ``(H, W)``, True in the defect, nowhere True for a good photo; a map is ``(H, W)``, higher = more anomalous.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .errors import InputError

Pictures = Sequence[np.ndarray]
FIGURES = ("pixel_auroc", "aupro", "pointing", "pixel_f1_max")  #: what ``PixelFigures.every`` names them
_KEPT = 3_000_000  # pixels of good surface that a PixelFigures holds, of all photos together


def pixel_auroc(masks: Pictures, maps: Pictures) -> float:
    """Area under the ROC curve of the pixels of all photos together, ties counting half.

    masks: ``(H, W)`` of each photo; maps: ``(H, W)`` of each. Raises InputError for a map whose shape is not its
    mask's, for one that is not finite, and where no pixel, or every pixel, is a defect's.
    """
    return _collected(masks, maps).auroc()


def aupro(masks: Pictures, maps: Pictures, limit: float = 0.3) -> float:
    """Area under the per-region-overlap curve up to a false-positive rate of ``limit``, divided by ``limit``.

    The overlap is the share of a connected defect that lies above a threshold, averaged over all defects, so that a
    small one counts as much as a large one; the false-positive rate is the share of the good pixels of all photos.
    P. Bergmann et al., "The MVTec anomaly detection dataset", IJCV 2021. Raises InputError as ``pixel_auroc`` does, and
    unless 0 < limit <= 1.
    """
    if not 0 < limit <= 1:
        raise InputError(f"limit={limit} must lie in (0, 1]; it is a false-positive rate")
    return _collected(masks, maps).aupro(limit)


def pointing_accuracy(masks: Pictures, maps: Pictures, within: float = 0.0) -> float:
    """Share of the photos with a defect whose highest pixel lies in it, or at most ``within`` pixels away.

    Of several highest pixels the first counts. J. Zhang et al., "Top-down neural attention by excitation backprop",
    IJCV 2018, who allow 15 pixels. Raises InputError as ``pixel_auroc`` does.
    """
    return _collected(masks, maps).pointing(within)


class _Photo(NamedTuple):
    """What is kept of one photo."""

    good: np.ndarray  #: scores of good pixels, perhaps of some of them
    weight: float  #: good pixels that each of these stands for
    bad: np.ndarray  #: scores of the pixels of defects
    overlap: np.ndarray  #: share of its defect that each of these is
    defects: int
    miss: float | None  #: pixels from the highest one to the defect; None without one


class PixelFigures:
    """The same figures, from photos that come one at a time.

    Every pixel of a defect counts, and takes 12 bytes (float32 maps). With ``n_photos``, the number of photos to come,
    each gives three million over it good pixels at most, drawn by its number, each of which then stands for several: so
    memory grows with the defects, but not with the good surface.
    """

    def __init__(self, n_photos: int | None = None):
        self._most = sys.maxsize if n_photos is None else max(1, _KEPT // max(1, n_photos))
        self._photos: list[_Photo] = []

    def add(self, mask: np.ndarray, heat: np.ndarray) -> None:
        """The next photo. Raises InputError for a map of another shape than the mask's, or not finite."""
        number = len(self._photos)
        if np.shape(mask) != np.shape(heat) or np.ndim(mask) != 2:
            raise InputError(f"photo {number}: a mask of shape {np.shape(mask)} and a map of shape {np.shape(heat)}")
        mask, heat = np.asarray(mask, bool), np.asarray(heat)
        heat = heat.astype(np.result_type(heat, np.float32), copy=False)  # unsigned integers have no negatives
        if not np.isfinite(heat).all():
            raise InputError(f"maps: pixels of photo {number} are NaN or infinite")
        good = heat[~mask]
        n = len(good)
        if n > self._most:
            good = np.random.default_rng(number).choice(good, self._most, replace=False)
        labels, found = ndimage.label(mask, np.ones((3, 3)))
        own = labels[mask]
        sizes = np.bincount(own, minlength=found + 1)
        self._photos.append(
            _Photo(good, n / max(1, len(good)), heat[mask], 1 / sizes[own].astype(float), found, _miss(mask, heat))
        )

    def auroc(self, rows: Iterable[int] | None = None) -> float:
        """``pixel_auroc`` of the photos ``rows``, or of all."""
        return self._pixels(rows).auroc()

    def aupro(self, limit: float = 0.3, rows: Iterable[int] | None = None) -> float:
        """``aupro`` of the photos ``rows``, or of all."""
        return self._pixels(rows).aupro(limit)

    def f1_max(self, rows: Iterable[int] | None = None) -> float:
        """The highest F1 of pixels that any threshold on these very maps gives."""
        return self._pixels(rows).f1_max()

    def pointing(self, within: float = 0.0, rows: Iterable[int] | None = None) -> float:
        """``pointing_accuracy`` of the photos ``rows``, or of all."""
        return self._pixels(rows).pointing(within)

    def every(self, rows: Iterable[int] | None = None) -> dict[str, float]:
        """All four as ``FIGURES`` names them; the pixels are joined and sorted once."""
        pixels = self._pixels(rows)
        return dict(zip(FIGURES, (pixels.auroc(), pixels.aupro(), pixels.pointing(), pixels.f1_max())))

    def _pixels(self, rows: Iterable[int] | None) -> _Pixels:
        return _Pixels(self._photos if rows is None else [self._photos[i] for i in rows])


class _Pixels:
    """The pixels of some photos together."""

    def __init__(self, photos: list[_Photo]):
        self.defects, n_good = sum(photo.defects for photo in photos), sum(len(photo.good) for photo in photos)
        if not self.defects or not n_good:
            raise InputError("masks: no pixel, or every pixel, is a defect's; a figure of merit needs both")
        self.heat = np.concatenate([photo.good for photo in photos] + [photo.bad for photo in photos])
        weights = np.repeat([photo.weight for photo in photos], [len(photo.good) for photo in photos])
        overlap = np.concatenate([photo.overlap for photo in photos])
        self.wrong = np.concatenate([weights, np.zeros(len(overlap))])  #: good pixels that each stands for
        self.overlap = np.concatenate([np.zeros(n_good), overlap])  #: share of a defect that each is
        self.misses = [photo.miss for photo in photos if photo.miss is not None]

    def auroc(self) -> float:
        right = self.overlap > 0
        return self._area(self.wrong / self.wrong.sum(), right / right.sum(), 1.0)

    def aupro(self, limit: float = 0.3) -> float:
        return self._area(self.wrong / self.wrong.sum(), self.overlap / self.defects, limit)

    def f1_max(self) -> float:
        false, true = self._risen(self.wrong), self._risen((self.overlap > 0) * 1.0)
        return float(np.max(2 * true / (true + false + true[-1])))

    def pointing(self, within: float = 0.0) -> float:
        return float(np.mean([miss <= within for miss in self.misses]))

    def _area(self, wrong: np.ndarray, right: np.ndarray, limit: float) -> float:
        """Area under the curve of the weights ``right`` over ``wrong``, up to ``limit``, over ``limit``."""
        x, y = self._risen(wrong), self._risen(right)
        inside = x <= limit
        x_cut, y_cut = np.r_[x[inside], limit], np.r_[y[inside], np.interp(limit, x, y)]
        return float(np.trapezoid(y_cut, x_cut) / limit)

    def _risen(self, weights: np.ndarray) -> np.ndarray:
        """The sums of weights above a falling threshold; pixels of equal score come at once."""
        order, ends = self._falling
        sums: np.ndarray = np.r_[0.0, np.cumsum(weights[order])[ends]]
        return sums

    @cached_property
    def _falling(self) -> tuple[np.ndarray, np.ndarray]:
        """The pixels' order by falling score, and in it the last pixel of each score."""
        order = np.argsort(-self.heat, kind="stable")
        return order, np.flatnonzero(np.diff(self.heat[order], append=np.nan))


def _collected(masks: Pictures, maps: Pictures) -> PixelFigures:
    if len(masks) != len(maps):
        raise InputError(f"{len(masks)} masks and {len(maps)} maps; give one map for each mask")
    figures = PixelFigures()
    for mask, heat in zip(masks, maps):
        figures.add(mask, heat)
    return figures


def _miss(mask: np.ndarray, heat: np.ndarray) -> float | None:
    if not mask.any():
        return None
    y, x = np.unravel_index(np.argmax(heat), heat.shape)
    return float(np.hypot(*(np.argwhere(mask) - (y, x)).T).min())
