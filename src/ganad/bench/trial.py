"""One row of the results: one method fitted once, as a pure function of what the row says about it."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics, protocols
from ..data import Samples, refill
from ..errors import InputError
from .suites import SUITES, Budget, Suite

if TYPE_CHECKING:
    from ..detector import Detector
    from .own import OwnData

_WATCHED = 1000  # test samples looked at after every epoch
_AGAIN = 7  # test samples scored a second time, by themselves
_GRID = 41  # points of a stored ROC curve
_BINS = 30  # of a stored histogram
_THE_TRIALS = ("random_state", "threads", "verbose", "device")  # settings that say nothing of a method


def trial(
    suite: str | Suite,
    label: str,
    cls: str | None,
    seed: int,
    budget: Budget,
    data_dir: str | None,
    device: str = "auto",
    *,
    watch: bool = True,
) -> dict[str, Any]:
    """Fit one recipe of a suite on one class with one seed, and measure it; last epoch, no test label used.

    ``watch`` records, and never uses, what the best epoch on the test labels would have claimed. A trial that fails
    is a row with ``error``; only KeyboardInterrupt gets out.
    """
    entry = SUITES[suite] if isinstance(suite, str) else suite
    row = asked(entry, label, cls, seed, budget)
    try:
        return row | measured(
            entry.protocol,
            row["detector"],
            row["preset"],
            row["settings"],
            cls,
            seed,
            entry.caps(budget),
            data_dir,
            watch,
            entry.own,
            device,
        )
    except Exception as error:  # a grid of hours must not end with one method's failure
        return row | {"error": f"{type(error).__name__}: {error}"}


def asked(entry: Suite, label: str, cls: str | None, seed: int, budget: Budget) -> dict[str, Any]:
    """The part of a row that is known before the trial, and says which trial it is."""
    recipe = entry.recipe(label)
    preset, settings = recipe.arguments(budget)
    row: dict[str, Any] = {"suite": entry.name, "protocol": entry.protocol, "label": label, "detector": recipe.detector}
    row |= {"class": cls, "seed": seed, "budget": budget, "preset": preset, "settings": settings}
    return row | ({"data_hash": entry.own.hash} if entry.own else {})


def measured(
    protocol: str,
    detector: str,
    preset: str | None,
    settings: dict[str, Any],
    cls: str | None,
    seed: int,
    caps: tuple[int | None, int | None],
    data_dir: str | None,
    watch: bool,
    own: OwnData | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """The measured part of a row."""
    import torch

    from .. import persist

    samples, data = read(protocol, data_dir, own)
    reset_peak()
    entry = protocols.PROTOCOLS[protocol]
    split = entry.split(samples, cls, seed, n_train=caps[0], n_test=caps[1])
    x, x_test = split.take(refill(samples, split.train).x)
    model = make(detector, preset, settings).set_params(random_state=seed, threads=1, verbose=0, device=device)
    look = Watch(x_test) if watch and not model.NO_FORWARD_PASS else None
    start = time.perf_counter()
    model.fit(x, on_epoch=look)
    fitted = time.perf_counter()
    scores = model.anomaly_score(x_test)
    end = time.perf_counter()
    refuse_peeking(model, x_test, scores)
    out = metrics.summary(split.y_test, scores, rate=entry.rate, threshold=model.threshold_, seed=seed)
    return {
        "parameters": parameters(detector, preset, settings),
        "data": data,
        "split": split.hash,
        "n_train": len(x),
        "n_train_cap": split.n_train_cap,
        "n_test_cap": split.n_test_cap,
        "metrics": {k: round(float(v), 6) for k, v in out.items()},
        "best_epoch_on_test": look.best(split.y_test) if look else None,
        "roc": roc(split.y_test, scores),
        "histogram": histogram(split.y_test, scores),
        "fit_s": round(fitted - start - (look.seconds if look else 0), 2),
        "score_s": round(end - fitted, 4),
        "peak_mb": peak_mb(),
        "device": str(model.device_),
        "gpu": torch.cuda.get_device_name() if model.device_.type == "cuda" else None,
        "versions": persist.versions(),
        "commit": commit(),
    }


def refuse_peeking(model: Detector, x: np.ndarray, scores: np.ndarray) -> None:
    """InputError if a sample's score changes with the samples beside it, the leak behind many published figures."""
    rows = np.random.default_rng(0).permutation(len(x))[:_AGAIN]
    if not np.array_equal(model.anomaly_score(x[rows]), scores[rows]):
        raise InputError(
            f"{type(model).__name__}: a score depends on the other samples; such a row measures the test set"
        )


def make(detector: str, preset: str | None, settings: dict[str, Any]) -> Detector:
    """The detector of a trial."""
    from .. import methods

    cls = getattr(methods, detector)
    model: Detector = cls.preset(preset, **settings) if preset else cls(**settings)
    return model


def parameters(detector: str, preset: str | None, settings: dict[str, Any]) -> dict[str, Any]:
    """All settings of a detector as a row holds them, those that the trial itself sets aside."""
    found = make(detector, preset, settings).get_params()
    out: dict[str, Any] = json.loads(json.dumps({k: v for k, v in found.items() if k not in _THE_TRIALS}, default=str))
    return out


@functools.lru_cache(maxsize=2)
def read(protocol: str, data_dir: str | None, own: OwnData | None) -> tuple[Samples, str]:
    """The data of the protocol or one's own, with their hash, kept for a worker's next trial."""
    samples = own.read() if own else protocols.read(protocol, data_dir=data_dir)
    return samples, samples.hash()


class Watch:
    """Called after every epoch: scores of test samples at the epochs of the last stage.

    It holds no labels, so none is within a fit's reach; they meet the scores when the fit is over.
    """

    def __init__(self, x: np.ndarray):
        self.rows = np.sort(np.random.default_rng(0).choice(len(x), min(_WATCHED, len(x)), replace=False))
        self.x = x[self.rows]
        self.scores: list[np.ndarray] = []
        self.stage = ""
        self.seconds = 0.0  # no part of the fit's time

    def __call__(self, model: Detector) -> None:
        start = time.perf_counter()
        stage = model.history_[-1]["stage"]
        if stage != self.stage:
            self.stage, self.scores = stage, []
        # a score may need what only the end of the fit makes
        with contextlib.suppress(AttributeError, InputError):
            self.scores.append(model.anomaly_score(self.x))
        self.seconds += time.perf_counter() - start

    def best(self, y: np.ndarray) -> float | None:
        """Highest AUROC of an epoch, given the labels of all test samples; None where no epoch has one."""
        y = y[self.rows]
        if y.min() == y.max():
            return None
        return max((round(metrics.auroc(y, s), 6) for s in self.scores if np.isfinite(s).all()), default=None)


def roc(y: np.ndarray, score: np.ndarray) -> list[float]:
    """True positive rates at equally spaced false positive rates 0 .. 1."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(y, score)
    return [round(float(v), 4) for v in np.interp(np.linspace(0, 1, _GRID), fpr, tpr)]


def histogram(y: np.ndarray, score: np.ndarray) -> dict[str, list[float]]:
    """Counts of normal and anomalous samples over the bulk of the scores; what lies outside counts at the ends."""
    low, high = np.quantile(score, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    counts = [np.histogram(np.clip(score[y == k], edges[0], edges[-1]), edges)[0].tolist() for k in (0, 1)]
    return {"edges": [float(edges[0]), float(edges[-1])], "normal": counts[0], "anomalous": counts[1]}


def reset_peak() -> None:
    """Let ``peak_mb`` begin anew, where the system can: a worker has many trials."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float | None:
    """Largest resident memory of this worker since ``reset_peak``; of all its trials where that does nothing."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


@functools.cache
def commit() -> str | None:
    """The revision of this package's source, with + where files differ from it; None outside a repository."""
    here = Path(__file__).parent
    try:
        name = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", str(here.parent)],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")
