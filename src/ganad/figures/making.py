"""The fits behind figures: those of the benchmark's recipes, so that a figure shows what a row measures."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bench import SUITES, Task
from ..bench.recipes import Budget
from ..bench.trial import prepared, read
from ..errors import UntrustedFit
from ..protocols import PROTOCOLS
from .entry import Asked

if TYPE_CHECKING:
    from ..detector import Detector

SEED = 0


@dataclass(frozen=True)
class Fit:
    """A line of a table to fit, perhaps with other settings than its own."""

    suite: str
    label: str
    cls: str | None = None
    settings: tuple[tuple[str, Any], ...] = ()  #: that replace the recipe's, at every budget
    quick: tuple[tuple[str, Any], ...] = ()  #: that replace the recipe's at ``quick``
    n_train: int | None = None  #: training samples at ``quick``; None: as the suite
    n_test: int | None = None  #: test samples at ``quick`` and ``smoke``; None: as the suite
    protocol: str = ""  #: another protocol than the suite's

    def task(self, budget: Budget, data_dir: str | None) -> Task:
        """The task of the benchmark that this is."""
        suite = SUITES[self.suite]
        recipe = suite.recipe(self.label)
        recipe = dataclasses.replace(recipe, settings=dict(recipe.settings) | dict(self.settings))
        recipe = dataclasses.replace(recipe, quick=dict(recipe.quick) | dict(self.quick))
        n_train, n_test = self.n_train or suite.quick_train, self.n_test or suite.quick_test
        if budget == "smoke":
            n_train, own = suite.caps(budget)
            n_test = self.n_test or own
            budget, recipe = "quick", dataclasses.replace(recipe, quick=recipe.arguments("smoke")[1])
        suite = dataclasses.replace(
            suite,
            protocol=self.protocol or suite.protocol,
            recipes=(recipe,),
            quick_train=n_train,
            quick_test=n_test,
        )
        return Task(suite, self.label, self.cls, SEED, budget, data_dir)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted detector and the samples around it."""

    model: Any  #: the detector; figures use parts that only some have
    x: np.ndarray  #: training samples
    x_test: np.ndarray
    y_test: np.ndarray  #: 1 for anomalies
    names: np.ndarray  #: class of each test sample
    scores: np.ndarray  #: of the test samples
    made: str  #: data, length and seed in a sentence


@functools.lru_cache(maxsize=12)  # the ten classes of ADGAN's galleries, and two
def fitted(fit: Fit, budget: Budget, data_dir: str | None) -> Fitted:
    """The fit, or the same one again if another figure of this call has made it. Raises InputError for missing data."""
    task = fit.task(budget, data_dir)
    at_hand = prepared(task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedFit)  # a figure shows what a fit is worth
        at_hand.model.fit(at_hand.x)
    samples, _ = read(task.suite.protocol, data_dir, None)
    assert samples.y is not None  # a protocol has labels
    scores = at_hand.model.anomaly_score(at_hand.x_test)
    names = samples.y[at_hand.split.test].astype(str)
    made = described(fit.label, task, at_hand.model, at_hand.x)
    return Fitted(at_hand.model, at_hand.x, at_hand.x_test, at_hand.split.y_test, names, scores, made)


def described(label: str, task: Task, model: Detector, x: np.ndarray) -> str:
    """Line, data, passes and seed of a fit."""
    entry = PROTOCOLS[task.suite.protocol]
    role = {"anomaly": "held out", "normal": "alone normal", "fold": "the fold"}.get(entry.role, "")
    cls = f", {task.cls} {role}" if len(entry.classes) > 1 else ""
    passes = sum("epoch" in row for row in model.history_)
    side = f", seen at {size} x {size} pixels" if (size := model.get_params().get("image_size")) else ""
    length = f"{passes} pass{'es' * (passes != 1)}, seed {task.seed}"
    return f"{label} fitted to {len(x):,} samples of {entry.dataset}{cls}{side}, {length}"


def of_images(asked: Asked, fit: Fit, cls: str | None = None, *, n_test: int | None = None, **smoke: Any) -> Fit:
    """The fit, or at ``smoke`` the same line on the digits that come with scikit-learn and need no file.

    cls: the digit, if the fit's class is none. n_test: test images at ``smoke``. smoke: settings at ``smoke``.
    """
    if asked.budget != "smoke":
        return fit
    protocol = "digits-one" if "-one-" in SUITES[fit.suite].protocol else "digits-lo"
    return Fit("digits", fit.label, cls or fit.cls, fit.settings, tuple(smoke.items()), None, n_test, protocol)


def decoded(model: Any, codes: np.ndarray) -> np.ndarray:
    """What the generator makes of codes ``(n, k)``, in the units and shape of the data."""
    import torch

    with torch.no_grad():
        z = torch.as_tensor(np.asarray(codes, np.float32), device=model.device_)
        found: np.ndarray = model.input_.to_user(model.generator()(z)).cpu().numpy()
    return found


def plane(codes: np.ndarray) -> np.ndarray:
    """Codes ``(n, k)`` in the plane by t-SNE ``(n, 2)``, with a fixed seed."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    codes = np.asarray(codes, np.float64)
    if codes.shape[1] > 30:
        codes = PCA(min(30, len(codes) - 1), random_state=0).fit_transform(codes)
    near = min(30.0, (len(codes) - 1) / 3)
    found: np.ndarray = TSNE(2, init="pca", perplexity=near, random_state=0).fit_transform(codes)
    return found


def some(n: int, most: int) -> np.ndarray:
    """At most ``most`` of ``n`` positions, ascending, drawn with a fixed seed."""
    return np.sort(np.random.default_rng(SEED).permutation(n)[:most])
