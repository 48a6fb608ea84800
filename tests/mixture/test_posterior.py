"""Every sampler against the posterior itself: enumerated partitions, and Geweke's joint distribution test (2004)."""

import numpy as np
import pytest

from ganad.mixture import fallback, gibbs, niw
from ganad.mixture.subcluster import SubclusterSampler
from ganad.mixture.sweeps import CollapsedSampler

from .partitions import exact_posterior, small_problem, total_variation

CONFIGURATIONS = {
    "collapsed": lambda *a: CollapsedSampler(*a, moves=0),
    "collapsed-split-merge": lambda *a: CollapsedSampler(*a, moves=3),
    "collapsed-numpy": lambda *a: CollapsedSampler(*a, moves=1, use_numba=False),
    "subcluster": lambda *a: SubclusterSampler(*a, moves=4),
    "subcluster-torch": lambda *a: SubclusterSampler(*a, moves=4, device="cpu"),
}


def check_against_enumeration(name, n, d, n_kept, thin):
    x, prior, alpha = small_problem(n, d)
    sampler = CONFIGURATIONS[name](x, prior, alpha, np.zeros(n, dtype=int))
    found, mean, spread = total_variation(sampler, exact_posterior(x, prior, alpha), n_kept, thin)
    assert found < mean + 4 * spread, f"independent draws: {mean:.5f} ± {spread:.5f}"


@pytest.mark.parametrize("name", ["collapsed", "collapsed-split-merge", "subcluster"])
def test_visits_partitions_as_often_as_the_posterior_says(name):
    check_against_enumeration(name, n=5, d=1, n_kept=1200, thin=2 if name == "subcluster" else 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_visits_all_877_partitions_of_seven_points(name):
    n_kept = {"collapsed": 100_000, "collapsed-split-merge": 60_000, "subcluster": 60_000}.get(name, 10_000)
    check_against_enumeration(name, n=7, d=2, n_kept=n_kept, thin=4)


def test_enumeration_catches_a_wrong_sampler():
    x, prior, alpha = small_problem(5, 1)
    wrong = CollapsedSampler(x, prior, 1.6 * alpha, np.zeros(5, dtype=int), moves=0)
    found, mean, spread = total_variation(wrong, exact_posterior(x, prior, alpha), 1500, 3)
    assert found > mean + 6 * spread


def statistics(x, labels):
    k = len(np.unique(labels))
    return [
        k,
        (labels == labels[0]).sum(),
        np.log1p((x**2).sum()),
        labels[0] == labels[1],
        np.tanh(x[0, 0] * x[1, 0]),
    ]


def draw_data(labels, prior, rng):
    x = np.empty((len(labels), prior.d))
    for k in np.unique(labels):
        mean, b = niw.draw_gaussian(rng, prior, 0, prior.mu, np.linalg.cholesky(prior.psi))
        rows = labels == k
        x[rows] = mean + np.linalg.solve(b, rng.standard_normal((prior.d, rows.sum()))).T
    return x


def draw_labels(n, alpha, rng):
    labels = [0]
    for _ in range(n - 1):
        weights = np.append(np.bincount(labels), alpha)
        labels.append(int(rng.choice(len(weights), p=weights / weights.sum())))
    return np.array(labels)


def geweke(make, n_steps, n_independent, seed=0):
    """z-scores of (labels | data, data | labels) alternated against independent draws of both."""
    n, d, alpha = 6, 2, 1.3
    prior = niw.NIW(0.5, d + 4.0, np.zeros(d), np.eye(d))
    rng = np.random.default_rng(seed)
    independent = []
    for _ in range(n_independent):
        labels = draw_labels(n, alpha, rng)
        independent.append(statistics(draw_data(labels, prior, rng), labels))
    chain, labels = [], draw_labels(n, alpha, rng)
    for _ in range(n_steps):
        x = draw_data(labels, prior, rng)
        sampler = make(x, prior, alpha, np.unique(labels, return_inverse=True)[1])
        sampler.sweep(rng)
        labels = sampler.labels
        chain.append(statistics(x, labels))
    independent, chain = np.array(independent, dtype=float), np.array(chain, dtype=float)
    batches = chain[: n_steps // 40 * 40].reshape(40, -1, chain.shape[1]).mean(axis=1)
    error = np.hypot(batches.std(axis=0, ddof=1) / np.sqrt(40), independent.std(axis=0) / np.sqrt(n_independent))
    return (batches.mean(axis=0) - independent.mean(axis=0)) / error


@pytest.mark.parametrize("name", ["collapsed-split-merge", "subcluster"])
def test_geweke(name):
    z = geweke(CONFIGURATIONS[name], n_steps=1000, n_independent=1500)
    assert np.abs(z).max() < 4, z


@pytest.mark.slow
@pytest.mark.parametrize("name", ["collapsed", "collapsed-split-merge", "subcluster"])
def test_geweke_long(name):
    z = geweke(CONFIGURATIONS[name], n_steps=30_000, n_independent=30_000)
    assert np.abs(z).max() < 4, z


@pytest.mark.skipif(gibbs.kernels is None, reason="needs Numba")
@pytest.mark.parametrize(("n", "d", "k"), [(300, 6, 4), (40, 60, 3), (500, 1, 8)])
def test_numpy_fallback_gives_identical_assignments(n, d, k):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, d)) + 3 * rng.normal(size=(k, d))[rng.integers(k, size=n)]
    x -= x.mean(axis=0)
    prior = niw.NIW(0.1, d + 20.0, np.zeros(d), 7 * np.eye(d))
    runs = []
    for use_numba in (True, False):
        sampler, rng = (
            CollapsedSampler(x, prior, 1.0, None, use_numba=use_numba),
            np.random.default_rng(2),
        )
        assert (sampler.kernel is fallback) is not use_numba
        sampler.scan(rng.permutation(n), rng.random(n))
        labels = [sampler.labels]
        for _ in range(6):
            sampler.sweep(rng)
            labels.append(sampler.labels)
        runs.append(np.array(labels))
    np.testing.assert_array_equal(*runs)
    assert runs[0].max() > 0
