"""From scores to decisions: verdicts, p-values, thresholds with a guarantee, selections."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import calibrate
from ..deprecation import renamed

_UNCALIBRATED = "%(name)s is not calibrated; call calibrate(X) with normal samples that were not trained on"


_LEAST_TO_PART = 10  # training samples, so that a fit without a fifth of them still sees most
_FEW = 2000  # training samples, up to which a network may know them by heart
_MOST_PARTS = 3  # because each takes as long as the fit itself
_ENOUGH = 2000  # scores for a threshold: of 1 % they flag 1 % with a deviation of .2


class Thresholds:
    """The decisions of every detector. They need only ``anomaly_score``."""

    LEARNS: ClassVar[dict[str, str]] = {
        "offset_": "float",
        "calibration_": "floating[calibrated]?",
        "false_alarm_rate_": "float?",
    }

    contamination: float
    threshold_samples: int
    threshold_fits: int | None
    offset_: float
    calibration_: np.ndarray
    false_alarm_rate_: float

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is normal."""
        raise NotImplementedError

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Scores ``(n,)``, higher is more anomalous."""
        raise NotImplementedError

    def score_samples(self, X: Any) -> np.ndarray:
        """Scikit-learn's sign: lower is more anomalous."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """``score_samples - offset_``: negative for anomalies; 0 at the threshold, also where both are infinite."""
        scores = self.score_samples(X)
        with np.errstate(invalid="ignore"):
            return np.where(scores == self.offset_, 0.0, scores - self.offset_)

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit, and judge the training samples themselves, ``(n,)``: the share ``contamination`` is -1, others 1.

        It is ``fit(X).predict(X)``, unless the threshold is meant for new samples; see ``novelty``.
        """
        scores = self.fit(X, y).anomaly_score(X)
        is_new = hasattr(self, "novelty")
        return np.where(scores > (np.quantile(scores, 1 - self.contamination) if is_new else self.threshold_), -1, 1)

    @property
    def novelty(self) -> bool:
        """True, if ``contamination`` is a share of new samples and not of the training samples; else it is missing.

        The name is that of scikit-learn, which looks for it.
        """
        if self.threshold_fits == 0:
            raise AttributeError(f"the scores of training samples set the threshold of this {type(self).__name__}")
        return True

    def fits_for_threshold(self, n: int) -> int:
        """How many more fits ``threshold_fits`` asks for with ``n`` training samples.

        None asks for none with more than 2,000 samples, because networks seldom know theirs by heart, and else for one.
        With so few samples that a fifth of them cannot show a share of ``contamination``, it asks for up to three. With
        many samples fewer fits give scores enough.
        """
        if n < _LEAST_TO_PART or not self.part_is_alike(n):
            return 0
        if self.threshold_fits is not None:
            return min(self.threshold_fits, math.ceil(_ENOUGH / self._fifth(n)))
        return 0 if n > _FEW else self.parts_for(n // 5)

    def part_is_alike(self, n: int) -> bool:
        """Whether a fit to four fifths of ``n`` samples has scores on the scale of the fit to all; asked after it."""
        return True

    def parts_for(self, size: int) -> int:
        """How many parts of ``size`` samples, one to three, it takes to show a share of ``contamination``."""
        wanted = 1 / self.contamination if self.contamination else 0
        return min(_MOST_PARTS, max(1, round(wanted / size)))

    def count_unlearnt(self, n: int) -> int:
        """How many scores of samples that were not learnt set the threshold of a fit to ``n`` samples; 0: none do."""
        return self.fits_for_threshold(n) * self._fifth(n)

    def judges_new(self, n: int) -> bool:
        """Whether samples that were not learnt set the threshold of a fit to ``n`` samples."""
        return self.count_unlearnt(n) > 0

    def left_out(self, n: int, seed: int, fits: int) -> Iterator[np.ndarray]:
        """Masks ``(n,)`` of the training samples that each of the ``fits`` for the threshold leaves out."""
        size, order = self._fifth(n), np.random.default_rng(seed).permutation(n)
        for i in range(fits):
            yield np.isin(np.arange(n), order[i * size : (i + 1) * size])

    def drawn_for_threshold(self, n: int, seed: int) -> np.ndarray:
        """Numbers, in order, of the training samples that a threshold from learnt ones looks at."""
        if n <= self.threshold_samples:
            return np.arange(n)
        return np.sort(np.random.default_rng(seed).choice(n, self.threshold_samples, replace=False))

    def _fifth(self, n: int) -> int:
        return min(n // 5, self.threshold_samples, _ENOUGH)

    def predict(self, X: Any) -> np.ndarray:
        """+1 for normal samples, -1 for anomalies, ``(n,)``."""
        return np.where(self.anomaly_score(X) > self.threshold_, -1, 1)

    @property
    def threshold_(self) -> float:
        """The anomaly score above which ``predict`` says anomaly."""
        check_is_fitted(self, "offset_")
        return -self.offset_

    @renamed("0.3", alpha="false_alarm_rate")
    def calibrate(self, X: Any, *, false_alarm_rate: float | None = None) -> Self:
        """Remember the scores of held-out normal samples ``X``, which were not trained on.

        With ``false_alarm_rate``, ``predict`` then flags at most that share of normal samples. ``ganad.calibrate`` says
        what is guaranteed and when.
        """
        return self._calibrate(self.anomaly_score(X), false_alarm_rate)

    def calibrate_on_scores(self, scores: np.ndarray, *, false_alarm_rate: float | None = None) -> Self:
        """``calibrate`` where only this detector's scores ``(n,)`` of held-out normal samples were kept."""
        return self._calibrate(np.asarray(scores, np.float64), false_alarm_rate)

    def _calibrate(self, scores: np.ndarray, false_alarm_rate: float | None) -> Self:
        if false_alarm_rate is not None:
            self.offset_ = -calibrate.threshold(scores, false_alarm_rate)
            self.false_alarm_rate_ = float(false_alarm_rate)
        self.calibration_ = np.sort(scores)
        return self

    def p_values(self, X: Any) -> np.ndarray:
        """Conformal p-values ``(n,)``: how often a normal sample scores as high. Call ``calibrate`` first."""
        check_is_fitted(self, "calibration_", msg=_UNCALIBRATED)
        return calibrate.p_values(self.anomaly_score(X), self.calibration_)

    @renamed("0.3", alpha="false_alarm_rate")
    def threshold(self, false_alarm_rate: float = 0.01) -> float:
        """The score that at most this share of normal samples exceeds. Call ``calibrate`` first."""
        check_is_fitted(self, "calibration_", msg=_UNCALIBRATED)
        return calibrate.threshold(self.calibration_, false_alarm_rate)

    def select(self, X: Any, *, fdr: float = 0.1) -> np.ndarray:
        """Mask ``(n,)`` of anomalies in the batch ``X``; on average at most a share ``fdr`` of them is normal.

        Unlike a score it depends on the whole batch, because a false discovery rate does. Call ``calibrate`` first.
        """
        check_is_fitted(self, "calibration_", msg=_UNCALIBRATED)
        return calibrate.select(self.p_values(X), fdr, len(self.calibration_))
