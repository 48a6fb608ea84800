"""What belongs to one call of ``fit`` and is forgotten after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..progress import Bar
from ..training import Checkpoint, TrainingSet


@dataclass(frozen=True)
class RunEnd:
    """What a run of the loop leaves behind, so that what follows it can be computed again."""

    weights: dict[str, Tensor]
    rng: dict[str, Tensor]
    history: list[dict[str, Any]]


@dataclass
class Fit:
    """One fit: its seed, where it shows and keeps its progress, and how many runs it has finished."""

    seed: int
    bar: Bar
    checkpoint: Checkpoint | None = None
    on_epoch: Callable[[Any], object] | None = None
    held_out: TrainingSet | None = None
    runs: int = 0
    ends: list[RunEnd] | None = None  #: where the ends of its runs are kept, if they are
    replay: Sequence[RunEnd] = ()  #: ends that take the place of its first runs

    def part(self, seed: int, on_epoch: Callable[[Any], object] | None) -> Fit:
        """The fit of one detector that another is made of: its runs go on in the same checkpoint."""
        return Fit(seed, self.bar, self.checkpoint, on_epoch, runs=self.runs, ends=self.ends)
