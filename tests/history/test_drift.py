"""Drift: p-values exactly uniform, false alarms as promised, real drift told in time."""

import math

import numpy as np
import pytest
from scipy.stats import binom, kstest

from ganad.calibrate import p_values, threshold
from ganad.history.drift import ALARM, Drift, Martingale, OnlinePValues, promised

LEVELS = (5, 20, ALARM)


@pytest.mark.parametrize("decimals", [8, 1, 0])  # 1 and 0: many equal scores
def test_p_values_are_uniform_and_independent(decimals):
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(3000, 30)).round(decimals)
    p = np.stack([OnlinePValues(row[:20], seed).update(row[20:]) for seed, row in enumerate(draws)])
    assert all(kstest(column, "uniform").pvalue > 1e-3 for column in p.T)
    assert kstest((p[:, 0] + p[:, -1]) % 1, "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(p.T)[np.triu_indices(10, 1)]).max() < 0.08  # 4.4 standard deviations


def test_p_values_are_the_rank_among_calibration_and_earlier_samples():
    rng = np.random.default_rng(1)
    calibration, stream = rng.normal(size=50), rng.normal(size=600)
    p = OnlinePValues(calibration).update(stream)
    gap = np.searchsorted(np.sort(calibration), stream)
    for t in (0, 1, 255, 256, 257, 599):
        higher = (50 - gap[t]) + (gap[:t] > gap[t]).sum()
        equal = 1 + (gap[:t] == gap[t]).sum()
        assert higher <= p[t] * (51 + t) <= higher + equal


def test_it_does_not_matter_how_many_samples_come_at_once():
    rng = np.random.default_rng(2)
    calibration, stream = rng.normal(size=100).round(1), rng.normal(size=700).round(1)
    whole, parts = OnlinePValues(calibration), OnlinePValues(calibration)
    found = [parts.update(part) for part in np.split(stream, [1, 2, 300, 300, 699])]
    np.testing.assert_array_equal(whole.update(stream), np.concatenate(found))


def highest(p):
    martingale = Martingale()
    return max(martingale.update(value) for value in p.tolist())


def test_false_alarms_are_as_rare_as_promised_over_calibration_sets():
    rng = np.random.default_rng(3)
    peaks = []
    for run in range(200):
        calibration, stream = rng.normal(size=int(rng.integers(100, 1001))), rng.normal(size=4000)
        peaks.append(highest(OnlinePValues(calibration, run).update(stream)))
    for level in LEVELS:
        assert (np.array(peaks) >= math.log(level)).sum() <= binom.ppf(0.999, 200, 1 / level)


def test_p_values_against_the_calibration_set_alone_would_break_the_promise():
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(40):
        calibration, stream = rng.normal(size=100), rng.normal(size=4000)
        p = p_values(stream, calibration) - rng.random(4000) / 101  # smoothed
        alarms += highest(p) >= math.log(ALARM)
    assert alarms > 5  # 0.4 were promised


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_the_martingale_keeps_its_mean(n):
    p = np.random.default_rng(n).random((20_000 if n < 1000 else 500, n))
    values = []
    for row in p.tolist():
        martingale = Martingale()
        for value in row:
            martingale.update(value)
        values.append(math.exp(martingale.log))
        assert values[-1] >= 1 / (1 + math.log1p(n)) - 1e-12
    assert n == 1000 or abs(np.mean(values) - 1) < 5 * np.std(values) / math.sqrt(len(values))


def test_no_stream_is_too_long_or_too_odd():
    martingale = Martingale()
    for _ in range(20_000):
        martingale.update(1e-9)
    assert math.isfinite(martingale.log) and martingale.log > 5000
    for _ in range(200_000):  # and back
        martingale.update(0.5)
    assert math.isfinite(martingale.log)


@pytest.mark.parametrize(("shift", "rises"), [(0.7, True), (-0.7, False)])
def test_drift_is_told_in_time_with_its_beginning(shift, rises):
    delays, begins = [], []
    for run in range(30):
        rng = np.random.default_rng(run)
        calibration, scores = rng.normal(size=200), rng.normal(size=3300)
        scores[3000:] += shift
        drift = Drift(calibration)
        drift.update(scores, np.arange(3300.0), scores > 2.3)
        assert drift.alarm is not None
        if drift.alarm >= 3000:
            delays.append(drift.alarm - 3000)
            begins.append(drift.began - 3000)
            assert drift.rises == rises
    assert len(delays) >= 29
    assert max(delays) <= 300
    assert abs(np.median(begins)) <= 5 and np.mean(np.abs(begins)) <= 20


def test_a_few_anomalies_are_not_drift():
    rng = np.random.default_rng(5)
    scores = rng.normal(size=3000)
    scores[rng.random(3000) < 0.01] += 10
    scores[2000:2008] += 10  # a burst
    drift = Drift(rng.normal(size=500))
    drift.update(scores, np.arange(3000.0), scores > 2.3)
    assert drift.alarm is None


def test_the_curve_stays_short_and_reaches_to_the_end():
    drift = Drift(np.arange(100.0))
    for start in range(0, 5000, 50):
        drift.update(np.full(50, 50.5), np.arange(start, start + 50.0), np.zeros(50, bool))
    assert 200 <= len(drift.curve) <= 400
    assert drift.curve[-1][0] > 4950 and len(drift.flags) == 500


def test_the_promised_rate_is_that_of_the_threshold():
    calibration = np.random.default_rng(6).normal(size=500)
    for rate in (0.01, 0.05, 0.0999):
        assert promised(calibration, threshold(calibration, rate)) == pytest.approx(int(rate * 501) / 501)
