"""Each figure of merit against arithmetic that a reader can do by hand, and the inputs it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from ganad import metrics
from ganad.errors import InputError

Y = np.array([0, 0, 1, 0, 1])
S = np.array([0.1, 0.4, 0.35, 0.2, 0.8])  # ranking, best first: 1 0 1 0 0

labels = st.lists(st.integers(0, 1), min_size=2, max_size=40).filter(lambda y: 0 < sum(y) < len(y))


def test_areas_by_hand():
    assert metrics.auroc(Y, S) == pytest.approx(5 / 6)
    assert metrics.average_precision(Y, S) == pytest.approx((1 + 2 / 3) / 2)
    # points (recall, precision): (0, 1), (.5, 1), (.5, .5), (1, 2/3)
    assert metrics.pr_area_trapezoid(Y, S) == pytest.approx(0.5 + 0.5 * (1 / 2 + 2 / 3) / 2)
    # normal ranking, best first: 0 0 1 0 1
    assert metrics.average_precision(Y, S, "normal") == pytest.approx((1 + 1 + 3 / 4) / 3)


@given(labels)
def test_the_normal_class_as_positive_is_the_turned_problem(y):
    y = np.array(y)
    s = np.random.default_rng(len(y)).normal(size=len(y))
    assert metrics.average_precision(y, s, "normal") == metrics.average_precision(1 - y, -s)
    assert metrics.pr_area_trapezoid(y, s, "normal") == metrics.pr_area_trapezoid(1 - y, -s)
    assert metrics.auroc(y, s) == pytest.approx(metrics.auroc(1 - y, -s))


def test_a_constant_score_shows_why_the_two_areas_have_two_names():
    y = np.repeat([0, 1], [80, 20])
    constant = np.zeros(100)
    assert metrics.auroc(y, constant) == 0.5
    assert metrics.average_precision(y, constant) == pytest.approx(0.2)
    assert metrics.pr_area_trapezoid(y, constant) == pytest.approx(0.6)
    assert metrics.summary(y, constant)["constant_pr_area_trapezoid"] == pytest.approx(0.6)


def test_chance_and_worst_areas_are_reached_by_random_and_worst_scores():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [12_620, 6_903])  # mnist-lo-8020, digit 0
    low = metrics.lowest_pr_area(metrics.prevalence(y))
    assert round(low, 3) == 0.202
    assert metrics.average_precision(y, -y.astype(float) + 1e-6 * rng.random(len(y))) == pytest.approx(low, abs=2e-4)
    assert metrics.pr_area_trapezoid(y, -y.astype(float) + 1e-6 * rng.random(len(y))) == pytest.approx(low, abs=2e-4)
    chance = metrics.summary(y, rng.random(len(y)))
    assert chance["average_precision"] == pytest.approx(chance["chance_average_precision"], abs=0.01)
    assert chance["pr_area_trapezoid_normal"] == pytest.approx(chance["chance_pr_area_trapezoid_normal"], abs=0.01)


@given(labels, st.integers(0, 3), st.sampled_from([0.01, 0.07, 0.2, 0.5, 1.0]), st.integers(0, 9))
def test_exactly_the_rate_is_flagged_and_the_highest_come_first(y, levels, rate, seed):
    s = np.random.default_rng(seed).integers(0, levels + 1, len(y)).astype(float)
    mask = metrics.flag_top(s, rate, seed)
    assert mask.sum() == metrics.n_flagged_at(rate, len(y))
    assert mask.all() or s[mask].min() >= s[~mask].max()
    got = metrics.rates_at(np.array(y), s, rate, seed)
    assert got.precision == pytest.approx(precision_score(y, mask))
    assert got.recall == pytest.approx(recall_score(y, mask))
    assert got.f1 == pytest.approx(f1_score(y, mask))
    assert got.tied == (s == s[mask].min()).sum()


@pytest.mark.parametrize(("rate", "n", "flagged"), [(0.2, 247_011, 49_403), (0.15, 226, 34), (0.07, 100, 7), (1, 9, 9)])
def test_counts_of_flagged_samples(rate, n, flagged):
    assert metrics.n_flagged_at(rate, n) == flagged


def test_ties_do_not_follow_the_order_of_the_classes():
    y = np.repeat([1, 0], 5000)  # sorted by class: flagging the first half would look perfect
    constant = np.ones(10_000)
    found = [metrics.rates_at(y, constant, 0.5, seed).recall for seed in range(5)]
    assert np.allclose(found, 0.5, atol=0.03)
    assert len(set(found)) > 1
    assert found[0] == metrics.rates_at(y, constant, 0.5).recall
    assert metrics.rates_at(y, constant, 0.5).tied == 10_000


def test_ties_are_not_broken_by_the_permutation_that_made_the_split():
    order = np.random.RandomState(0).permutation(1000)
    y = np.zeros(1000, int)
    y[order[:200]] = 1
    assert metrics.rates_at(y, np.ones(1000), 0.2).recall == pytest.approx(0.2, abs=0.1)


@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1, max_size=10))
def test_a_mean_f1_never_exceeds_the_f1_of_the_means(runs):
    p, r = np.array(runs).T
    assert np.mean([metrics.f1_from(a, b) for a, b in runs]) <= metrics.f1_from(p.mean(), r.mean()) + 1e-12


def test_thresholds_are_strict_as_in_predict():
    assert metrics.balanced_accuracy(Y, S, 0.35) == pytest.approx((0.5 + 2 / 3) / 2)
    assert metrics.rates_above(Y, S, 0.35)[:4] == (0.5, 0.5, 0.5, 2)
    assert metrics.rates_above(Y, S, 1.0) == (0.0, 0.0, 0.0, 0, 0)
    assert metrics.balanced_accuracy(Y, S, 1.0) == 0.5


@given(labels, st.floats(-0.1, 1.1))
def test_accuracies_by_class(y, threshold):
    y = np.array(y)
    s = np.random.default_rng(len(y)).random(len(y))
    got, below = metrics.class_accuracies(y, s, threshold), s <= threshold
    assert got["pass_accuracy"] == pytest.approx(recall_score(1 - y, below))
    assert got["nonpass_accuracy"] == pytest.approx(recall_score(y, ~below))
    assert got["accuracy"] == pytest.approx((y == ~below).mean())
    assert got["f1_pass_positive"] == pytest.approx(f1_score(1 - y, below))
    both = (got["pass_accuracy"] + got["nonpass_accuracy"]) / 2
    assert metrics.balanced_accuracy(y, s, threshold) == pytest.approx(both)


def test_flagging_nothing_is_nearly_perfect_by_the_f1_of_the_normal_class():
    y = np.repeat([0, 1], [787, 22])
    got = metrics.class_accuracies(y, np.zeros(809), 0.5)
    assert round(got["f1_pass_positive"], 3) == 0.986
    assert got["nonpass_accuracy"] == 0


def test_summary_is_flat_and_agrees_with_its_parts():
    got = metrics.summary(Y, S, rate=0.4, threshold=0.3)
    assert all(isinstance(v, int | float) for v in got.values())
    assert got["f1"] == metrics.f1_from(got["precision"], got["recall"]) == 0.5
    assert got["precision"] / got["recall"] == got["precision_over_recall"] == 1
    assert got["n_flagged_above"] == 3
    assert got["balanced_accuracy"] == metrics.balanced_accuracy(Y, S, 0.3)
    assert got.items() >= metrics.class_accuracies(Y, S, 0.3).items()
    assert not {"f1", "balanced_accuracy"} & set(metrics.summary(Y, S))


def test_mean_median_sd():
    assert metrics.mean_median_sd([1, 2, 6]) == (3.0, 2.0, pytest.approx(np.sqrt(7)), 3)
    assert metrics.mean_median_sd([0.5]) == (0.5, 0.5, None, 1)
    with pytest.raises(InputError, match="at least one"):
        metrics.mean_median_sd([])


@pytest.mark.parametrize(
    ("y", "score", "message"),
    [
        (Y, [0.1, np.nan, 0.2, 0.3, 0.4], "1 of 5 values are NaN or infinite, the first at position 1"),
        (Y, [0.1, np.inf, 0.2, 0.3, 0.4], "NaN or infinite"),
        (Y, [0.1, 0.2], "5 labels and score 2"),
        (Y, [[0.1]] * 5, "shape"),
        ([0] * 5, S, "one class"),
        ([1] * 5, S, "one class"),
        ([1, -1, 1, -1, 1], S, "must be 1"),
        (list("abcde"), S, "not numbers"),
    ],
)
def test_unusable_input_is_refused(y, score, message):
    for f in (metrics.auroc, metrics.average_precision, metrics.pr_area_trapezoid, metrics.summary):
        with pytest.raises(InputError, match=message):
            f(np.array(y), np.array(score))


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, np.nan])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(InputError, match="rate"):
        metrics.flag_top(S, rate)


def test_a_small_rate_flags_one():
    assert metrics.rates_at(Y, S, 1e-12).n_flagged == 1


def test_impossible_switches_are_refused():
    for f in (metrics.rates_above, metrics.balanced_accuracy, metrics.class_accuracies):
        with pytest.raises(InputError, match="threshold is NaN"):
            f(Y, S, np.nan)
    with pytest.raises(InputError, match="kinds: 1 for 5 scores"):
        metrics.by_kind(["good"], Y, S)
    with pytest.raises(InputError, match="positive"):
        metrics.average_precision(Y, S, "attack")
    with pytest.raises(InputError, match="prevalence"):
        metrics.lowest_pr_area(1.0)
