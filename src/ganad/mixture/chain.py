"""Running a sampler: starts, burn-in, label samples, the best state, and stopping by the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from scipy.stats import gamma

from . import niw


class Sampler(Protocol):
    """A Markov chain over labellings."""

    alpha: float

    def sweep(self, rng: np.random.Generator) -> None: ...
    def log_joint(self) -> float: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def n_clusters(self) -> int: ...


@dataclass
class Schedule:
    """How long to run and which samples to keep."""

    n_sweeps: int
    burn_in: int
    thin: int
    alpha_prior: tuple[float, float] | None = None
    progress: Callable[[dict[str, Any]], object] | None = None

    @property
    def pilot(self) -> int:
        """Sweeps of each start before one of them is chosen. Those of the winner count."""
        return max(1, min(self.burn_in, self.n_sweeps) // 6)


@dataclass
class History:
    """The trace of one start and its best state."""

    start: str
    log_joint: list[float] = field(default_factory=list)
    n_clusters: list[int] = field(default_factory=list)
    alpha: list[float] = field(default_factory=list)
    samples: list[np.ndarray] = field(default_factory=list)
    best_log_joint: float = -np.inf
    best_labels: np.ndarray | None = None
    best_alpha: float = np.nan
    interrupted: bool = False


def _record(history: History, sampler: Sampler, schedule: Schedule) -> None:
    value = sampler.log_joint()
    if schedule.alpha_prior:
        shape, rate = schedule.alpha_prior
        value += float(gamma.logpdf(sampler.alpha, shape, scale=1.0 / rate))
    history.log_joint.append(value)
    history.n_clusters.append(sampler.n_clusters)
    history.alpha.append(sampler.alpha)
    if value > history.best_log_joint:
        history.best_log_joint, history.best_alpha = value, sampler.alpha
        history.best_labels = sampler.labels.copy()


def _advance(
    history: History,
    sampler: Sampler,
    schedule: Schedule,
    until: int,
    n_points: int,
    rng: np.random.Generator,
) -> None:
    while len(history.log_joint) < until:
        sampler.sweep(rng)
        if schedule.alpha_prior:
            sampler.alpha = niw.draw_alpha(rng, sampler.alpha, n_points, sampler.n_clusters, *schedule.alpha_prior)
        _record(history, sampler, schedule)
        done = len(history.log_joint)
        if done > schedule.burn_in and (done - schedule.burn_in) % schedule.thin == 0:
            history.samples.append(sampler.labels.copy())
        if schedule.progress is not None:
            schedule.progress(
                {
                    "start": history.start,
                    "sweep": done,
                    "n_sweeps": schedule.n_sweeps,
                    "n_clusters": history.n_clusters[-1],
                    "log_joint": history.log_joint[-1],
                }
            )


def run(
    starts: Sequence[tuple[str, Callable[[], np.ndarray]]],
    make: Callable[[np.ndarray], Sampler],
    schedule: Schedule,
    rng: np.random.Generator,
) -> History:
    """Try each start for a few sweeps and go on with the one of the highest log joint.

    KeyboardInterrupt ends the run and returns the history of the best start so far, with ``interrupted`` set. It is
    raised again only if there is no labelling yet.
    """
    histories: list[History] = []
    samplers: list[Sampler] = []
    interrupted = False
    try:
        for name, labelling in starts:
            labels = labelling()
            sampler = make(labels)
            history = History(name)
            # if the user stops early, the start itself may be the best state
            history.best_labels, history.best_alpha = labels.copy(), sampler.alpha
            histories.append(history)
            samplers.append(sampler)
            if len(starts) > 1:
                _advance(history, sampler, schedule, schedule.pilot, len(labels), rng)
        winner = int(np.argmax([h.log_joint[-1] if h.log_joint else -np.inf for h in histories]))
        _advance(histories[winner], samplers[winner], schedule, schedule.n_sweeps, len(labels), rng)
    except KeyboardInterrupt:
        if not histories:
            raise
        interrupted = True
    best = max(histories, key=lambda h: h.best_log_joint) if interrupted else histories[winner]
    best.interrupted = interrupted
    return best
