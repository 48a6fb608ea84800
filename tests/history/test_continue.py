"""Training that goes on: it begins with the model's weights and scaling, and ends as a model of its own."""

import contextlib
import sqlite3

import numpy as np
import pandas
import pytest
import torch

import ganad
from ganad import AutoEncoder
from ganad.cli.continuing import to_continue
from ganad.errors import InputError, NotSupported
from ganad.files import sha256_of
from ganad.testing import has_networks, normal, small

from .models import table
from .test_cli import run

NETWORKS = [cls for cls in ganad.DETECTORS if has_networks(cls)]


def rows(n, seed, shift=0.0):
    """Points near a plane in four dimensions, moved off it by ``shift``."""
    rng = np.random.default_rng(seed)
    flat = rng.normal(size=(n, 2)) @ np.array([[1, 1, 0, 0], [0, 0, 1, 1.0]])
    return flat + 0.05 * rng.normal(size=(n, 4)) + shift * np.array([1, -1, 1, -1])


def weights(detector):
    return {name: value.clone() for name, value in detector.nets_.state_dict().items()}


def fitted(**changes):
    given = dict(epochs=3, hidden=(16, 2, 16), lr=0.01, random_state=0, verbose=0)
    return AutoEncoder(**given | changes).fit(rows(200, 0))


def test_it_begins_with_the_weights_and_the_scaling_of_the_model():
    detector = fitted()
    before, spec = weights(detector), detector.input_
    detector.set_params(epochs=0)
    assert detector.continue_fit(rows(100, 1, shift=3.0)) is detector
    after = weights(detector)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert detector.input_ is spec
    fresh = AutoEncoder(epochs=0, hidden=(16, 2, 16), random_state=0, verbose=0).fit(rows(100, 1, shift=3.0))
    assert not np.allclose(fresh.input_.scaling.shift, spec.scaling.shift)


def test_it_learns_what_is_new_and_sets_the_threshold_on_it():
    detector = fitted(epochs=100)
    new = rows(400, 1, shift=2.0)
    old_scores, old_threshold = detector.anomaly_score(new), detector.threshold_
    detector.continue_fit(new, hold_out=0.5, false_alarm_rate=0.05)
    assert detector.anomaly_score(new).mean() < 0.7 * old_scores.mean()
    assert (old_scores > old_threshold).mean() > 0.3
    assert (detector.anomaly_score(rows(400, 2, shift=2.0)) > detector.threshold_).mean() < 0.15
    assert len(detector.calibration_) == 200 and detector.false_alarm_rate_ == 0.05


def test_the_same_seed_gives_the_same_weights_and_an_interrupted_one_the_same_as_well(tmp_path):
    new = rows(200, 1, shift=1.0)
    once, again = weights(fitted().continue_fit(new)), weights(fitted().continue_fit(new))
    assert all(torch.equal(once[name], again[name]) for name in once)
    stopped = fitted()

    class Enough(Exception):
        pass

    def stop(detector):
        if len(detector.history_) == 2:
            raise Enough

    with pytest.raises(Enough):
        stopped.continue_fit(new, checkpoint=tmp_path / "c", on_epoch=stop)
    resumed = fitted().continue_fit(new, checkpoint=tmp_path / "c", resume=True)
    assert all(torch.equal(once[name], value) for name, value in weights(resumed).items())
    with pytest.raises(InputError, match="of other data, settings or versions"):  # of other weights
        fitted(random_state=1).set_params(random_state=0).continue_fit(new, checkpoint=tmp_path / "c", resume=True)


def test_refused_samples_leave_the_model_as_it_was():
    detector = fitted()
    before = detector.anomaly_score(rows(5, 9))
    with pytest.raises(InputError):
        detector.continue_fit(np.ones((10, 3)))
    with pytest.raises(InputError):
        detector.continue_fit(np.full((10, 4), np.nan))
    np.testing.assert_array_equal(detector.anomaly_score(rows(5, 9)), before)
    assert not hasattr(detector, "_start")
    assert detector.fit(rows(100, 3)).input_.scaling.shift.shape == (4,)  # a fit begins anew


def test_settings_of_other_networks_are_refused():
    detector = fitted()
    detector.set_params(hidden=(8, 3, 8))
    with pytest.raises(InputError, match="other networks than those that were trained"):
        detector.continue_fit(rows(100, 1))


@pytest.mark.slow
@pytest.mark.parametrize("detector", NETWORKS, ids=lambda cls: cls.__name__)
def test_every_method_with_networks_goes_on(detector):
    model, x = small(detector), normal("table")
    model.fit(x)
    spec = model.input_
    model.continue_fit(x)
    assert model.input_ is spec and np.isfinite(model.anomaly_score(x[:5])).all()


def test_on_the_command_line(tmp_path):
    old, new = table(tmp_path / "old.csv", 400), table(tmp_path / "new.csv", 600, seed=1, shift=2.0)
    method = ["--method", "autoencoder", "--epochs", 3, "--latent-dim", 2, "--random-state", 0]
    run("fit", old, *method, "--false-alarm-rate", 0.05, "-o", tmp_path / "a")
    out, _ = run("fit", new, "--continue", tmp_path / "a", "--epochs", 5, "--old-data", old, "-o", tmp_path / "b")
    assert "new, held out" in out and "of 120 (" in out and "old " in out and "of 400 (" in out
    assert "data      600 rows, 3 columns" in out
    first, second = ganad.load(tmp_path / "a"), ganad.load(tmp_path / "b")
    assert second.parent_ == sha256_of(tmp_path / "a") and second.epochs == 5 and second.false_alarm_rate_ == 0.05
    np.testing.assert_array_equal(first.input_.scaling.shift, second.input_.scaling.shift)
    with contextlib.closing(sqlite3.connect(tmp_path / "new.db")) as base:
        pandas.read_csv(new).to_sql("t", base, index=False)
    asked = (f"sqlite:///{tmp_path}/new.db", "--query", "SELECT * FROM t")  # of the old file nothing is asked
    out, _ = run("fit", *asked, "--continue", tmp_path / "a", "--old-data", old, "-o", tmp_path / "d")
    assert "of 400 (" in out
    _, err = run("fit", new, "--continue", tmp_path / "a", "--method", "vae", "-o", tmp_path / "c", code=2)
    assert "--method cannot be chosen with --continue" in err


def test_the_parent_may_go_while_the_fit_runs(tmp_path, monkeypatch):
    data, parent, method = table(tmp_path / "new.csv", 200), tmp_path / "a", ["--method", "autoencoder"]
    run("fit", data, *method, "--epochs", 2, "-o", parent)
    sha256, go_on = sha256_of(parent), AutoEncoder.continue_fit

    def continue_fit(detector, *args, **how):
        parent.unlink()
        return go_on(detector, *args, **how)

    monkeypatch.setattr(AutoEncoder, "continue_fit", continue_fit)
    out, _ = run("fit", data, "--continue", parent, "--epochs", 3, "-o", tmp_path / "b")
    assert ganad.load(tmp_path / "b").parent_ == sha256 and "new, learnt" in out


def test_a_model_without_training_of_its_own(digit_file):
    with pytest.raises(NotSupported, match="a KDE has no training of its own that could go on"):
        to_continue(digit_file)


def test_the_threshold_holds_for_new_samples_though_these_were_learnt_before():
    """The further fits begin with random weights: the detector's own know the samples that they leave out."""
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(100, 12)), rng.normal(size=(2000, 12))
    for epochs in (None, 1):
        detector = AutoEncoder(hidden=(64, 12, 64), contamination=0.05, random_state=0, verbose=0).fit(x)
        detector.set_params(epochs=epochs).continue_fit(x)
        assert (detector.anomaly_score(new) > detector.threshold_).mean() < 0.2


def test_a_frame_is_still_read_by_the_first_recipe():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(60.0) % 7, "b": ["x", "y", "z"] * 20})
    detector = AutoEncoder(epochs=1, random_state=0, verbose=0).fit(frame)
    before = detector.source_, detector.columns_
    detector.continue_fit(frame[:30])
    assert (detector.source_, detector.columns_) == before
    assert np.isfinite(detector.anomaly_score(frame)).all()


@pytest.mark.parametrize("cls", [ganad.DSEBM, ganad.FenceGAN])
def test_a_method_sets_no_weights_of_its_own(cls):
    x = normal("table")
    detector = small(cls, epochs=2, random_state=0).fit(x)
    before = weights(detector)
    none = dict.fromkeys(("epochs", "pretrain_epochs"), 0)
    detector.set_params(**{k: v for k, v in none.items() if hasattr(detector, k)}).continue_fit(x + 1.0)
    after = weights(detector)
    assert all(torch.equal(before[name], after[name]) for name in before)
