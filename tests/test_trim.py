"""fit with ``trim``: fit, drop the most anomalous share, fit again."""

import numpy as np
import pytest

import ganad
from ganad import GMM, AutoEncoder, NearestNeighbor, PCAResidual
from ganad.detector.fitting import calmest
from ganad.migrations import upgraded
from ganad.training import Run

from .samples import KINDS, anomalous, normal, small


def unclean() -> np.ndarray:
    """400 normal rows and 20 anomalies among them."""
    x = np.concatenate([normal("table"), anomalous("table")[:20]])
    return x[np.random.default_rng(0).permutation(len(x))]


def test_the_share_with_the_highest_scores_goes_and_the_order_stays():
    scores = np.array([5.0, 1, 4, 2, 3, 0, 9, 8, 7, 6])
    assert calmest(scores, 0.2).tolist() == [0, 1, 2, 3, 4, 5, 8, 9]
    assert calmest(scores, 0.29).tolist() == [0, 1, 2, 3, 4, 5, 8, 9]
    assert calmest(scores, 0).tolist() == list(range(10))
    assert len(calmest(scores, 0.99)) == 2


def test_it_is_a_fit_on_the_rest():
    x = unclean()
    scores = small(GMM).fit(x).anomaly_score(x)
    rest = x[calmest(scores, 0.1)]
    assert np.array_equal(small(GMM, trim=0.1).fit(x).anomaly_score(x), small(GMM).fit(rest).anomaly_score(x))
    assert np.array_equal(small(GMM, trim=0.0).fit(x).anomaly_score(x), scores)


def test_contamination_is_still_a_share_of_all_training_samples():
    x, odd = unclean(), anomalous("table")[20:]
    for trim in (0, 0.1):
        model = small(GMM, trim=trim, contamination=0.05, threshold_fits=0).fit(x)
        assert 0.03 < (model.predict(x) == -1).mean() <= 0.05
    assert (model.predict(odd) == -1).all()


def test_anomalies_among_the_training_samples_hide_less():
    x, odd = unclean(), anomalous("table")[20:]
    there, cut = (small(NearestNeighbor, trim=trim).fit(x).anomaly_score(odd) for trim in (0, 0.1))
    assert cut.mean() > 1.2 * there.mean()


def test_held_out_samples_are_not_trimmed():
    x = unclean()
    model = small(PCAResidual, trim=0.1).fit(x, hold_out=0.2, false_alarm_rate=0.05)
    assert len(model.calibration_) == 84
    assert model.calibration_.max() > 10 * np.median(model.calibration_), "anomalies are among them, as they come"


@pytest.mark.parametrize("kind", KINDS)
def test_both_fits_are_in_the_history_and_shown_to_a_watcher(kind):
    seen = []
    model = small(AutoEncoder, trim=0.1, epochs=2)
    model.fit(normal(kind), on_epoch=lambda m: seen.append(len(m.history_)))
    stages = [row["stage"] for row in model.history_]
    assert len(set(stages)) == 2 and stages[2:] == [f"trimmed {stage}" for stage in stages[:2]]
    assert seen == [1, 2, 3, 4]


def test_stopped_in_either_fit_and_resumed_ends_in_the_same_weights(tmp_path, monkeypatch):
    x, settings = unclean(), dict(epochs=2, batch_size=128, trim=0.1, patience=5)
    unbroken = small(AutoEncoder, **settings).fit(x)
    iterate, left = Run.iterate, iter([2, 1, 3, 2, 1])
    remaining, lives, stages = 0, 0, []

    def dies(run):
        nonlocal remaining
        if remaining == 0:
            stages.append(run.name)
            raise ConnectionAbortedError("killed")
        remaining -= 1
        iterate(run)

    monkeypatch.setattr(Run, "iterate", dies)
    while True:
        remaining, lives = next(left, 10**9), lives + 1
        model = small(AutoEncoder, **settings)
        try:
            model.fit(x, checkpoint=tmp_path / "c", resume=lives > 1, checkpoint_every=0)
            break
        except ConnectionAbortedError:
            pass
    assert len(set(stages)) == 2, "it died in both"
    assert np.array_equal(model.anomaly_score(x), unbroken.anomaly_score(x))
    assert len(model.history_) == len(unbroken.history_)


def test_settings_from_before_mean_one_fit_and_a_share_of_all_is_refused():
    assert upgraded(NearestNeighbor, {}, "0.1.0")["trim"] == 0
    with pytest.raises(ganad.InputError, match=r"trim=1.0 must be at least 0 and below 1"):
        small(NearestNeighbor, trim=1.0).fit(normal("table"))
