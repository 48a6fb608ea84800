"""One trial: one detector fitted once and measured, as a pure function of its task."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from .. import metrics, protocols
from ..data import Samples, refill
from ..errors import InputError, UntrustedFit
from . import places
from .machine import commit, peak_mb, reset_peak
from .recipes import Source
from .rows import Row, Task, asked, make, parameters

if TYPE_CHECKING:
    from ..detector import Detector

_WATCHED = 1000  # test samples that are scored after every epoch
_AGAIN = 7  # test samples that are scored a second time, without the others
_GRID = 41  # points of a stored ROC curve
_BINS = 30  # bins of a stored histogram


def trial(task: Task, *, watch: bool = True) -> Row:
    """Fit a recipe on a class with a seed and measure it. The last epoch counts, and no test label is used.

    ``watch`` also records what the best epoch on the test labels would have claimed; nothing uses that figure. A failed
    trial gives a row with ``error``. Raises InputError for a label that the suite does not have.
    """
    row = asked(task)
    try:
        return row | measured(task, watch=watch)
    except Exception as error:  # one method's failure must not end a grid of hours
        return row | {"error": f"{type(error).__name__}: {error}"}


def measured(task: Task, *, watch: bool = True) -> Row:
    """The measured part of a row. Raises any error of the data, the fit or the scores."""
    import torch

    from .. import files  # imports torch

    read(task.suite.protocol, task.data_dir, task.suite.own)  # reading is not in the trial's peak
    reset_peak()
    at_hand = prepared(task)
    model, split, x, x_test = at_hand.model, at_hand.split, at_hand.x, at_hand.x_test
    look = Watch(x_test) if watch and not model.NO_FORWARD_PASS else None
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedFit)  # the row records it
        model.fit(x, on_epoch=look)
    fitted = time.perf_counter()
    scores, more = _scored(model, at_hand)
    end = time.perf_counter()
    refuse_peeking(model, x_test, scores)
    rate = protocols.PROTOCOLS[task.suite.protocol].rate
    out = metrics.summary(split.y_test, scores, rate=rate, threshold=model.threshold_, seed=task.seed)
    return {
        "parameters": parameters(model),
        "data": at_hand.data,
        "split": split.hash,
        "n_train": len(x),
        "n_train_cap": split.n_train_cap,
        "n_test_cap": split.n_test_cap,
        "metrics": {k: round(float(v), 6) for k, v in (out | more.pop("metrics", {})).items()},
        **more,
        "self_test": _self_test(model),
        "best_epoch_on_test": look.best(split.y_test) if look else None,
        "roc": roc(split.y_test, scores),
        "histogram": histogram(split.y_test, scores),
        "fit_s": round(fitted - start - (look.seconds if look else 0), 2),
        "score_s": round(end - fitted, 4),
        "peak_mb": peak_mb(),
        "device": str(model.device_),
        "gpu": torch.cuda.get_device_name() if model.device_.type == "cuda" else None,
        "versions": files.versions(),
        "commit": commit(),
    }


def _scored(model: Detector, at_hand: Prepared) -> tuple[np.ndarray, dict[str, Any]]:
    """The scores of the test samples; of photos also what else goes into the row, with further ``metrics``."""
    from ..photos import Regions  # imports torch

    if not isinstance(model, Regions):
        return model.anomaly_score(at_hand.x_test), {}
    seen = places.look(model, at_hand.x_test, at_hand.masks)
    found, lines = seen.figures(at_hand.split.y_test, at_hand.kinds)
    return seen.scores, {"metrics": found, "by_kind": lines}


def _self_test(model: Detector) -> dict[str, Any] | None:
    """What the fit found out about itself."""
    found = getattr(model, "self_test_", None)
    return json.loads(json.dumps(dataclasses.asdict(found))) if found is not None else None


class Prepared(NamedTuple):
    """What a trial needs before its fit."""

    model: Detector  #: not fitted
    split: protocols.Split
    x: np.ndarray  #: training samples
    x_test: np.ndarray
    data: str  #: the hash of all samples
    kinds: np.ndarray  #: the classes of the test samples
    masks: list[Path | None] | None  #: of the test samples, where masks are known


def prepared(task: Task) -> Prepared:
    """The detector and the samples of a task. Raises InputError for data that cannot be read."""
    samples, data = read(task.suite.protocol, task.data_dir, task.suite.own)
    n_train, n_test = task.suite.caps(task.budget)
    entry = protocols.PROTOCOLS[task.suite.protocol]
    split = entry.split(samples, task.cls, task.seed, n_train=n_train, n_test=n_test)
    recipe = task.suite.recipe(task.label)
    around: dict[str, Any] = dict(snapshots=recipe.snapshots, regions=recipe.regions)
    model = make(recipe.detector, *recipe.arguments(task.budget), own=task.suite.has_todays_defaults, **around)
    model.set_params(random_state=task.seed, threads=1, verbose=0, device=task.device)
    assert samples.y is not None  # the protocol needs them
    masks = samples.masks and [samples.masks[i] for i in split.test]
    return Prepared(model, split, *split.take(refill(samples, split.train).x), data, samples.y[split.test], masks)


def refuse_peeking(model: Detector, x: np.ndarray, scores: np.ndarray) -> None:
    """Raise InputError if a sample's score depends on other samples, the leak behind many published figures."""
    rows = np.random.default_rng(0).permutation(len(x))[:_AGAIN]
    if not np.array_equal(model.anomaly_score(x[rows]), scores[rows]):
        raise InputError(
            f"{type(model).__name__}: a score depends on the other samples; such a row measures the test set"
        )


@functools.lru_cache(maxsize=2)
def read(protocol: str, data_dir: str | None, own: Source | None) -> tuple[Samples, str]:
    """The samples of the protocol or of the user, and their hash. They are kept for the worker's next trial."""
    samples = own.read() if own else protocols.read(protocol, data_dir=data_dir)
    return samples, samples.hash()


class Watch:
    """Called after every epoch: keeps the scores of some test samples at the epochs of the last stage.

    It has no labels, so the fit cannot use any. The labels are compared with the scores after the fit.
    """

    def __init__(self, x: np.ndarray):
        self.rows = np.sort(np.random.default_rng(0).choice(len(x), min(_WATCHED, len(x)), replace=False))
        self.x = x[self.rows]
        self.scores: list[np.ndarray] = []
        self.stage = ""
        self.seconds = 0.0  # time spent here, which the fit's time must not include

    def __call__(self, model: Detector) -> None:
        start = time.perf_counter()
        stage = model.history_[-1]["stage"]
        if stage != self.stage:
            self.stage, self.scores = stage, []
        if not model.unlearnt():  # a score may need attributes that only the end of the fit sets
            with contextlib.suppress(InputError):
                self.scores.append(model.anomaly_score(self.x))
        self.seconds += time.perf_counter() - start

    def best(self, y: np.ndarray) -> float | None:
        """The highest AUROC of an epoch, given the labels of all test samples; None if no epoch has one."""
        y = y[self.rows]
        if y.min() == y.max():
            return None
        return max((round(metrics.auroc(y, s), 6) for s in self.scores if np.isfinite(s).all()), default=None)


def roc(y: np.ndarray, score: np.ndarray) -> list[float]:
    """True positive rates at equally spaced false positive rates from 0 to 1."""
    fpr, tpr, _ = roc_curve(y, score)
    return [round(float(v), 4) for v in np.interp(np.linspace(0, 1, _GRID), fpr, tpr)]


def histogram(y: np.ndarray, score: np.ndarray) -> dict[str, list[float]]:
    """Counts of normal and anomalous samples by score. Scores outside of the range count in the outer bins."""
    low, high = np.quantile(score, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    counts = [np.histogram(np.clip(score[y == k], edges[0], edges[-1]), edges)[0].tolist() for k in (0, 1)]
    return {"edges": [float(edges[0]), float(edges[-1])], "normal": counts[0], "anomalous": counts[1]}
