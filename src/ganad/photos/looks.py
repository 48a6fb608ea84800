"""Looks at photos: what is seen of one, and regions that wait until there are enough to score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..detector import Detector
from .view import Grid

AT_ONCE = 2048  # regions that the inner detector scores together


@dataclass(frozen=True, eq=False)
class Look:
    """What is seen of one photo."""

    shape: tuple[int, ...]  #: of the photo
    grid: Grid  #: of ``values``, in the photo
    scores: np.ndarray  #: of its regions ``(rows, columns)``, NaN where none counts
    values: np.ndarray  #: the map on the grid: the same, or in detail those of the positions in its cells


class Waiting:
    """Collects regions until there are enough, because each small part would cost the detector a whole chunk."""

    def __init__(self, detector: Detector):
        self.detector, self.count = detector, 0
        self.regions: list[np.ndarray] = []
        self.places: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, regions: np.ndarray, scores: np.ndarray, numbers: np.ndarray) -> None:
        """Add regions whose scores go to ``scores[numbers]``."""
        self.regions.append(regions)
        self.places.append((scores, numbers))
        self.count += len(regions)
        if self.count >= AT_ONCE:
            self.score()

    def score(self) -> None:
        """Score all collected regions."""
        if not self.regions:
            return
        found = self.detector.anomaly_score(np.concatenate(self.regions))
        for scores, numbers in self.places:
            scores[numbers], found = found[: len(numbers)], found[len(numbers) :]
        self.regions, self.places, self.count = [], [], 0
