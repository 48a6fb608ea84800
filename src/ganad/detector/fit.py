"""What belongs to one call of ``fit`` and is forgotten after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..progress import Bar
from ..training import Checkpoint, TrainingSet


@dataclass
class Fit:
    """One fit: its seed, where it shows and keeps its progress, and how many runs it has finished."""

    seed: int
    bar: Bar
    checkpoint: Checkpoint | None = None
    on_epoch: Callable[[Any], object] | None = None
    held_out: TrainingSet | None = None
    runs: int = 0

    def part(self, seed: int, on_epoch: Callable[[Any], object] | None) -> Fit:
        """The fit of one detector that another is made of: its runs go on in the same checkpoint."""
        return Fit(seed, self.bar, self.checkpoint, on_epoch, runs=self.runs)
