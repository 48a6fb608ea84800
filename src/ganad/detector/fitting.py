"""The state of one call of ``fit`` while it runs, and the samples that a second fit keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import UNUSED
from torch import Tensor

from ..progress import Bar
from ..seeds import seed_from
from ..training import Checkpoint, TrainingSet, ranks

_LEAST = 2  # samples that a fit needs
#: Keywords of ``fit`` that scikit-learn's metadata routing must not send anywhere.
NOT_ROUTED = dict.fromkeys("checkpoint resume checkpoint_every on_epoch hold_out false_alarm_rate".split(), UNUSED)


@dataclasses.dataclass(frozen=True)
class RunEnd:
    """The end of a run of the loop, so that the computations after it can be repeated."""

    weights: dict[str, Tensor]
    rng: dict[str, Tensor]
    history: list[dict[str, Any]]


@dataclasses.dataclass
class Fit:
    """The state of one call of ``fit``, which is dropped at its end."""

    seed: int
    bar: Bar
    checkpoint: Checkpoint | None = None
    on_epoch: Callable[[Any], object] | None = None
    decides: bool = False  #: whether its detector's own threshold is wanted; that of a part of another is not
    aside: bool = False  #: whether its detector is dropped after it has scored some samples; it logs nothing
    held_out: TrainingSet | None = None
    n_train: int = 0  #: samples that are trained on
    runs: int = 0  #: finished runs; with ``trim`` those of both fits, because a checkpoint counts them together
    first: int = 0  #: of these, the runs of earlier members of the detector that this one is a part of
    ends: list[RunEnd] | None = None  #: list that collects the ends of its runs, if they are kept
    replay: Sequence[RunEnd] = ()  #: ends that replace its first runs
    stage: str = ""  #: prefix of the names of this fit's stages
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)  #: the rows before this fit

    def part(self, seed: int, on_epoch: Callable[[Any], object] | None) -> Fit:
        """The fit of a member of another detector. Its runs go on in the same checkpoint."""
        part = Fit(seed, self.bar, self.checkpoint, on_epoch, runs=self.runs, first=self.runs, ends=self.ends)
        return dataclasses.replace(part, aside=self.aside, stage=self.stage)

    def beside(self, number: int, count: int) -> Fit:
        """A fit of which only some scores are wanted, for the threshold of this one, as the bar says.

        number: of the ``count`` fits that are made in all, from 1. It is not in the checkpoint.
        """
        stage = f"fit {number} of {count} "
        self.bar.update(number - 1, count, "", f"{self.bar.title} {stage}".rstrip())
        return Fit(self.seed, self.bar, aside=True, stage=stage)

    def again(self, history: list[dict[str, Any]]) -> None:
        """Begin the second fit of two."""
        self.stage, self.history, self.held_out = self.stage + "trimmed ", history, None


def seed_for(random_state: Any, mark: str) -> int:
    """The seed of a fit: from its ``random_state``, else from the mark of its checkpoint, else a new one."""
    if random_state is not None:
        return int(check_random_state(random_state).randint(2**31))
    if mark:
        return seed_from(mark) % 2**31  # a resumed fit must find the seed it began with
    # from the system, so that the caller's random state is left alone here as well
    return int(ranks().agreed(np.random.SeedSequence().generate_state(1)[0] % 2**31))


def calmest(scores: np.ndarray, trim: float) -> np.ndarray:
    """Row numbers, in order, without the share ``trim`` that has the highest scores. At least two are kept."""
    keep = max(_LEAST, len(scores) - int(trim * len(scores) + 1e-9))
    return np.sort(np.argsort(scores, kind="stable")[:keep])
