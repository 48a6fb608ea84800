"""AUROC against training time: a GAN trains for a stated time of one core, and is scored at log-spaced moments.

A curve is a pure function of its task and its minutes, as a trial is. The fit gets training samples alone. Some test
samples are scored while it trains, as for the column "best epoch", and the scores meet the labels after the fit.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics, protocols
from ..data import refill
from ..engines import Engine, Lost, local
from ..errors import InputError, NotSupported, UntrustedFit
from .grid import deadline, recorded, tasks
from .machine import commit, peak_mb, reset_peak
from .recipes import Budget
from .rows import Row, Task, asked, is_current, make, mend, parameters, read
from .suites import SUITES
from .trial import read as samples_of

if TYPE_CHECKING:
    from ..detector import Detector

FILE = "curves.jsonl"
#: Tables whose lines have curves, with their classes: digits held out, and a normal digit.
CLASSES = {"study-mnist": ("0", "1", "5"), "adgan-mnist": ("8",)}
#: The GANs, those of the five papers first.
GANS = (
    *("FenceGAN", "GANomaly", "IGMMGAN", "ADGAN", "MMOCGAN", "ALAD", "AnoGAN", "OCGAN", "EGBAD-sigma", "EGBAD-fm"),
    *("RGAN", "FAnoGAN", "SkipGANomaly", "OCAN"),
)
_MOMENTS = 13  # moments of a curve after the first step, and the earliest of them as a share of the whole time
_EARLIEST = 1 / 64
_WATCHED = 1000  # test samples, as many of them normal as anomalous as there are
_SEARCHED = 200  # the same for a score that is a search, which takes about a second


@dataclass(frozen=True)
class Curve:
    """One curve to make."""

    task: Task
    minutes: float  #: of one core, or of the clock on a GPU

    def asked(self) -> Row:
        """The part of the row that is known before. "curve_of" is the table, because a curve is no row of it."""
        row = asked(self.task)
        return {"curve_of": row.pop("suite"), **row, "minutes": self.minutes}


def curves(
    methods: Sequence[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
    seeds: int = 1,
    minutes: float = 10.0,
    budget: Budget = "paper",
    data_dir: str | Path | None = None,
    device: str = "auto",
) -> list[Curve]:
    """The curves of these lines and classes, seed by seed and method by method; None means all that have curves.

    budget: at "paper" the published settings on all samples, whose published length ends a curve that has time left.
    Raises InputError for an unknown line or class, and for a device that this machine does not have.
    """
    known = {cls for names in CLASSES.values() for cls in names}
    if unknown := set(classes or ()) - known:
        raise InputError(f"curves have no class {', '.join(sorted(unknown))}; they have {', '.join(sorted(known))}")
    found: list[Task] = []
    for method in methods or GANS:
        named = [task for suite in CLASSES for task in tasks(suite, labels=[method]) if task.label in GANS]
        if not named:
            raise InputError(f"{method} has no curve; there are {', '.join(GANS)}")
    for suite, own in CLASSES.items():
        if wanted := [cls for cls in own if cls in (classes or own)]:
            how: dict[str, Any] = dict(classes=wanted, seeds=seeds, budget=budget, data_dir=data_dir, device=device)
            found += tasks(suite, labels=methods or GANS, **how)
    found = sorted((task for task in found if task.label in GANS), key=lambda task: GANS.index(task.label))
    return [Curve(task, minutes) for task in sorted(found, key=lambda task: task.seed)]


def run(
    wanted: Sequence[Curve],
    folder: str | Path,
    *,
    engine: Engine | None = None,
    hours: float | None = None,
    on_row: Callable[[Row, int, int], None] | None = None,
) -> list[Row]:
    """Make the curves that have no row in ``folder/curves.jsonl``, append them and return them.

    A curve that has as many minutes as asked, or ended at its full length, is not made again. No curve begins later
    than ``hours`` after the call. Raises InputError for a damaged file of rows.
    """
    path = Path(folder) / FILE
    end = deadline(hours)
    mend(path)
    before = current(read(path))
    todo = [curve for curve in wanted if not any(_answers(row, curve) for row in before)]
    made = (engine or local(1)).map(measure, (curve for curve in todo if time.monotonic() < end))
    rows = (curve.asked() | {"error": found.reason} if isinstance(found, Lost) else found for curve, found in made)
    return recorded(rows, lambda row: path, len(todo), "curves", on_row)


def current(rows: Iterable[Row]) -> list[Row]:
    """The curves that would be made alike today; of each line, class and seed the longest one that did not fail."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        suite = SUITES.get(row.get("curve_of", ""))
        if suite is None or "error" in row or row["label"] not in {r.label for r in suite.recipes}:
            continue
        if not is_current(asked(Task(suite, row["label"], row["class"], row["seed"], row["budget"])), row):
            continue
        key = tuple(str(row[name]) for name in ("curve_of", "label", "class", "seed", "budget"))
        if key not in found or row["seconds"][-1] >= found[key]["seconds"][-1]:
            found[key] = row
    return list(found.values())


def _answers(row: Row, curve: Curve) -> bool:
    wanted = curve.asked()
    same = all(row[name] == wanted[name] for name in ("curve_of", "label", "class", "seed", "budget"))
    return same and (row["minutes"] >= curve.minutes or row["ended"] == "length")


def measure(curve: Curve) -> Row:
    """The row of a curve; one with ``error`` if something failed."""
    row = curve.asked()
    try:
        return row | _measured(curve)
    except Exception as error:  # one method's failure must not end hours of others
        return row | {"error": f"{type(error).__name__}: {error}"}


class TimeIsUp(Exception):
    """Ends a fit whose time is over."""


def _measured(curve: Curve) -> Row:
    import torch

    from .. import devices, files  # import torch

    task = curve.task
    recipe = task.suite.recipe(task.label)
    samples, data = samples_of(task.suite.protocol, task.data_dir, task.suite.own)
    n_train, n_test = task.suite.caps(task.budget)
    entry = protocols.PROTOCOLS[task.suite.protocol]
    split = entry.split(samples, task.cls, task.seed, n_train=n_train, n_test=n_test)
    x, x_test = split.take(refill(samples, split.train).x)
    arguments = recipe.arguments(task.budget)
    model = make(recipe.detector, *arguments)
    # a threshold is of no use to a curve, and costs as many scores as it has samples
    model.set_params(random_state=task.seed, threads=1, verbose=0, device=task.device, threshold_samples=2)
    rows = watched(split.y_test, _SEARCHED if model.NO_FORWARD_PASS else _WATCHED)
    on_cpu = devices.choose_device(task.device).type == "cpu"
    look = Moments(x, x_test[rows], 60 * curve.minutes, time.process_time if on_cpu else time.perf_counter)
    reset_peak()
    ended = "length"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedFit)
        try:
            model.fit(x, on_epoch=look)
        except TimeIsUp:
            ended = "time"
    if ended == "length":
        look.note(model)
    aurocs = [round(metrics.auroc(split.y_test[rows], scores), 6) for scores in look.scores]
    if not aurocs:
        raise InputError(f"{task.label} could not be scored at any moment of {curve.minutes:g} minutes")
    return {
        "parameters": parameters(make(recipe.detector, *arguments)),
        "data": data,
        "split": split.hash,
        "n_train": len(x),
        "n_watched": len(rows),
        "seconds": look.seconds,
        "epochs": look.epochs,
        "auroc": aurocs,
        "ended": ended,
        "peak_mb": peak_mb(),
        "device": str(look.device),
        "gpu": torch.cuda.get_device_name() if look.device.startswith("cuda") else None,
        "versions": files.versions(),
        "commit": commit(),
    }


def watched(y: np.ndarray, n: int) -> np.ndarray:
    """Positions of about ``n`` test samples, half of them anomalies where there are enough: fewer say as much so."""
    rng = np.random.default_rng(0)
    halves = [np.flatnonzero(y == kind) for kind in (0, 1)]
    return np.sort(np.concatenate([rng.permutation(half)[: n // 2] for half in halves]))


def moments(seconds: float) -> list[float]:
    """The times of a curve: after the first step, then log-spaced up to ``seconds``."""
    return [0.0, *np.geomspace(seconds * _EARLIEST, seconds, _MOMENTS).tolist()]


class Moments:
    """Called within epochs where a moment has come: keeps scores of some test samples, and raises TimeIsUp at the end.

    It has no labels. The time that it spends is not the fit's.
    """

    def __init__(self, x: np.ndarray, x_test: np.ndarray, seconds: float, clock: Callable[[], float]):
        self.x, self.x_test, self.clock = x, x_test, clock
        self.waiting = moments(seconds)
        self.scores: list[np.ndarray] = []
        self.seconds: list[float] = []
        self.epochs: list[int] = []
        self.device = ""
        self.began, self.away = clock(), 0.0

    def due(self) -> bool:
        """Whether the next moment has come."""
        return self.clock() - self.began - self.away >= self.waiting[0]

    def __call__(self, model: Detector) -> None:
        if not self.due():
            return
        now = self.note(model)
        self.waiting = [moment for moment in self.waiting if moment > now]
        if not self.waiting:
            raise TimeIsUp

    def note(self, model: Detector) -> float:
        """Score the test samples as the model is now, and return the seconds that it has trained."""
        start = self.clock()
        now = start - self.began - self.away
        self.device = str(model.device_)
        with contextlib.suppress(InputError):  # a method of several stages has no score in the first ones
            scores = self._whole(model).anomaly_score(self.x_test)
            if np.isfinite(scores).all():
                self.scores.append(scores)
                self.seconds.append(round(now, 2))
                self.epochs.append(len(model.history_))
        self.away += self.clock() - start
        return now

    def _whole(self, model: Detector) -> Detector:
        """The model, or a copy with what its method computes after training."""
        from ..detector import NetworkDetector  # imports torch

        if not model.unlearnt():
            return model
        if not isinstance(model, NetworkDetector):
            raise NotSupported(f"{type(model).__name__} has no score yet")
        return model.as_if_ended(self.x)
