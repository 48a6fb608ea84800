"""Snapshots: the members are the detector as if its training had ended earlier, and the last is the detector itself."""

import contextlib
import logging

import numpy as np
import pytest

import ganad
from ganad import DAGMM, IGMMGAN, OCAN, VAE, Auto, FenceGAN, InputError, NearestNeighbor, Snapshots
from ganad.cli.making import make_detector
from ganad.detector.fitting import seed_for
from ganad.ensemble.rules import RULES, rule_for
from ganad.ensemble.snapshots import Album
from ganad.nets.players import Players
from ganad.registry import get
from ganad.training import Checkpoint, Run

from .samples import KINDS, anomalous, normal, small

#: with one run and with several, with and without something that is computed after the networks' training
METHODS = (VAE, FenceGAN, DAGMM, IGMMGAN, OCAN)


def snapshots(method, **changes) -> Snapshots:
    return Snapshots(
        detector=small(method, epochs=8, **changes),
        n_snapshots=3,
        random_state=0,
        device="cpu",
        threads=1,
        threshold_samples=1000,
    )


def trained_on(model: Snapshots, x: np.ndarray) -> np.ndarray:
    return x[model._parts(len(x), seed_for(model.random_state, ""))[0]]


@pytest.mark.parametrize("method", METHODS)
def test_a_member_is_the_detector_as_if_training_had_ended_there(method):
    x = normal("table")
    model = snapshots(method).fit(x)
    assert [member.history_[-1]["epoch"] for member in model.members_] == [5, 7, 8]
    assert len({tuple(scores) for scores in model.member_scores(x).T}) == 3
    alone = small(method, epochs=8).fit(trained_on(model, x))
    assert np.array_equal(model.members_[-1].anomaly_score(x), alone.anomaly_score(x))


def test_averaged_weights_are_taken_as_such():
    x = normal("table")
    model = snapshots(VAE, ema=0.9).fit(x)
    alone = small(VAE, epochs=8, ema=0.9).fit(trained_on(model, x))
    assert np.array_equal(model.members_[-1].anomaly_score(x), alone.anomaly_score(x))


def test_an_earlier_member_is_that_of_a_shorter_fit():
    x = normal("table")
    model = snapshots(DAGMM).fit(x)
    alone = small(DAGMM, epochs=5).fit(trained_on(model, x))
    assert np.allclose(model.members_[0].anomaly_score(x), alone.anomaly_score(x))


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_gives_the_same_bits(kind, tmp_path):
    model = snapshots(FenceGAN).fit(normal(kind))
    model.save(tmp_path / "m")
    again = ganad.load(tmp_path / "m", device="cpu")
    assert np.array_equal(again.anomaly_score(anomalous(kind)), model.anomaly_score(anomalous(kind)))
    assert type(again.detector) is FenceGAN and again.detector.epochs == 8


def test_stopped_anywhere_and_resumed_comes_to_the_same_bits(tmp_path, monkeypatch):
    x = normal("table")
    unbroken = snapshots(FenceGAN).fit(x)
    iterate, left = Run.iterate, 0

    def dies(run):
        nonlocal left
        if left == 0:
            raise ConnectionAbortedError("killed")
        left -= 1
        iterate(run)

    monkeypatch.setattr(Run, "iterate", dies)
    for life, left in enumerate([3, 20, 5, 10**9]):  # noqa: B007
        with contextlib.suppress(ConnectionAbortedError):
            model = snapshots(FenceGAN).fit(x, checkpoint=tmp_path / "c", resume=life > 0, checkpoint_every=0)
    assert np.array_equal(model.member_scores(x), unbroken.member_scores(x))


def test_an_album_keeps_few_and_spreads_them():
    album = Album(5, None)
    for epoch in range(1, 1001):
        album.take(0, epoch, Players({}))
        assert len(album.shots) <= 20
    chosen = list(album.chosen(0))
    assert len(chosen) == 5 and min(chosen) > 500 - 64 and max(chosen) > 1000 - 64
    assert np.ptp(np.diff(chosen)) <= 64
    assert not album.chosen(1), "another run has none yet"


@pytest.mark.parametrize(("stopped", "end"), [(30, 34), (60, 70), (3, 9)])
def test_a_resumed_album_chooses_as_an_unbroken_one(stopped, end, tmp_path):
    def filled(folder, *lives):
        for first, last in lives:
            with Checkpoint(folder, "mark", resume=True) as checkpoint:
                album = Album(5, checkpoint)
                for epoch in range(first, last + 1):
                    album.take(0, epoch, Players({}))
        return list(album.chosen(0))

    unbroken = filled(tmp_path / "a", (1, end))
    assert filled(tmp_path / "b", (1, stopped), (stopped + 1, end)) == unbroken


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(), "detector=nothing trains no networks"),
        (dict(detector=NearestNeighbor()), "detector=NearestNeighbor trains no networks"),
        (dict(detector=VAE(epochs=-1)), "epochs=-1 must be at least 0"),
        (dict(detector=VAE(epochs=0)), "VAE trained for no epoch"),
        (dict(detector=VAE(), n_snapshots=0), "n_snapshots=0 must be"),
        (dict(detector=VAE(), refit_samples=9), "refit_samples=9 must be 0"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(settings, words):
    with pytest.raises(InputError, match=words):
        Snapshots(**settings).fit(normal("table"))


def test_the_command_line_names_them():
    made = make_detector("snapshots:fence-gan", None, {"fence-gan.epochs": "7", "n-snapshots": "2"})
    assert (made.detector.epochs, made.n_snapshots) == (7, 2)
    with pytest.raises(InputError, match="of one method, not of 2"):
        make_detector("snapshots:fence-gan,kde", None, {})
    with pytest.raises(InputError, match="Auto chooses its members itself"):
        make_detector("auto:kde", None, {})


def test_auto_never_makes_an_image_larger(caplog):
    caplog.set_level("INFO", "ganad")
    model = small(Auto).fit(normal("images"))  # 12 x 12
    assert [type(m).__name__ for m in model.members_] == ["KDE", "NearestNeighbor", "LOF", "Trivial"]
    assert [m.scaling for m in model.members_] == ["contrast"] * 3 + ["auto"]
    assert all(m.image_size is None for m in model.members_)
    assert "image_size" not in caplog.text
    (choice,) = [c for c in rule_for("images", 100).members if c.method == "lof"]
    assert choice.within(17).settings["image_size"] == 16


def test_auto_takes_what_its_table_says_and_says_so(caplog, tmp_path):
    with caplog.at_level(logging.INFO, "ganad"):
        model = make_detector("auto", None, {"random-state": "0"}).fit(normal("table"))
    rule = rule_for("table", 400)
    assert [type(member) for member in model.members_] == [get(choice.method) for choice in rule.members]
    assert "400 rows of 6 columns" in caplog.text and rule.reason in caplog.text
    model.save(tmp_path / "m")
    again = ganad.load(tmp_path / "m", device="cpu")
    assert type(again) is Auto
    assert np.array_equal(again.anomaly_score(normal("table")), model.anomaly_score(normal("table")))


def test_auto_takes_a_shrunk_covariance_where_columns_outnumber_rows():
    def members(columns):
        model = small(Auto).fit(np.random.default_rng(0).normal(size=(40, columns)))
        return [type(member).__name__ for member in model.members_]

    assert members(40) == ["NearestNeighbor", "GMM", "OneClassSVM"]
    assert members(41) == ["NearestNeighbor", "Gaussian", "OneClassSVM"]


def test_every_rule_can_hold_and_its_settings_work():
    for rule in RULES:
        n = int(min(rule.most, 10**9))
        assert rule_for(rule.kind, n, columns=n + rule.wide) is rule
        for choice in rule.members:
            get(choice.method)(**choice.settings).check_settings()
