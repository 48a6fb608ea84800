"""``threshold_fits``: a threshold from scores of samples that the fit which scored them had not learnt."""

import logging

import numpy as np
import pytest
from typer.testing import CliRunner

import ganad
from ganad import GMM, KDE, LOF, AutoEncoder, Ensemble, InputError, NearestNeighbor, OneClassSVM
from ganad.cli.main import build_app
from ganad.errors import UntrustedFit
from ganad.migrations import upgraded
from ganad.photos import Regions, Tiles

from .samples import normal, small

COMMON = dict(random_state=0, device="cpu", threads=1, verbose=0)
BY_HEART = pytest.mark.parametrize("detector", [GMM, KDE, NearestNeighbor, OneClassSVM, AutoEncoder])


def plane(n, seed):
    """Rows near a plane in eight columns, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) @ np.random.default_rng(9).normal(size=(3, 8)) + 0.3 * rng.normal(size=(n, 8))


@pytest.fixture
def fits(monkeypatch):
    """The numbers of samples that nearest neighbours were fitted to, in order."""
    seen, learn = [], NearestNeighbor.learn
    monkeypatch.setattr(NearestNeighbor, "learn", lambda self, z: seen.append(len(z)) or learn(self, z))
    return seen


@BY_HEART
def test_contamination_is_a_share_of_new_samples(detector):
    X, new = plane(250, 0), plane(4000, 1)
    model = detector(contamination=0.05, **COMMON)
    labels = model.fit_predict(X)
    assert (labels == -1).sum() == 13 and labels[np.argmax(model.anomaly_score(X))] == -1
    flagged = (model.predict(new) == -1).mean()
    by_heart = detector(contamination=0.05, threshold_fits=0, **COMMON).fit(X)
    assert abs(flagged - 0.05) < 0.04 and (by_heart.predict(new) == -1).mean() > flagged + 0.02
    assert np.array_equal(by_heart.anomaly_score(new), model.anomaly_score(new)), "only the threshold changes"
    assert hasattr(model, "novelty") and not hasattr(by_heart, "novelty")


def test_the_same_seed_gives_the_same_threshold():
    x = normal("table")
    one, other = (small(AutoEncoder, threshold_fits=2).fit(x) for _ in range(2))
    assert one.threshold_ == other.threshold_ != small(AutoEncoder).fit(x).threshold_
    assert [row["stage"] for row in one.history_] == [row["stage"] for row in small(AutoEncoder).fit(x).history_]


def test_a_resumed_fit_has_it_as_well(tmp_path):
    x, settings = normal("table")[:100], dict(threshold_fits=1, epochs=3)

    def stop(model):
        if model.history_[-1]["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(AutoEncoder, **settings).fit(x, checkpoint=tmp_path, on_epoch=stop)
    again = small(AutoEncoder, **settings).fit(x, checkpoint=tmp_path, resume=True)
    assert again.threshold_ == small(AutoEncoder, **settings).fit(x).threshold_


def test_no_fit_is_made_for_a_threshold_that_is_not_used(fits):
    x = normal("table")
    neighbor = NearestNeighbor(**COMMON)
    neighbor.fit(x)
    assert fits == [len(x)] + 5 * [len(x) - len(x) // 5]
    fits.clear()
    neighbor.fit(x, hold_out=0.2, false_alarm_rate=0.05)
    assert len(fits) == 1, "held-out samples set the threshold"
    fits.clear()
    Ensemble(members=[neighbor, LOF(**COMMON)], **COMMON).fit(x)
    assert len(fits) == 2, "for the scale and for good; a member's own threshold is not used"
    fits.clear()
    neighbor.fit(x[:9])
    assert fits == [9], "too few samples to part"


def test_many_samples_need_fewer_fits(fits):
    NearestNeighbor(**COMMON).fit(plane(12_000, 0))
    assert fits == [12_000, 10_000]
    assert [AutoEncoder().fits_for_threshold(n) for n in (9, 10, 200, 300, 400, 2000, 2001)] == [0, 3, 2, 2, 1, 1, 0]
    assert [AutoEncoder(contamination=c).fits_for_threshold(100) for c in (0, 0.01, 0.02, 0.1)] == [1, 3, 2, 1]
    assert AutoEncoder(threshold_samples=10).fits_for_threshold(2000) == 1, "few scores are what was asked for"
    assert [KDE().fits_for_threshold(n) for n in (9, 10, 2500, 5000, 10**6)] == [0, 5, 4, 2, 1]
    assert [KDE(threshold_fits=1).fits_for_threshold(n) for n in (9, 10, 10**6)] == [0, 1, 1]


def test_what_a_fit_chose_is_chosen_once_and_what_it_leaves_out_is_logged_once(caplog, monkeypatch):
    tried, unfitted = [], GMM.unfitted
    monkeypatch.setattr(GMM, "unfitted", lambda self, k, **how: tried.append(k) or unfitted(self, k, **how))
    with caplog.at_level(logging.INFO, "ganad"):
        model = GMM(components=(1, 2, 3), max_samples=200, **COMMON).fit(plane(300, 0))
    assert tried[3:] == [len(model.means_)] * 5
    assert [record.message for record in caplog.records] == ["GMM: fitted on 200 of 300 training samples"]
    assert model.components == (1, 2, 3)


def test_trimmed_samples_count_for_the_threshold():
    rng = np.random.default_rng(0)
    x = rng.permutation(np.concatenate([plane(280, 0), 40 * rng.normal(size=(20, 8))]))
    model = NearestNeighbor(trim=0.1, contamination=0.1, **COMMON).fit(x)
    assert 0.01 < (model.predict(plane(2000, 2)) == -1).mean() < 0.08, "of the tenth, two thirds are the anomalies"
    assert (model.predict(40 * rng.normal(size=(50, 8))) == -1).all()


def test_models_and_rows_from_before_keep_their_rule():
    assert upgraded(KDE, {}, "0.1.0")["threshold_fits"] == 0


def test_what_cannot_be():
    with pytest.raises(InputError, match="threshold_fits=-1 must"):
        small(KDE, threshold_fits=-1).fit(normal("table"))


def test_few_samples_are_held_out_in_turn_where_a_part_of_them_cannot_show_the_share(fits):
    ensemble = Ensemble(members=[NearestNeighbor(**COMMON), LOF(**COMMON)], **COMMON)
    few, many = plane(100, 0), plane(600, 0)
    ensemble.fit(few)
    assert fits == [80, 80, 80, 100] and ensemble.count_unlearnt(100) == 60, "for the scale, twice more, and for good"
    scores, fits[:] = ensemble.anomaly_score(many), []
    ensemble.set_params(contamination=0.1).fit(few)
    assert fits == [80, 100] and ensemble.anomaly_score(many).tolist() == scores.tolist()
    fits.clear()
    Ensemble(members=[ensemble, KDE(**COMMON)], **COMMON).fit(few)
    assert fits == [64, 80] * 3 + [80, 100], "a member's own threshold is not used"
    fits.clear()
    ensemble.set_params(contamination=0.01).fit(many)
    assert fits == [480, 600]
    for parts, count in ((0, 1), (1, 1), (4, 4)):
        fits.clear()
        ensemble.set_params(threshold_fits=parts).fit(few)
        assert fits == [80] * count + [100] and ensemble.anomaly_score(many).tolist() == scores.tolist()
        assert ensemble.novelty and ensemble.count_unlearnt(100) == 20 * count


def test_who_judges_new_samples():
    assert ganad.Auto().novelty and ganad.Auto().judges_new(100)
    assert not ganad.Auto(trim=0.1).judges_new(100) and not ganad.Auto().judges_new(2)
    photos = Regions(KDE(), Tiles(8, 8))
    assert photos.judges_new(100) and photos.novelty and not photos.judges_new(9)


def test_a_density_in_fewer_directions_sets_no_threshold():
    images = normal("images")
    few, many = (KDE(n_components=40, **COMMON).fit(images[:n]) for n in (45, 60))
    assert len(few.axes_) == len(many.axes_) == 40 and not few.judges_new(45) and many.judges_new(60)


def test_few_samples_that_are_known_by_heart_are_doubted_only_where_they_set_the_threshold():
    x = plane(30, 0)
    with pytest.warns(UntrustedFit, match="by heart"):
        GMM(threshold_fits=0, **COMMON).fit(x)
    model = GMM(**COMMON).fit(x)
    assert not any("by heart" in found for found in model.self_test_.findings)
    assert (model.predict(plane(1000, 1)) == -1).mean() < 0.3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--contamination", "0.1"], "10 % of samples it had not learnt lie above"),
        (["--threshold-fits", "0"], "1 % of these samples lie above"),
        (["--threshold-fits", "2"], "of 24 samples it had not learnt, too few to show 1 %: more new ones lie above;"),
        (["--threshold-fits", "5", "--contamination", "0"], "0 % of samples it had not learnt lie above"),
    ],
)
def test_the_command_line_says_which(tmp_path, given, said):
    np.savetxt(tmp_path / "rows.csv", plane(60, 0), delimiter=",", header="a,b,c,d,e,f,g,h", comments="")
    arguments = ["fit", str(tmp_path / "rows.csv"), "-o", str(tmp_path / "model.safetensors"), "--method", "kde"]
    arguments += given
    done = CliRunner().invoke(build_app(arguments), arguments)
    assert done.exit_code == 0 and said in done.output, done.output
