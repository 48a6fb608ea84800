"""A renewed calibration keeps its promise, a biased one does not, and nothing half answered enters."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import ganad
from ganad import KDE, calibrate
from ganad.errors import InputError
from ganad.files import sha256_of
from ganad.history import History
from ganad.recalibration import recalibrate
from ganad.watching.verdicts import Verdicts

RATE, DRIFT = 0.02, 0.8


def simulation():
    path = Path(__file__).parents[2] / "benchmarks" / "recalibration.py"
    spec = importlib.util.spec_from_file_location("recalibration_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_of_all_choices_only_spot_checks_keep_the_rate():
    module = simulation()
    repeats = 300
    old, new = module.simulate(repeats, seed=1)
    assert old.false_alarms.mean() > 5 * module.RATE
    right = new.pop("spot checks")
    spread = right.false_alarms.std() / np.sqrt(repeats)
    assert right.false_alarms.mean() <= module.RATE + 4 * spread
    assert right.false_alarms.mean() >= 0.85 * module.RATE  # floor(a (m + 1)) / (m + 1) of about 990 samples
    assert abs(right.within - 0.95) < 4 * np.sqrt(0.95 * 0.05 / repeats) and right.found.mean() > 0.9
    for name, wrong in new.items():
        assert wrong.within < 0.05, name
    assert new["dismissed flags"].false_alarms.mean() < module.RATE / 5
    assert new["dismissed flags"].found.mean() < right.found.mean() - 0.1
    assert new["spot checks that passed"].false_alarms.mean() > 3 * module.RATE


def test_the_interval_of_a_thresholds_own_rate():
    rng = np.random.default_rng(0)
    rates = np.array([1 - calibrate.threshold(rng.random(199), 0.05) for _ in range(3000)])
    low, high = calibrate.rate_interval(199, 0.05)
    assert abs(((low <= rates) & (rates <= high)).mean() - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 3000)
    assert calibrate.rate_interval(10, 0.01) == (0.0, 0.0)
    with pytest.raises(InputError):
        calibrate.rate_interval(10, 2)


def rows(n, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, size=(n, 2))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "old.ganad"
    detector = KDE(bandwidths=(0.3,), random_state=0, verbose=0)
    detector.fit(rows(1200, 0), hold_out=0.5, false_alarm_rate=RATE).save(path)
    return path


def met(model, place, normal, anomalies):
    """A history of so many samples after a drift, one in five a spot check; their names are the truth."""
    detector = ganad.load(model)
    x = np.concatenate([rows(normal, 1, DRIFT), rows(anomalies, 2, 6.0)])
    names = ["normal"] * normal + ["anomaly"] * anomalies
    history = History(place, durable=False)
    keys = [f"{i}" for i in range(len(x))]
    verdicts = Verdicts(detector, sha256_of(model), spot_checks=0.2)
    history.add(verdicts.entries(x, names, detector.anomaly_score(x), keys, seen_at=100.0))
    return history


def answer(history, **which):
    """The truth, of samples that pass the filter."""
    for row in history.rows(thumbnails=False, **which):
        history.mark(row.id, row.name)


@pytest.fixture(scope="module")
def history(model, tmp_path_factory):
    """One in which a person has said what all flags and spot checks are."""
    with met(model, tmp_path_factory.mktemp("h") / "history.db", 3000, 60) as history:
        answer(history, review=True)
        yield history


def false_alarms(detector):
    return (detector.anomaly_score(rows(5000, 9, DRIFT)) > detector.threshold_).mean()


def test_the_rate_is_back_within_its_interval_and_the_file_names_its_parent(model, history, tmp_path):
    detector, change = recalibrate(model, history)
    detector.save(tmp_path / "new.ganad")
    new, old = ganad.load(tmp_path / "new.ganad"), ganad.load(model)
    assert false_alarms(old) > 2 * RATE
    spot_checks = history.rows(spot_check=True, feedback="normal")
    low, high = calibrate.rate_interval(len(spot_checks), RATE, level=0.999)
    assert low <= false_alarms(new) <= high
    assert new.parent_ == sha256_of(model) and new.false_alarm_rate_ == RATE
    np.testing.assert_array_equal(new.calibration_, np.sort([row.score for row in spot_checks]))
    np.testing.assert_array_equal(new.anomaly_score(rows(5, 3)), old.anomaly_score(rows(5, 3)))
    assert change.old_threshold == old.threshold_ and change.new_threshold == new.threshold_ > old.threshold_
    on_old, on_new = (change.flagged(change.old_samples), change.flagged(change.new_samples))
    assert on_old[0].flagged == int(RATE * 601) - 1 and on_old[1].flagged <= on_old[0].flagged
    assert on_new[1].flagged <= RATE * on_new[1].of < on_new[0].flagged
    assert len(change.anomalies) == history.count(feedback="anomaly") > 40
    assert "spot checks" in str(change) and "600 (" in str(change)


def test_dismissed_flags_instead_would_miss_the_rate(model, history):
    detector = ganad.load(model)
    dismissed = [row.score for row in history.rows(flagged=True, feedback="normal")]
    detector.calibrate_on_scores(dismissed, false_alarm_rate=RATE)
    low, _ = calibrate.rate_interval(len(dismissed), RATE, level=0.999)
    assert false_alarms(detector) < low


def test_nothing_is_renewed_while_a_spot_check_waits(model, tmp_path):
    history = met(model, tmp_path / "history.db", 400, 0)
    with pytest.raises(InputError, match="spot checks wait for a person, the first with id"):
        recalibrate(model, history)
    answer(history, flagged=True)
    with pytest.raises(InputError, match="which ones are answered must not depend"):
        recalibrate(model, history)
    answer(history, spot_check=True)
    recalibrate(model, history)


def test_the_time_is_chosen_without_looking_at_scores(model, history):
    with pytest.raises(InputError, match=r"0 spot checks .* needs 49"):
        recalibrate(model, history, since=200.0)
    with pytest.raises(InputError, match="0 spot checks"):
        recalibrate(model, history, until=100.0)
    with pytest.raises(InputError, match=r"rate of 0.0001 needs 9,999"):
        recalibrate(model, history, false_alarm_rate=0.0001)


def test_rows_of_another_model_do_not_enter(model, history, tmp_path):
    other = ganad.load(model).set_params(random_state=3)
    other.save(tmp_path / "other.ganad")
    with pytest.raises(InputError, match="0 spot checks"):
        recalibrate(tmp_path / "other.ganad", history)


def test_a_model_without_a_rate_needs_one(history, tmp_path):
    KDE(bandwidths=(0.3,), verbose=0).fit(rows(100, 0)).save(tmp_path / "m")
    with pytest.raises(InputError, match="give one with --false-alarm-rate"):
        recalibrate(tmp_path / "m", history)
