"""Rank-one changes of the factors, and the leave-one-out predictive that needs none."""

import numpy as np
import pytest

from ganad.mixture import fallback, gibbs, niw
from ganad.mixture.sweeps import CollapsedSampler

KERNELS = [True, False] if gibbs.kernels is not None else [False]


def make(use_numba, n=200, d=8, k=3, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(size=(n, d))
    prior = niw.NIW(0.1, d + 3.0, np.zeros(d), 7 * np.eye(d))
    return CollapsedSampler(x - x.mean(axis=0), prior, 1.0, rng.integers(k, size=n), use_numba=use_numba)


def factor_of(sampler, slot):
    g = sampler.state
    return np.linalg.cholesky(g.factor[slot]) if sampler.kernel is fallback else g.factor[slot].T


def check_factors(sampler, tolerance):
    g = sampler.state
    for slot in g.active[: g.size[0]]:
        data = niw.moments(sampler.x[g.z == slot])
        mean, psi = sampler.prior.posterior(data)
        fresh = np.linalg.cholesky(psi)
        assert g.counts[slot] == data.n
        np.testing.assert_allclose(g.mean[slot], mean, atol=tolerance)
        np.testing.assert_allclose(factor_of(sampler, slot), fresh, rtol=tolerance, atol=tolerance)
        assert g.log_det[slot] == pytest.approx(2 * np.log(np.diagonal(fresh)).sum(), abs=tolerance)


@pytest.mark.parametrize(("use_numba", "moves"), [(k, 100_000 if k else 5_000) for k in KERNELS])
def test_factors_after_many_moves(use_numba, moves):
    sampler = make(use_numba)
    rng, g = np.random.default_rng(1), sampler.state
    points, targets = rng.integers(len(sampler.x), size=moves), rng.integers(3, size=moves)
    moved = 0
    for i, target in zip(points, targets):
        if g.counts[g.z[i]] > 1:
            sampler.kernel.remove(g, i, g.z[i])
            sampler.kernel.add(g, i, target)
            moved += 1
    assert moved == moves
    check_factors(sampler, 1e-8)


@pytest.mark.parametrize("use_numba", KERNELS)
@pytest.mark.parametrize("scale", [1.0, 1e7], ids=["ordinary", "ill-conditioned"])
def test_factors_after_sweeps(use_numba, scale):
    sampler = make(use_numba, n=60, scale=scale)
    rng = np.random.default_rng(2)
    for _ in range(5):
        sampler.scan(rng.permutation(60), rng.random(60))
    g = sampler.state
    for slot in g.active[: g.size[0]]:
        psi = sampler.prior.posterior(niw.moments(sampler.x[g.z == slot]))[1]
        found = factor_of(sampler, slot)
        assert np.abs(found @ found.T - psi).max() <= 1e-8 * np.abs(psi).max()


@pytest.mark.skipif(gibbs.kernels is None, reason="needs Numba")
@pytest.mark.parametrize(("scale", "tolerance"), [(1.0, 1e-9), (1e3, 1e-6), (1e6, 0.01)])
def test_leave_one_out_predictive_is_that_of_the_others(scale, tolerance):
    sampler = make(True, n=12, k=2, scale=scale)
    g, work = sampler.state, np.empty(8)
    for i in range(12):
        others = (g.z == g.z[i]) & (np.arange(12) != i)
        data = niw.moments(sampler.x[others])
        mean, psi = sampler.prior.posterior(data)
        expected = niw.log_student_t(sampler.x[i : i + 1], sampler.prior, data.n, mean, np.linalg.cholesky(psi))[0]
        found = gibbs.kernels.log_predictive_without(g, i, g.z[i], work)
        assert found == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("use_numba", KERNELS)
def test_log_joint_is_the_labelling_s(use_numba):
    sampler, rng = make(use_numba, n=80), np.random.default_rng(3)
    for _ in range(4):
        sampler.sweep(rng)
        labels = sampler.labels
        assert labels.max() + 1 == sampler.n_clusters == len(np.unique(labels))
        assert sampler.log_joint() == pytest.approx(niw.log_joint(sampler.x, labels, sampler.prior, 1.0), abs=1e-7)


@pytest.mark.parametrize("use_numba", KERNELS)
def test_slots_grow_when_every_point_is_alone(use_numba):
    x = 1e4 * np.arange(40.0)[:, None]
    prior = niw.NIW(1e-6, 3.0, np.zeros(1), 1e-3 * np.eye(1))
    sampler = CollapsedSampler(x - x.mean(), prior, 1e9, None, use_numba=use_numba)
    rng = np.random.default_rng(0)
    sampler.scan(rng.permutation(40), rng.random(40))
    assert sampler.n_clusters == 40
    check_factors(sampler, 1e-6)
