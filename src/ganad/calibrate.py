"""Thresholds with a guarantee: conformal p-values, false-alarm rates and false discovery rates.

The guarantee has one condition: the calibration samples are normal, were not trained on, and are exchangeable with
future normal samples (same source, same conditions). It then holds for any detector and any distribution.
V. Vovk et al., "Algorithmic Learning in a Random World", 2005; S. Bates et al., "Testing for outliers with conformal
p-values", Annals of Statistics 2023.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import beta

from .errors import InputError, UntrustedFit

_FEW = 20  # calibration samples; with 19 the lowest p-value is .05


class SmallCalibrationSet(UserWarning):
    """Warns of too few calibration samples for the requested level: nothing, or almost nothing, can be flagged."""


def hold_out(n: int, share: float, false_alarm_rate: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of n normal samples, in order: those to train on, and a random ``share`` of them to calibrate on.

    The same n and share give the same rows. Raises InputError unless 0 < share < 1 and both parts get a sample, and if
    the part held out is too small for a threshold that keeps ``false_alarm_rate``.

    >>> hold_out(10, 0.2)
    (array([0, 1, 2, 3, 5, 7, 8, 9]), array([4, 6]))
    """
    if not 0 < share < 1:
        raise InputError(f"hold_out={share} must lie between 0 and 1; it is the share of samples to calibrate on")
    count, needed, rate = int(n * share + 1e-9), 1, false_alarm_rate
    if rate is not None:
        needed = least_samples(rate)
    if count < needed:
        promise = "" if rate is None else f"to keep false alarms at {rate:g}, "
        raise InputError(
            f"{promise}give at least {needed} samples to calibrate on, that is {int(np.ceil(needed / share - 1e-9)):,} "
            f"in all, not {n:,}" + ("" if rate is None else ", or allow more false alarms")
        )
    order = np.random.default_rng(0).permutation(n)
    return np.sort(order[count:]), np.sort(order[:count])


def p_values(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Conformal p-values ``(n,)``: (1 + number of calibration scores >= score) / (m + 1).

    scores: ``(n,)``; calibration: ``(m,)`` scores of held-out normal samples; higher is more anomalous in both. For a
    normal sample, P(p <= a) <= a for every a, over the draw of calibration set and sample.

    >>> p_values(np.array([0.5, 3.5, 9.0]), calibration=np.arange(9.0))
    array([0.9, 0.6, 0.1])
    """
    ranks = np.searchsorted(np.sort(calibration), scores, side="left")
    return (1 + len(calibration) - ranks) / (len(calibration) + 1)


def least_samples(false_alarm_rate: float) -> int:
    """The fewest calibration samples that a threshold needs to keep this rate; InputError unless it is in (0, 1).

    >>> least_samples(0.01)
    99
    """
    if not 0 < false_alarm_rate < 1:
        raise InputError(
            f"false_alarm_rate={false_alarm_rate} must lie between 0 and 1; it is the share of normal samples that "
            f"may be flagged"
        )
    return int(np.ceil(1 / false_alarm_rate - 1 - 1e-9))


def threshold(calibration: np.ndarray, false_alarm_rate: float = 0.01) -> float:
    """The score above which at most a share ``false_alarm_rate`` of normal samples lies.

    With a = false_alarm_rate and m calibration samples, the rate is at most floor(a (m + 1)) / (m + 1), and exactly
    that if all scores differ. With fewer than 1 / a - 1 calibration samples the threshold is infinite and a
    SmallCalibrationSet warning says so. It is infinite as well where so many of their scores are; then UntrustedFit
    warns. Raises InputError unless 0 < a < 1.

    >>> threshold(np.arange(99.0), false_alarm_rate=0.05)
    94.0
    """
    needed = least_samples(false_alarm_rate)
    # the tolerance keeps 0.05 * 20 from becoming 0.9999...
    allowed = int(np.floor(false_alarm_rate * (len(calibration) + 1) + 1e-9))
    if allowed == 0:
        warnings.warn(
            f"{len(calibration)} calibration samples cannot bound false alarms at {false_alarm_rate:g}: nothing will "
            f"be flagged; give at least {needed}",
            SmallCalibrationSet,
            stacklevel=3,
        )
        return float("inf")
    found = float(np.sort(calibration)[-allowed])
    if words := endless(found, calibration):
        warnings.warn(words, UntrustedFit, stacklevel=3)
    return found


def endless(found: float, calibration: np.ndarray) -> str:
    """What to say of an infinite threshold that the scores ``(m,)`` of calibration samples gave; else ""."""
    if not np.isposinf(found) or not len(calibration):
        return ""
    return (
        f"nothing can be flagged: {int(np.isposinf(calibration).sum()):,} of {len(calibration):,} calibration samples "
        f"have an infinite score, such as rows with a text that no training row has; give more normal samples, "
        f"unknown='ignore' for such texts (--unknown ignore), or a higher false-alarm rate"
    )


def rate_interval(n_calibration: int, false_alarm_rate: float, level: float = 0.95) -> tuple[float, float]:
    """Where the rate of false alarms of one fitted ``threshold`` lies, at this level.

    The promise holds on average over calibration sets; the rate of one of them is Beta(k, m + 1 - k) distributed, with
    m = n_calibration and k = floor(false_alarm_rate (m + 1)), if no two scores are equal (V. Vovk, "Conditional
    validity of inductive conformal predictors", ACML 2012, proposition 2b).

    >>> low, high = rate_interval(999, 0.01)
    >>> round(low, 4), round(high, 4)
    (0.0048, 0.017)
    """
    least_samples(false_alarm_rate)  # refuses what is no rate
    k = int(np.floor(false_alarm_rate * (n_calibration + 1) + 1e-9))
    if k == 0:
        return 0.0, 0.0
    low, high = beta.ppf([(1 - level) / 2, (1 + level) / 2], k, n_calibration + 1 - k)
    return float(low), float(high)


def clopper_pearson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share of which ``hits`` of ``n`` were seen (C. Clopper, E. Pearson, Biometrika 1934).

    >>> low, high = clopper_pearson(0, 100)
    >>> low, round(high, 4)
    (0.0, 0.0362)
    """
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(1 - tail, hits + 1, n - hits)) if hits < n else 1.0


def check_fdr(fdr: float) -> None:
    """Raise InputError unless 0 < fdr < 1."""
    if not 0 < fdr < 1:
        raise InputError(f"fdr={fdr:g} must lie between 0 and 1; it is the share of false discoveries that is allowed")


def select(p: np.ndarray, fdr: float, n_calibration: int) -> np.ndarray:
    """Mask ``(n,)`` of samples flagged by Benjamini-Hochberg: on average at most a share ``fdr`` of them is normal.

    p: conformal p-values of one batch with one calibration set. They are positively dependent, which the procedure
    needs (Bates et al., theorem 2). Raises InputError unless 0 < fdr < 1. Warns if a single clear anomaly in the batch
    could not be flagged, because p-values are at least 1 / (n_calibration + 1).

    >>> select(np.array([0.001, 0.4, 0.002]), fdr=0.1, n_calibration=999)
    array([ True, False,  True])
    """
    check_fdr(fdr)
    values, counts = np.unique(p, return_counts=True)
    warn_if_small(len(p), n_calibration, fdr)
    flagged: np.ndarray = p <= cutoff(values, counts, len(p), fdr)
    return flagged


def cutoff(p: np.ndarray, counts: np.ndarray, n: int, fdr: float) -> float:
    """The largest p-value that ``select`` flags, or -inf: all that is to be known of ``n`` tests in many parts.

    p: different p-values, ascending, ``(k,)``; those above ``fdr`` may be left out, for they are never flagged. counts:
    ``(k,)`` how often each occurs.

    >>> cutoff(np.array([0.001, 0.002, 0.4]), np.array([1, 1, 1]), n=3, fdr=0.1)
    0.002
    """
    kept = p[p * (n / np.cumsum(counts)) <= fdr]
    return float(kept[-1]) if len(kept) else float("-inf")


def warn_if_small(n: int, n_calibration: int, fdr: float) -> None:
    """Warn with SmallCalibrationSet where a single clear anomaly among ``n`` tests could not be flagged."""
    if n / (n_calibration + 1) > fdr:
        least = int(np.ceil(n / ((n_calibration + 1) * fdr)))
        warnings.warn(
            f"{n_calibration} held-out normal samples are few to select from {n} samples at fdr {fdr:g}: if fewer than "
            f"{least} of them are anomalies, none is selected; hold out {int(np.ceil(n / fdr))} normal samples, or "
            f"select from fewer at a time",
            SmallCalibrationSet,
            stacklevel=4,
        )


def of_few(n_calibration: int, false_alarm_rate: float | None) -> str | None:
    """What fewer than 20 calibration samples can promise, as a sentence; None for more."""
    if n_calibration >= _FEW:
        return None
    rate = ""
    if false_alarm_rate is not None:
        low, high = rate_interval(n_calibration, false_alarm_rate)
        rate = (
            f"; false alarms are at most {false_alarm_rate:g} on average over such calibrations, but with this one "
            f"between {low:.1%} and {high:.0%} (19 times in 20)"
        )
    return (
        f"{n_calibration} held-out samples are few to calibrate on: no p-value is below 1 in {n_calibration + 1}{rate}"
        f". Give more normal samples"
    )


def warn_of_few(n_calibration: int, false_alarm_rate: float | None) -> None:
    """Warn with SmallCalibrationSet of fewer than 20 calibration samples."""
    if words := of_few(n_calibration, false_alarm_rate):
        warnings.warn(words, SmallCalibrationSet, stacklevel=3)
