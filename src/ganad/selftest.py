"""The self-test of a fitted model: figures that need no labelled anomaly, and rules for when not to trust the model.

Scores of normal samples alone show little. So they are compared with scores of samples that are made from normal ones
and are surely not normal. Each kind keeps one property and breaks another; see ``made``. A model is upside down if it
takes made samples for more normal than real ones. The opposite proves nothing: made samples are easier than real
anomalies, and the model that tells them best need not be the best model.

Photos have defects planted in them instead; see ``photos.planted``.

This file has only arithmetic on arrays. ``Detector.self_test`` provides the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from .metrics import auroc

#: Scores that differ by less than this many units in the last place count as equal.
_ULPS = 64
#: Least share of distinct scores among distinct samples that a sound model gives.
_DISTINCT = 0.1
#: A threshold that is lower than the scores of made samples by this factor is zero up to rounding.
_NOTHING = 1e-9
#: Least variance of generated samples relative to real ones: a tenth in standard deviation.
_VARIETY = 0.01
#: Rank correlation with the distance from the mean above which a trained network adds nothing to that distance.
_ONLY_DISTANCE = 0.995
#: AUROC below which samples made of real parts count as taken for normal. If real samples vary more than their
#: mixtures, in size or in ink, good detectors have .4 as well.
_UPSIDE_DOWN = 0.3
#: Share of held-out normal samples above the threshold from which the threshold needs calibration.
_FLAGGED = 0.2
#: Training samples under which a model may know each by heart, and the AUROC of all made samples that shows it. Of 56
#: fits of 28 methods to 20 samples, 10 flagged more than .8 of new normal ones: it finds 9 of them, not Skip-GANomaly
#: on digits, and of the other 46 two that flagged .6 and one that flagged .3.
_BY_HEART, _WITHOUT_FAULT = 50, 0.99
#: Fewest samples for a verdict; with fewer, chance decides.
_FEW = 8
_MIXED = ("columns", "halves", "patches", "scratch", "spot", "uneven", "patch")  # of real parts, or real for the most
#: What is planted in photos, see ``photos.planted``: a thin line, darker or brighter; a spot, dark unless it is black
#: there; uneven light; a patch of another place, turned; a part out of focus.
PLANTED = ("scratch", "spot", "uneven", "patch", "blur")

_HOLD_OUT = "hold samples out (--false-alarm-rate 0.05; in Python also hold_out=0.2), or fit on more samples"
_LONGER = "train it longer, with another random_state or another scaling, or use another method"


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """The figures that ``Detector.self_test`` measured, and its verdict."""

    n: int  #: normal samples that were scored
    held_out: bool  #: False: the model was trained on them, so most figures flatter it
    distinct: float  #: number of distinct scores over distinct samples; usually 1
    spread: float  #: (largest - smallest score) / largest absolute score; 1e-7 is rounding
    threshold: float  #: above it a sample is called an anomaly
    flagged: float  #: share of these normal samples above the threshold
    auroc: dict[str, float]  #: of made samples against these, by kind: 1 tells all apart, .5 none, 0 is upside down
    distance: float | None  #: rank correlation of the score and the distance from the training mean; 1: they agree
    variety: float | None  #: variance of generated samples over that of these; None: the method has no generator
    n_made: int | None = None  #: made samples of each kind; None: n
    findings: tuple[str, ...] = ()  #: reasons not to trust the model, each with what to try
    notes: tuple[str, ...] = ()  #: limits of the score, which good models have as well

    @property
    def trusted(self) -> bool:
        """Whether the test found nothing against the model. The model may still be bad."""
        return not self.findings

    def __str__(self) -> str:
        """The figures in a line."""
        parts = [f"AUROC against {kind} {value:.2f}" for kind, value in self.auroc.items()]
        parts += [f"variety of generated samples {self.variety:.2g}"] if self.variety is not None else []
        if self.distance is not None:
            parts.append(f"rank correlation with the distance from the mean {self.distance:.2f}")
        silent = "nothing found against it" if self.n >= _FEW else f"{self.n} samples are too few to judge it by"
        verdict = silent if self.trusted else "; ".join(self.findings)
        parts[:0] = [f"{self.n_made} made of each kind"] if self.n_made is not None else []
        return f"{verdict} ({self.n} {'held-out' if self.held_out else 'training'} samples: {', '.join(parts)})"

    def __post_init__(self) -> None:
        """Raise ValueError for counts that no self-test has, as a file may hold them."""
        if self.n < 1 or (self.n_made is not None and self.n_made < 1):
            raise ValueError("a self-test has one sample or more")

    @property
    def chance(self) -> float:
        """Two standard errors of an AUROC of samples of one distribution."""
        n, m = self.n, self.n if self.n_made is None else self.n_made
        return 2 * float(np.sqrt((n + m + 1) / (12 * n * m)))


def made(x: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Samples that are surely not normal, as many of each kind as there are in ``x``, of its shape and type.

    noise    each value uniform between the smallest and the largest of its column, or of all pixels. It keeps only the
             range. A score that does not tell it from real samples is upside down.
    columns  (tables) each column from other rows. It keeps every column's distribution and loses the relations between
             columns. An AUROC near .5 means that the score looks at columns one by one.
    halves   (images) halves of two images, side by side or one above the other. It keeps textures and lighting and
             loses the relation of the halves.
    patches  (images) a patch of a third of each side, from elsewhere in another image: a local defect.
    blur     (images) the same images, out of focus. Residuals grow with fine detail, so many scores take blurred images
             for more normal than sharp ones. Such a detector does not notice a lens out of focus.
    """
    if x.ndim == 2:
        out = {"noise": rng.uniform(x.min(0), x.max(0), size=x.shape).astype(x.dtype)}
        if x.shape[1] > 1:
            out["columns"] = np.stack([rng.permutation(column) for column in x.T], axis=1)
        return out
    others = np.roll(x, 1 + int(rng.integers(max(1, len(x) - 1))), axis=0)
    sigma = max(0.7, min(x.shape[1:3]) / 28)
    blurred = gaussian_filter(x.astype(np.float64), (0, sigma, sigma, 0)[: x.ndim])
    return {
        "noise": _like(rng.uniform(float(x.min()), float(x.max()), size=x.shape), x),
        "halves": _halves(x, others),
        "patches": _patches(x, others, rng),
        "blur": _like(blurred, x),
    }


def _like(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (values if x.dtype.kind == "f" else values.round()).astype(x.dtype)


def _halves(x: np.ndarray, others: np.ndarray) -> np.ndarray:
    joined = x.copy()
    height, width = x.shape[1] // 2, x.shape[2] // 2
    joined[::2, :, width:] = others[::2, :, width:]
    joined[1::2, height:] = others[1::2, height:]
    return joined


def _patches(x: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pasted = x.copy()
    sides = np.array([-(-side // 3) for side in x.shape[1:3]])
    ends = np.array(x.shape[1:3]) - sides + 1
    for image, other in zip(pasted, others):
        (to_y, to_x), (of_y, of_x) = rng.integers(ends), rng.integers(ends)
        image[to_y : to_y + sides[0], to_x : to_x + sides[1]] = other[of_y : of_y + sides[0], of_x : of_x + sides[1]]
    return pasted


def examine(
    x: np.ndarray,
    scores: np.ndarray,
    made_scores: Mapping[str, np.ndarray],
    threshold: float,
    *,
    held_out: bool,
    is_trained: bool,
    judges_new: bool = False,
    distances: np.ndarray | None = None,
    variety: float | None = None,
) -> SelfTest:
    """The figures of a model, and the findings by the rules.

    x: normal samples ``(n, ...)`` with scores ``(n,)``. made_scores: by kind, of those of ``made`` or of ``planted``,
    as many of each. distances: ``(n,)`` from the training mean, in the units in which the score is computed.
    is_trained: whether a network was trained, which should have learnt more than a mean. judges_new: whether samples
    that were not learnt set the threshold, so that it holds for new ones even if the model knows its samples by heart.
    variety: of generated samples, see ``variety_of``.
    """
    scores = np.nan_to_num(scores)
    made_scores = {kind: np.nan_to_num(other) for kind, other in made_scores.items()}
    size, n_made = float(np.abs(scores).max()), min(map(len, made_scores.values()))
    figures = SelfTest(
        n=len(x),
        held_out=held_out,
        distinct=float(len(np.unique(scores)) / len(np.unique(x.reshape(len(x), -1), axis=0))),
        spread=float(np.ptp(scores)) / size if size else 0.0,
        threshold=threshold,
        flagged=float((scores > threshold).mean()),
        auroc={kind: _told(scores, other) for kind, other in made_scores.items()},
        distance=_correlation(scores, distances),
        variety=variety,
        n_made=n_made if n_made != len(x) else None,
    )
    found = [*_of_scores(x, scores, figures), *_of_threshold(scores, made_scores, threshold)]
    found += [
        *_of_made(figures),
        *_of_chance(figures),
        *([] if judges_new else _of_few(figures)),
        *_of_training(figures, is_trained),
    ]
    return SelfTest(**{**vars(figures), "findings": tuple(found), "notes": tuple(_notes(figures, is_trained))})


def variety_of(generated: np.ndarray, real: np.ndarray, *, by_column: bool) -> float:
    """Variance of generated samples over that of real ones, both ``(n, d)``.

    by_column: each column in its own unit. Columns that are constant in the real samples do not count.
    """
    a, b = generated.astype(np.float64).var(0), real.astype(np.float64).var(0)
    varies = b > 0
    if not varies.any():
        return 1.0
    if by_column:
        return float(np.median(a[varies] / b[varies]))
    return float(a[varies].sum() / b[varies].sum())


def _told(scores: np.ndarray, other: np.ndarray) -> float:
    both = np.concatenate([scores, other]).astype(np.float64)
    y = np.repeat([0, 1], [len(scores), len(other)])
    return round(auroc(y, both), 4)


def _correlation(scores: np.ndarray, distances: np.ndarray | None) -> float | None:
    if distances is None or len(scores) < _FEW or not np.ptp(scores) or not np.ptp(distances):
        return None
    return round(float(spearmanr(scores, distances).statistic), 4)


# -- the rules --------------------------------------------------------------------------------------------


def _of_scores(x: np.ndarray, scores: np.ndarray, figures: SelfTest) -> list[str]:
    if len(np.unique(x.reshape(len(x), -1), axis=0)) < _FEW:
        return []
    rounding = _ULPS * float(np.finfo(scores.dtype if scores.dtype.kind == "f" else np.float64).eps)
    if figures.spread <= rounding:
        return [f"all normal samples have the same score up to rounding, as from a saturated network; {_LONGER}"]
    if figures.distinct < _DISTINCT:
        return [f"{figures.n} normal samples have only {len(np.unique(scores))} different scores; {_LONGER}"]
    return []


def _of_threshold(scores: np.ndarray, made_scores: Mapping[str, np.ndarray], threshold: float) -> list[str]:
    others = np.concatenate([*made_scores.values()])
    if min(scores.min(), others.min()) < 0:  # zero has a meaning only for residuals and distances
        return []
    if not 0 <= threshold <= _NOTHING * float(np.median(others)) or not np.median(others):
        return []
    return [
        f"the threshold {threshold:.2g} is zero up to rounding, because the model repeats its training samples, and "
        f"will flag nearly everything else; {_HOLD_OUT}"
    ]


def _of_made(figures: SelfTest) -> list[str]:
    level = 0.5 - figures.chance
    for kind, limit in (("noise", 0.5), *((kind, _UPSIDE_DOWN) for kind in _MIXED)):
        value = figures.auroc.get(kind, 1.0)
        if value < min(limit, level):
            return [f"it takes {_WORDS[kind]} for more normal than the normal samples (AUROC {value:.2f}); {_LONGER}"]
    return []


def _of_chance(figures: SelfTest) -> list[str]:
    """Whether no kind of made samples is told from normal ones; noise in photos, which anything tells, is left out."""
    planted = set(PLANTED) <= figures.auroc.keys()
    told = max(figures.auroc[kind] for kind in (PLANTED if planted else figures.auroc))
    if min(figures.n, figures.n_made or figures.n) < _FEW or told > 0.5 + figures.chance:
        return []
    if planted:
        return [
            f"it tells no planted defect from normal photos (AUROC {told:.2f} at best); take another backbone, smaller "
            "tiles or another method"
        ]
    return [
        f"it tells nothing from normal samples that is made of them, nor noise (AUROC {told:.2f} at best); {_LONGER}"
    ]


def _of_few(figures: SelfTest) -> list[str]:
    """Whether few training samples are known by heart: then whatever was not among them is told from them."""
    kinds = [value for kind, value in figures.auroc.items() if kind != "blur"]
    if figures.held_out or figures.n >= _BY_HEART or len(kinds) < 2 or min(kinds) < _WITHOUT_FAULT:
        return []
    return [
        f"it tells the {figures.n} training samples from all others, as a model does that knows them by heart, and may "
        f"flag nearly everything new; {_HOLD_OUT}"
    ]


def _of_training(figures: SelfTest, is_trained: bool) -> list[str]:
    if figures.variety is not None and figures.variety < _VARIETY:
        return [
            f"its generator always draws nearly the same sample ({figures.variety:.1g} of the variance of the data); "
            f"{_LONGER}"
        ]
    if is_trained and (figures.distance or 0) > _ONLY_DISTANCE:
        return [
            "it orders normal samples by their distance from the mean and has learnt no more than that; train it "
            "longer, or use another method"
        ]
    return []


def _notes(figures: SelfTest, is_trained: bool) -> list[str]:
    notes, chance = [], figures.chance
    if figures.held_out and figures.flagged > _FLAGGED:
        notes.append(f"its threshold flags {100 * figures.flagged:.0f} % of normal samples; calibrate it")
    if not is_trained and (figures.distance or 0) > _ONLY_DISTANCE:
        notes.append("it orders normal samples by their distance from the mean")
    for kind in _MIXED:
        if figures.auroc.get(kind, 1.0) < 0.5 + chance and figures.n >= _FEW:
            notes.append(f"it does not tell {_WORDS[kind]} from normal samples")
    if figures.auroc.get("blur", 1.0) < 0.5 - chance:
        notes.append("it takes blurred images for more normal than sharp ones")
    return notes


_WORDS = {
    "noise": "noise in the range of the data",
    "columns": "rows whose columns are drawn one by one",
    "halves": "images joined from two halves",
    "patches": "images with a patch of another",
    "scratch": "photos with a scratch",
    "spot": "photos with a dark spot",
    "uneven": "photos with uneven light",
    "patch": "photos with a patch of another place",
}
