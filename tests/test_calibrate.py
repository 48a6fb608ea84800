"""Promises kept in simulation: false alarms and false discoveries stay where they were promised to be."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import ganad
from ganad import KDE, AutoEncoder, FenceGAN, GANomaly, InputError, calibrate
from ganad.calibrate import SmallCalibrationSet
from ganad.errors import UntrustedFit

from .samples import normal, small

rng = np.random.default_rng(0)


def test_p_values_by_their_definition():
    scores, calibration = rng.integers(0, 9, 40).astype(float), rng.integers(0, 9, 25).astype(float)
    expected = [(1 + (calibration >= s).sum()) / 26 for s in scores]
    assert np.allclose(calibrate.p_values(scores, calibration), expected)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.5])
def test_above_the_threshold_means_a_p_value_of_at_most_alpha(alpha):
    calibration = rng.normal(size=199)
    scores = np.concatenate([rng.normal(size=500), calibration])
    flagged = scores > calibrate.threshold(calibration, alpha)
    assert np.array_equal(flagged, calibrate.p_values(scores, calibration) <= alpha + 1e-12)


@pytest.mark.parametrize("detector", [AutoEncoder, GANomaly, FenceGAN])
def test_false_alarms_and_discoveries_over_three_hundred_repeats(detector):
    """Real scores of a fitted detector: normal rows it never saw, and shifted ones."""
    model = small(detector, epochs=5).fit(normal("table"))
    draw = np.random.default_rng(1)
    fresh = draw.normal(size=(20_000, 6)).astype(np.float32)
    fresh[:, 3:] = fresh[:, :3] + 0.1 * fresh[:, 3:]
    pool, odd = model.anomaly_score(fresh), model.anomaly_score(fresh[:5000] + 3 * np.sign(fresh[:5000]))
    n, m, k, alpha, fdr = 300, 180, 20, 0.05, 0.1
    alarms, false_share = [], []
    for _ in range(300):
        rows = draw.choice(len(pool), n + m, replace=False)
        calibration, tests = pool[rows[:n]], np.concatenate([pool[rows[n:]], draw.choice(odd, k)])
        p = calibrate.p_values(tests, calibration)
        alarms.append((p[:m] <= alpha).mean())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallCalibrationSet)
            chosen = calibrate.select(p, fdr, n)
        false_share.append(chosen[:m].sum() / max(1, chosen.sum()))
    promised = np.floor(alpha * (n + 1)) / (n + 1)
    assert abs(np.mean(alarms) - promised) <= 3 * np.std(alarms) / np.sqrt(300)
    assert np.mean(false_share) <= fdr + 2 * np.std(false_share) / np.sqrt(300)


def test_too_few_calibration_samples_are_said_to_be_too_few():
    with pytest.warns(SmallCalibrationSet, match="give at least 99"):
        assert calibrate.threshold(rng.normal(size=50), 0.01) == np.inf
    assert np.isfinite(calibrate.threshold(rng.normal(size=99), 0.01))
    with pytest.warns(SmallCalibrationSet, match=r"held-out normal samples are few .* none is selected"):
        calibrate.select(np.full(1000, 1 / 51), 0.1, 50)
    with pytest.raises(InputError, match="false_alarm_rate=0 must lie"):
        calibrate.threshold(rng.normal(size=9), 0)
    with pytest.raises(InputError, match="fdr=1.5 must lie"):
        calibrate.select(np.ones(3), 1.5, 9)


def test_a_calibrated_detector_keeps_its_promise_through_a_file(tmp_path):
    model = small(AutoEncoder).fit(normal("table")[:200])
    with pytest.raises(NotFittedError, match="not calibrated"):
        model.p_values(normal("table"))
    held_out = normal("table")[200:]
    assert model.calibrate(held_out, false_alarm_rate=0.05) is model
    assert (model.predict(held_out) == -1).mean() <= 0.05  # by how the threshold is chosen
    assert model.threshold(0.05) == model.threshold_
    model.save(tmp_path / "m.safetensors")
    again = ganad.load(tmp_path / "m.safetensors", device="cpu")
    assert np.array_equal(again.p_values(held_out), model.p_values(held_out))
    assert np.array_equal(again.select(held_out[:50], fdr=0.5), model.select(held_out[:50], fdr=0.5))
    assert not hasattr(again.fit(normal("table")), "calibration_")


def test_a_refused_calibration_changes_nothing():
    model = small(AutoEncoder).fit(normal("table"))
    before = model.threshold_
    with pytest.raises(InputError, match="false_alarm_rate=2"):
        model.calibrate(normal("table"), false_alarm_rate=2)
    assert model.threshold_ == before and not hasattr(model, "calibration_")


def test_a_fit_that_holds_out_trains_on_the_rest_and_calibrates_on_what_it_held_out(tmp_path):
    x = normal("table")
    rows, others = calibrate.hold_out(len(x), 0.2, 0.05)
    assert len(others) == 80 and np.array_equal(np.sort(np.concatenate([rows, others])), np.arange(400))
    model = small(AutoEncoder).fit(x, hold_out=0.2, false_alarm_rate=0.05)
    by_hand = small(AutoEncoder).fit(x[rows]).calibrate(x[others], false_alarm_rate=0.05)
    assert np.array_equal(model.calibration_, by_hand.calibration_)
    assert np.array_equal(model.anomaly_score(x), by_hand.anomaly_score(x))
    assert model.threshold_ == by_hand.threshold_
    model.save(tmp_path / "m.safetensors")
    assert np.array_equal(ganad.load(tmp_path / "m.safetensors", device="cpu").p_values(x), by_hand.p_values(x))
    only_scores = small(AutoEncoder).fit(x, hold_out=0.2)
    assert only_scores.threshold_ == small(AutoEncoder).fit(x[rows]).threshold_
    assert np.array_equal(only_scores.calibration_, model.calibration_)


def test_a_fit_that_holds_out_goes_on_where_it_was_stopped(tmp_path):
    def stop(model):
        if len(model.history_) == 2:
            raise KeyboardInterrupt

    x, options = normal("table"), dict(hold_out=0.2, false_alarm_rate=0.05)
    whole = small(AutoEncoder, epochs=4).fit(x, **options)
    with pytest.raises(KeyboardInterrupt):
        small(AutoEncoder, epochs=4).fit(x, checkpoint=tmp_path, checkpoint_every=0, on_epoch=stop, **options)
    resumed = small(AutoEncoder, epochs=4).fit(x, checkpoint=tmp_path, resume=True, **options)
    assert np.array_equal(resumed.calibration_, whole.calibration_) and resumed.threshold_ == whole.threshold_


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(hold_out=1.0), "hold_out=1.0 must lie between 0 and 1"),
        (dict(hold_out=0.2, false_alarm_rate=2), "false_alarm_rate=2 must lie between 0 and 1"),
        (dict(hold_out=0.2, false_alarm_rate=0.01), "give at least 99 samples to calibrate on, that is 495 in all"),
        (dict(hold_out=0.001), "give at least 1 samples to calibrate on"),
        (dict(false_alarm_rate=0.01), "give hold_out=0.2 as well"),
    ],
)
def test_a_hold_out_that_cannot_keep_the_promise_is_refused_before_training(options, words):
    model = small(AutoEncoder)
    with pytest.raises(InputError, match=words):
        model.fit(normal("table"), **options)
    assert not hasattr(model, "nets_")


def texts(n, seed):
    """A frame whose column of text has many rare texts, as serial numbers and places have."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    return pandas.DataFrame({"a": rng.normal(size=n), "b": [f"t{i}" for i in np.minimum(rng.zipf(1.6, n), 90)]})


def test_held_out_rows_meet_new_texts_as_new_rows_do(tmp_path):
    """Else a text that held-out rows alone have would be known, and new ones would raise more alarms than promised."""
    new = texts(4000, 1)
    model = KDE(verbose=0).fit(texts(250, 0), hold_out=0.4, false_alarm_rate=0.1)
    assert np.isinf(model.calibration_).any(), "of texts that no training row has"
    assert (model.predict(new) == -1).mean() < 0.2
    assert len(model.columns_) == 1 + len(model.source_["columns"][1]["categories"])
    model.save(tmp_path / "m")
    again = ganad.load(tmp_path / "m")
    assert np.array_equal(again.calibration_, model.calibration_) and again.threshold_ == model.threshold_
    assert np.array_equal(again.p_values(new), model.p_values(new))


def test_verdicts_agree_where_score_and_threshold_are_infinite():
    model = KDE(verbose=0).fit(texts(250, 0))
    new = texts(500, 1)
    with pytest.warns(UntrustedFit):
        model.calibrate(new, false_alarm_rate=0.02)
    assert np.isinf(model.threshold_), "more than 2 % have new texts"
    assert (model.predict(new) == 1).all()
    assert not np.isnan(model.decision_function(new)).any()


def test_an_infinite_threshold_is_said():
    model = KDE(verbose=0).fit(texts(250, 0))
    with pytest.warns(UntrustedFit, match=r"nothing can be flagged: \d+ of 500 calibration samples have an infinite"):
        model.calibrate(texts(500, 1), false_alarm_rate=0.02)
    assert calibrate.endless(1.0, model.calibration_) == "" == calibrate.endless(np.inf, np.empty(0))
