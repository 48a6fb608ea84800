"""The parallel sampler's parts: label draws by bound and Gumbel noise, occupied clusters, bookkeeping, torch."""

import numpy as np
import pytest
from scipy.special import softmax

from ganad.mixture import engine, niw
from ganad.mixture.subcluster import SubclusterSampler, keep_occupied
from ganad.mixture.torch_engine import TorchEngine


def components(k, d, spread, seed=0):
    rng = np.random.default_rng(seed)
    b = np.tril(rng.normal(size=(k, d, d)) * 0.2) + np.eye(d)
    mean = spread * rng.normal(size=(k, d))
    return rng, np.log(rng.dirichlet(np.ones(k))), b, np.einsum("kij,kj->ki", b, mean), mean


@pytest.mark.parametrize("d", [3, 40], ids=["whole", "bounded"])
@pytest.mark.parametrize("make", [engine.NumpyEngine, lambda x: TorchEngine(x, "cpu")], ids=["numpy", "torch"])
def test_labels_are_drawn_from_their_conditional(make, d):
    rng, log_w, b, offset, mean = components(4, d, spread=0.3)
    point = mean.mean(axis=0)  # between all four
    squares = np.square(b @ point - offset).sum(axis=1)
    n = 40_000
    work = make(np.tile(point, (n, 1)))
    for labels in (np.zeros(n, dtype=np.int64), rng.integers(4, size=n)):
        share = np.bincount(work.draw(labels, log_w, b, offset, rng), minlength=4) / n
        p = softmax(log_w - 0.5 * squares)
        assert (np.abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / n) + 1e-12).all()
        assert p.max() < 0.95  # or the test could not fail


def test_bound_leaves_nobody_out():
    """The same noise without the bound gives the same labels, mixed and separated clusters alike."""
    for spread in (0.05, 0.5, 3.0):
        rng, log_w, b, offset, mean = components(6, 30, spread)
        x = mean[rng.integers(6, size=3000)] + rng.normal(size=(3000, 30))
        labels = rng.integers(6, size=3000)
        bounded, whole = engine.NumpyEngine(x), engine.NumpyEngine(x)
        assert bounded.prefix < 30
        whole.prefix = 30
        drawn = [e.draw(labels, log_w, b, offset, np.random.default_rng(5)) for e in (bounded, whole)]
        np.testing.assert_array_equal(*drawn)


def test_draws_do_not_depend_on_the_number_of_threads():
    rng, log_w, b, offset, _ = components(5, 12, 0.5)
    x, labels = rng.normal(size=(5000, 12)), rng.integers(5, size=5000)
    drawn = [engine.NumpyEngine(x, n_jobs=n).draw(labels, log_w, b, offset, np.random.default_rng(1)) for n in (1, 3)]
    np.testing.assert_array_equal(*drawn)


def test_torch_and_numpy_agree_on_forms_and_moments():
    rng, _, b, offset, _ = components(3, 9, 1.0)
    x = rng.normal(size=(500, 9))
    rows = np.flatnonzero(rng.random(500) < 0.5)
    a, t = engine.NumpyEngine(x), TorchEngine(x, "cpu")
    np.testing.assert_allclose(t.quadratic(rows, b, offset), a.quadratic(rows, b, offset), rtol=1e-10)
    for found, expected in zip(t.moments(rows), a.moments(rows)):
        np.testing.assert_allclose(found, expected, atol=1e-10)
    assert t.moments(rows[:0]).n == 0


def test_last_point_of_a_cluster_stays():
    labels = np.array([0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(keep_occupied(labels, np.array([0, 0, 1, 0, 2, 2]), 3), [0, 0, 1, 0, 2, 2])
    np.testing.assert_array_equal(keep_occupied(labels, np.array([0, 0, 0, 0, 2, 2]), 3), [0, 0, 0, 1, 2, 2])
    # in index order the first of cluster 2 may leave, the second must stay
    np.testing.assert_array_equal(keep_occupied(labels, np.array([0, 0, 0, 1, 0, 0]), 3), [0, 0, 0, 1, 0, 2])


@pytest.mark.parametrize("device", [None, "cpu"])
def test_bookkeeping_follows_the_labels(device):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 5)) + 2 * rng.normal(size=(4, 5))[rng.integers(4, size=600)]
    x -= x.mean(axis=0)
    prior = niw.NIW(0.1, 25.0, np.zeros(5), 7 * np.eye(5))
    sampler = SubclusterSampler(x, prior, 1.0, rng.integers(12, size=600), device=device)
    sizes = set()
    for _ in range(25):
        sampler.sweep(rng)
        sizes.add(sampler.n_clusters)
        assert [c.data.n for c in sampler.clusters] == np.bincount(sampler.labels).tolist()
        expected = niw.log_joint(x, sampler.labels, prior, 1.0)  # in the unrotated coordinates
        assert sampler.log_joint() == pytest.approx(expected, abs=1e-6)
    assert len(sizes) > 1
