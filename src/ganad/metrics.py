"""Figures of merit of a score: pure functions of ``y`` and ``score``.

``y`` is ``(n,)`` with 1 for anomalies and 0 for normal samples; ``score`` is ``(n,)``, higher = more anomalous. All
functions raise InputError for a score that is not finite, for a ``y`` with other values or only one class, and for
different lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .errors import InputError
from .pixel_metrics import FIGURES, PixelFigures
from .pixel_metrics import aupro as aupro
from .pixel_metrics import pixel_auroc as pixel_auroc
from .pixel_metrics import pointing_accuracy as pointing_accuracy

Positive = Literal["anomaly", "normal"]

#: Salt of the generator that orders ties, so that its permutations differ from those that made the splits.
_TIES = 0x71E5


class Rates(NamedTuple):
    """Rates of a rule that flags samples as anomalies. The anomaly is the positive class."""

    precision: float  #: anomalies among the flagged; 0 if nothing is flagged
    recall: float  #: flagged among the anomalies
    f1: float  #: harmonic mean of the two
    n_flagged: int
    tied: int  #: samples whose score equals the lowest flagged one; 1 if no tie was broken


class Spread(NamedTuple):
    """Mean, median and sample standard deviation of runs or classes."""

    mean: float
    median: float
    sd: float | None  #: with n - 1 in the denominator; None for a single value
    n: int


def auroc(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve: the probability that an anomaly scores above a normal sample. Ties count half.

    >>> auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    0.75
    """
    from sklearn.metrics import roc_auc_score  # here and below: a detector that scores needs none of it

    y, score = _checked(y, score)
    return float(roc_auc_score(y, score))


def average_precision(y: np.ndarray, score: np.ndarray, positive: Positive = "anomaly") -> float:
    """Area under the precision-recall curve as a sum of steps (scikit-learn's ``average_precision_score``).

    positive: the class to find; "normal" ranks by ``-score``. The two results are not comparable.

    >>> average_precision(np.array([0, 1, 0, 1]), np.array([0.7, 0.8, 0.1, 0.9]))
    1.0
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*_turned(y, score, positive)))


def pr_area_trapezoid(y: np.ndarray, score: np.ndarray, positive: Positive = "anomaly") -> float:
    """Area under the precision-recall curve by the trapezoid rule, as in the EGBAD and Fence GAN codes.

    Straight lines between distant points overestimate the area: at prevalence ``p`` a constant score gets
    ``(1 + p) / 2``, while its average precision is ``p`` (Davis and Goadrich, ICML 2006).

    >>> pr_area_trapezoid(np.array([0, 0, 0, 1]), np.zeros(4))
    0.625
    """
    from sklearn.metrics import auc, precision_recall_curve

    precision, recall, _ = precision_recall_curve(*_turned(y, score, positive))
    return float(auc(recall, precision))


def n_flagged_at(rate: float, n: int) -> int:
    """``ceil(rate * n)``, at least 1: how many of ``n`` samples a share ``rate`` flags.

    Raises InputError unless 0 < rate <= 1.

    >>> n_flagged_at(0.07, 100)
    7
    """
    if not 0 < rate <= 1:
        raise InputError(f"rate={rate} must lie in (0, 1]; it is the share of the samples that is flagged")
    # without rounding, 0.07 of 100 samples would be 8
    return max(1, int(np.ceil(np.round(rate * n, 9))))


def flag_top(score: np.ndarray, rate: float, seed: int = 0) -> np.ndarray:
    """Mask ``(n,)`` of exactly ``ceil(rate * n)`` samples, the highest scores.

    ``score >= percentile`` flags more samples if scores tie, and on KDD99, whose rows repeat, many do. Here a random
    permutation of the positions, drawn from ``seed``, breaks ties. The positions themselves cannot: test sets are often
    sorted by class, so a constant score would be perfect or hopeless. The permutation depends neither on labels nor on
    scores, and its generator shares no stream with those that make splits. It depends on the order of the samples, so
    equal samples in another order may exchange flags. ``Rates.tied`` is the number of such samples.

    >>> flag_top(np.array([0.1, 0.2, 0.6, 0.5, 0.9]), rate=0.4)
    array([False, False,  True, False,  True])
    """
    score = _finite(score)
    place = np.random.RandomState([seed, _TIES]).permutation(len(score))
    mask = np.zeros(len(score), bool)
    mask[np.lexsort((place, -score))[: n_flagged_at(rate, len(score))]] = True
    return mask


def rates_at(y: np.ndarray, score: np.ndarray, rate: float, seed: int = 0) -> Rates:
    """Precision, recall and F1 of flagging exactly ``ceil(rate * n)`` samples; see ``flag_top`` for ties.

    >>> rates_at(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.5, 0.9]), rate=0.4)
    Rates(precision=0.5, recall=0.5, f1=0.5, n_flagged=2, tied=1)
    """
    y, score = _checked(y, score)
    mask = flag_top(score, rate, seed)
    return _rates(y, mask, int((score == score[mask].min()).sum()))


def rates_above(y: np.ndarray, score: np.ndarray, threshold: float) -> Rates:
    """Precision, recall and F1 of flagging the scores above ``threshold``.

    >>> rates_above(np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.5, 0.9]), threshold=0.55)
    Rates(precision=0.5, recall=0.5, f1=0.5, n_flagged=2, tied=1)
    """
    y, score = _checked(y, score)
    mask = _above(score, threshold)
    return _rates(y, mask, int((score == score[mask].min()).sum()) if mask.any() else 0)


def f1_max(y: np.ndarray, score: np.ndarray) -> float:
    """The highest F1 that any threshold on these very samples gives: a bound for thresholds chosen without labels.

    >>> f1_max(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    0.8
    """
    from sklearn.metrics import precision_recall_curve

    y, score = _checked(y, score)
    precision, recall, _ = precision_recall_curve(y, score)
    return float(max(map(f1_from, precision, recall)))


def f1_from(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall; 0 if both are 0.

    The harmonic mean is concave, so an F1 averaged over runs is at most the F1 of the averages. A table with a larger
    F1, beyond rounding, has a misprint.

    >>> f1_from(precision=0.6, recall=0.6)
    0.6
    """
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def balanced_accuracy(y: np.ndarray, score: np.ndarray, threshold: float) -> float:
    """Mean of the shares of anomalies above ``threshold`` and of normal samples not above it; chance is 0.5.

    >>> balanced_accuracy(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.8, 0.9]), threshold=0.5)
    0.75
    """
    y, score = _checked(y, score)
    above = _above(score, threshold)
    return float((above[y == 1].mean() + (~above[y == 0]).mean()) / 2)


def class_accuracies(y: np.ndarray, score: np.ndarray, threshold: float) -> dict[str, float]:
    """The figures of the MMOC-GAN paper: the accuracy on each class and on all samples, and an F1.

    ``pass_accuracy`` is the share of normal samples not above the threshold, ``nonpass_accuracy`` that of anomalies
    above it. In ``f1_pass_positive`` the normal class is positive. If most samples are normal, flagging nothing makes
    it, and ``accuracy``, nearly 1.

    >>> class_accuracies(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.8, 0.9]), threshold=0.5)["pass_accuracy"]
    0.5
    """
    y, score = _checked(y, score)
    above = _above(score, threshold)
    right = above == (y == 1)
    kept, passed = int((~above).sum()), int(right[y == 0].sum())
    return {
        "pass_accuracy": float(right[y == 0].mean()),
        "nonpass_accuracy": float(right[y == 1].mean()),
        "accuracy": float(right.mean()),
        "f1_pass_positive": f1_from(passed / kept if kept else 0.0, passed / int((y == 0).sum())),
    }


def prevalence(y: np.ndarray, positive: Positive = "anomaly") -> float:
    """Share of the positive class. A random score has it as average precision and, with many samples, as PR area.

    >>> prevalence(np.array([0, 0, 0, 1]))
    0.25
    """
    y, _ = _checked(y, np.zeros(len(np.atleast_1d(y))))
    return float(y.mean() if positive == "anomaly" else 1 - y.mean())


def lowest_pr_area(p: float) -> float:
    """Area under the precision-recall curve of the worst ranking at prevalence ``p``, 0 < p < 1, with many samples.

    ``1 + (1 - p) ln(1 - p) / p``, the integral of ``r p / (r p + 1 - p)`` over the recall ``r`` (Boyd et al., ICML
    2012). A published area below it belongs to another test set. Raises InputError unless 0 < p < 1.

    >>> round(lowest_pr_area(0.5), 4)
    0.3069
    """
    if not 0 < p < 1:
        raise InputError(f"prevalence {p} must lie strictly between 0 and 1")
    return float(1 + (1 - p) * np.log1p(-p) / p)


def summary(
    y: np.ndarray, score: np.ndarray, rate: float | None = None, threshold: float | None = None, seed: int = 0
) -> dict[str, float]:
    """All figures above in one flat dict, with chance levels.

    rate: adds precision, recall, F1 and counts for flagging exactly that share. threshold: adds the same with the
    ending ``_above``, the balanced accuracy and the accuracies by class.

    >>> figures = summary(np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    >>> figures["auroc"], figures["chance_average_precision"]
    (0.75, 0.5)
    """
    y, score = _checked(y, score)
    out: dict[str, float] = {"n": len(y), "n_anomalies": int(y.sum()), "auroc": auroc(y, score), "chance_auroc": 0.5}
    views: tuple[tuple[Positive, str], ...] = (("anomaly", ""), ("normal", "_normal"))
    for positive, end in views:
        p = prevalence(y, positive)
        out[f"average_precision{end}"] = average_precision(y, score, positive)
        out[f"pr_area_trapezoid{end}"] = pr_area_trapezoid(y, score, positive)
        out[f"chance_average_precision{end}"] = p
        out[f"chance_pr_area_trapezoid{end}"] = p
        out[f"constant_pr_area_trapezoid{end}"] = (1 + p) / 2
        out[f"lowest_pr_area{end}"] = lowest_pr_area(p)
    if rate is not None:
        at = rates_at(y, score, rate, seed)
        # with k flagged and m anomalies, precision / recall is m / k for any score, which can check a table
        out |= {"rate": rate, **at._asdict(), "precision_over_recall": float(y.sum() / at.n_flagged)}
    if threshold is not None:
        above = rates_above(y, score, threshold)
        out |= {f"{name}_above": value for name, value in above._asdict().items() if name != "tied"}
        out |= {"threshold": threshold, "balanced_accuracy": balanced_accuracy(y, score, threshold)}
        out |= class_accuracies(y, score, threshold)
    return out


def by_kind(
    kinds: Sequence[str] | None, y: np.ndarray, score: np.ndarray, pixels: PixelFigures | None = None
) -> list[dict[str, Any]]:
    """A line for each kind of anomaly against all normal samples, and one of all: areas and highest F1.

    kinds: ``(n,)``, of each sample, or None where they are not known; y: ``(n,)``; pixels: the maps of the samples
    against their masks, which adds ``pixel_auroc``, ``aupro``, ``pointing`` and ``pixel_f1_max``, None where a kind has
    no masks. Raises InputError as ``auroc`` does.

    >>> lines = by_kind(["good", "good", "cut", "hole"], np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9]))
    >>> {line["kind"]: line["auroc"] for line in lines}
    {'cut': 0.5, 'hole': 1.0, 'all': 0.75}
    """
    y, score = _checked(y, score)
    names = np.array(["all"] * len(y) if kinds is None else kinds, str)
    if len(names) != len(y):
        raise InputError(f"kinds: {len(names)} for {len(y)} scores; give one kind for each score")
    several = [] if kinds is None else sorted(set(names[y == 1].tolist()))
    lines = []
    for kind in [*several, None]:
        rows = np.flatnonzero((y == 0) | (names == kind) if kind is not None else y >= 0)
        line: dict[str, Any] = {
            "kind": kind if kind is not None else "all",
            "photos": int(y[rows].sum()),
            "auroc": auroc(y[rows], score[rows]),
            "f1_max": f1_max(y[rows], score[rows]),
        }
        lines.append(line if pixels is None else line | _place(pixels, rows.tolist()))
    return lines


def _place(pixels: PixelFigures, rows: list[int]) -> dict[str, Any]:
    try:
        return pixels.every(rows)
    except InputError:  # no mask among them
        return dict.fromkeys(FIGURES)


def mean_median_sd(values: Sequence[float] | np.ndarray) -> Spread:
    """Mean, median and sample standard deviation of ``values``, (n,).

    All three, because a published table prints the medians of its rows in a column headed "Mean". Raises InputError if
    there is no value or one is not finite.

    >>> mean_median_sd([1.0, 2.0, 6.0]).median
    2.0
    """
    v = _finite(values, "values")
    sd = float(v.std(ddof=1)) if len(v) > 1 else None
    return Spread(float(v.mean()), float(np.median(v)), sd, len(v))


def _rates(y: np.ndarray, mask: np.ndarray, tied: int) -> Rates:
    hits, flagged = int((y[mask] == 1).sum()), int(mask.sum())
    precision, recall = hits / flagged if flagged else 0.0, hits / int(y.sum())
    return Rates(precision, recall, f1_from(precision, recall), flagged, tied)


def _above(score: np.ndarray, threshold: float) -> np.ndarray:
    if np.isnan(threshold):  # nothing is above it, which would read as a figure
        raise InputError("threshold is NaN; it must be a number")
    return score > threshold


def _turned(y: np.ndarray, score: np.ndarray, positive: str) -> tuple[np.ndarray, np.ndarray]:
    y, score = _checked(y, score)
    if positive not in ("anomaly", "normal"):
        raise InputError(f"positive={positive!r} is not one of anomaly, normal")
    return (y, score) if positive == "anomaly" else (1 - y, -score)


def _finite(values: Sequence[float] | np.ndarray, name: str = "score") -> np.ndarray:
    try:
        v = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not numbers ({error})") from error
    if v.ndim != 1 or not len(v):
        raise InputError(f"{name}: shape {v.shape}, must be (n,) with at least one value")
    bad = np.flatnonzero(~np.isfinite(v))
    if len(bad):
        raise InputError(f"{name}: {len(bad)} of {len(v)} values are NaN or infinite, the first at position {bad[0]}")
    return v


def _checked(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    score, y = _finite(score), _finite(y, "y")
    if len(y) != len(score):
        raise InputError(f"y has {len(y)} labels and score {len(score)} values; give one label for each score")
    if not np.isin(y, (0, 1)).all():
        raise InputError("y: labels must be 1 for anomalies and 0 for normal samples")
    if y.min() == y.max():
        raise InputError(f"y: all {len(y)} samples are of one class; a figure of merit needs normal ones and anomalies")
    return y.astype(np.int8), score
