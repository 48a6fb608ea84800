"""Renew a model's calibration from the history of what it met.

A conformal threshold keeps its false-alarm rate only for normal samples that are exchangeable with those it was set on.
When light, machine or customers change, the promise ends. It is renewed by new normal samples, and only by the right
ones: a random sample of all the normal samples that come, whatever the model said of them.

**Who may enter.** Samples that were drawn as spot checks, a random share of all samples that is drawn before and
without a verdict (``ganad.watching.verdicts.is_spot_check``), and that a person called normal. Given that, scores of
spot checks and of normal samples to come are exchangeable, and the threshold of ``calibrate.threshold`` flags at most
the asked-for share of them. Flagged spot checks enter like all others: they are that part of the normal samples which
the old threshold flags wrongly, and without them the new one would be too low.

**Who may not.** Dismissed flags. Every one of them scored above the threshold, so together they are the top tail of the
normal scores and nothing else: a threshold that flags 1 % of them flags about a hundredth of the samples that the old
one flags wrongly, and misses anomalies that the asked-for rate would have found. Adding them to spot checks is the same
mistake, diluted. Confirmed normal samples among those that passed are the opposite mistake: they all lie below the
threshold, so the new one lies there as well.

**All spot checks of a time, or none.** A person who answers the easy ones and leaves the rest makes a choice that
depends on the sample. While a spot check of the time that is asked for has no answer, nothing is renewed; ``until`` may
end the time before it, because a time is chosen without looking at scores.

**From when.** Scores from before a change are not exchangeable with those after it: ``since`` begins the time after it.

The history keeps scores, and scores are all that a conformal calibration needs: no sample has to be stored. Scores of
another model mean nothing here, so rows of this model's file alone are taken. V. Vovk et al., "Algorithmic Learning in
a Random World", 2005; what one threshold's own rate scatters by is V. Vovk, "Conditional validity of inductive
conformal predictors", ACML 2012. benchmarks/recalibration.py compares all of these choices where the truth is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import calibrate
from .detector import Detector
from .errors import InputError
from .history import Row
from .loading import load_hashed

if TYPE_CHECKING:
    from .history import History


@dataclass(frozen=True)
class Share:
    """How many of some samples a threshold flags."""

    flagged: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share, at 95 %: C. Clopper, E. Pearson, Biometrika 1934."""
        return calibrate.clopper_pearson(self.flagged, self.of)

    def __str__(self) -> str:
        if not self.of:
            return "none"
        low, high = self.interval
        return f"{self.flagged:,} of {self.of:,} ({100 * low:.2g} to {100 * high:.2g} %)"


@dataclass(frozen=True)
class Comparison:
    """What the old and the new threshold flag of the samples that each was set on, and of confirmed anomalies."""

    old_threshold: float
    new_threshold: float
    old_samples: np.ndarray  #: scores that calibrated the old model, (m,); empty where it was not calibrated
    new_samples: np.ndarray  #: scores of the spot checks that calibrate the new one, (n,)
    anomalies: np.ndarray  #: scores of the time's samples that a person called anomalies, (k,)
    false_alarm_rate: float  #: that the new threshold keeps

    def flagged(self, scores: np.ndarray) -> tuple[Share, Share]:
        """By the old threshold, by the new one."""
        old, new = ((scores > threshold).sum() for threshold in (self.old_threshold, self.new_threshold))
        return Share(int(old), len(scores)), Share(int(new), len(scores))

    def __str__(self) -> str:
        sets = {
            "old calibration": self.old_samples,
            "spot checks": self.new_samples,
            "anomalies": self.anomalies,
        }
        lines = [f"{'flagged by':16} {'old':>28} {'new':>28}"]
        for name, scores in sets.items():
            old, new = self.flagged(scores)
            lines.append(f"{name:16} {old!s:>28} {new!s:>28}")
        return "\n".join([f"threshold        {self.old_threshold:28.6g} {self.new_threshold:28.6g}", *lines])


def recalibrate(
    model: str | Path,
    history: History,
    *,
    false_alarm_rate: float | None = None,
    since: float | None = None,
    until: float | None = None,
) -> tuple[Detector, Comparison]:
    """The detector in the file ``model`` with its calibration renewed, ready to be saved, and what that changes.

    false_alarm_rate: None keeps the model's own. since, until: the time of the samples, seconds since 1970-01-01 UTC.
    Its ``parent_`` is the SHA-256 of ``model``. See the module for which samples enter and why.

    Raises InputError where spot checks wait for an answer, where too few were called normal for the rate, and where the
    model has no rate of its own.
    """
    detector, sha256 = load_hashed(model)
    rate = own_rate(detector, model) if false_alarm_rate is None else false_alarm_rate
    least = calibrate.least_samples(rate)
    drawn = [row for page in history.pages(model=sha256, since=since, until=until, spot_check=True) for row in page]
    scores = exchangeable(drawn, history.place)
    if len(scores) < least:
        raise InputError(
            f"{history.place}: {len(scores):,} spot checks of this model were called normal in this time, and a "
            f"false-alarm rate of {rate:g} needs {least:,}; look at more of them, or allow more false alarms"
        )
    confirmed = history.pages(model=sha256, since=since, until=until, feedback="anomaly")
    anomalies = np.array([row.score for page in confirmed for row in page], float)
    old, kept = detector.threshold_, getattr(detector, "calibration_", np.empty(0))
    detector.calibrate_on_scores(scores, false_alarm_rate=rate)
    detector.parent_ = sha256
    return detector, Comparison(old, detector.threshold_, kept, scores, anomalies, rate)


def exchangeable(spot_checks: list[Row], where: str) -> np.ndarray:
    """Scores ``(n,)`` of the spot checks that a person called normal; InputError while one has no answer."""
    waiting = [row for row in spot_checks if row.feedback is None]
    if waiting:
        raise InputError(
            f"{where}: {len(waiting):,} of {len(spot_checks):,} spot checks wait for a person, the first with id "
            f"{waiting[0].id}; which ones are answered must not depend on how they look, so answer them all "
            "(ganad history --review), or end the time before the first of them (--until)"
        )
    return np.array([row.score for row in spot_checks if row.feedback == "normal"], float)


def own_rate(detector: Detector, model: str | Path) -> float:
    """The false-alarm rate that the detector was calibrated for; InputError where there is none."""
    rate: float | None = getattr(detector, "false_alarm_rate_", None)
    if rate is None:
        raise InputError(f"{model}: the model file names no false-alarm rate; give one with --false-alarm-rate")
    return rate
