"""Photos in a trial: their scores and, where masks are known, how well the place of a defect is found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import metrics
from ..data import read_mask
from ..pixel_metrics import PixelFigures

if TYPE_CHECKING:
    from ..photos import Regions

_MEAN_REGION = "auroc_mean_region"  # had the photo's score been the mean of its regions' scores
_OF_MASKS = ("pixel_auroc", "aupro", "pointing")
FIGURES = (_MEAN_REGION, *_OF_MASKS)  #: metrics that rows of photos have beside the others


class Places(NamedTuple):
    """What one look at some photos gives."""

    scores: np.ndarray  #: ``(n,)``, those of ``anomaly_score``
    mean_scores: np.ndarray  #: ``(n,)``, the means of the regions' scores
    pixels: PixelFigures | None  #: the maps against the masks, where there are any

    def figures(self, y: np.ndarray, kinds: np.ndarray) -> tuple[dict[str, float], list[dict[str, Any]]]:
        """Metrics of all photos, and lines by kind of defect; ``y`` and ``kinds`` are ``(n,)``."""
        lines = metrics.by_kind(kinds.tolist(), y, self.scores, self.pixels)
        found = {_MEAN_REGION: metrics.auroc(y, self.mean_scores)}
        return found | {name: lines[-1][name] for name in _OF_MASKS if lines[-1].get(name) is not None}, lines


def look(model: Regions, photos: Any, masks: list[Path | None] | None) -> Places:
    """Score photos, and compare their maps with the masks; memory holds a photo at a time."""
    from ..photos.pool import pooled

    n = len(photos)
    scores, means = np.empty(n), np.empty(n)
    pixels = PixelFigures(n) if masks and any(masks) else None
    for i, finding in enumerate(model.inspect(photos)):
        scores[i], means[i] = finding.score, pooled(finding.region_scores, "mean")
        if pixels is not None and masks is not None:
            pixels.add(read_mask(masks[i], finding.heat.shape), finding.heat)
    return Places(scores, means, pixels)
