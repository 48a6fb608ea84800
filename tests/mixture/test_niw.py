"""Conjugate formulas against scipy and against each other."""

import numpy as np
import pytest
from scipy.stats import invwishart, multivariate_t

from ganad.mixture import niw


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(3, 3))
    return rng.normal(size=(20, 3)) * 2 + 1, niw.NIW(0.7, 4.3, rng.normal(size=3), a @ a.T + np.eye(3))


@pytest.mark.parametrize("n", [0, 1, 2, 19])
def test_predictive_is_scipys_student_t(problem, n):
    x, prior = problem
    mean, psi = prior.posterior(niw.moments(x[:n]))
    kappa, nu = prior.kappa + n, prior.m + n - 3 + 1
    expected = multivariate_t(mean, psi * (kappa + 1) / (kappa * nu), df=nu).logpdf(x)
    np.testing.assert_allclose(niw.log_student_t(x, prior, n, mean, np.linalg.cholesky(psi)), expected, rtol=1e-12)


def log_evidence(x, prior):
    data = niw.moments(x)
    return prior.log_marginal(data.n, np.linalg.slogdet(prior.posterior(data)[1])[1])


def test_sequential_predictives_sum_to_the_log_marginal(problem):
    x, prior = problem
    total = 0.0
    for n in range(len(x)):
        mean, psi = prior.posterior(niw.moments(x[:n]))
        total += niw.log_student_t(x[n : n + 1], prior, n, mean, np.linalg.cholesky(psi))[0]
    assert total == pytest.approx(log_evidence(x, prior), abs=1e-10)


def test_crp_probabilities_sum_to_one():
    from .partitions import partitions

    rows = partitions(6)
    assert len(rows) == 203
    total = sum(np.exp(niw.log_crp(np.bincount(row), 0.8)) for row in rows)
    assert total == pytest.approx(1.0)


def test_log_joint_is_invariant(problem):
    x, prior = problem
    labels = np.arange(len(x)) % 3
    value = niw.log_joint(x, labels, prior, 0.9)
    order = np.random.default_rng(1).permutation(len(x))
    assert niw.log_joint(x[order], labels[order], prior, 0.9) == pytest.approx(value)
    assert niw.log_joint(x, (labels + 1) % 3, prior, 0.9) == pytest.approx(value)
    moved = niw.NIW(prior.kappa, prior.m, prior.mu + 50, prior.psi)
    assert niw.log_joint(x + 50, labels, moved, 0.9) == pytest.approx(value)
    q = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turned = niw.NIW(prior.kappa, prior.m, q @ prior.mu, q @ prior.psi @ q.T)
    assert niw.log_joint(x @ q.T, labels, turned, 0.9) == pytest.approx(value)


def test_moments_add_and_subtract(problem):
    x, _ = problem
    x = x + 1e6
    whole, part = niw.moments(x), niw.moments(x[:7])
    for found, expected in (
        (niw.combine(part, niw.moments(x[7:])), whole),
        (niw.without(whole, part), niw.moments(x[7:])),
    ):
        assert found.n == expected.n
        np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-14)
        np.testing.assert_allclose(found.scatter, expected.scatter, atol=1e-7)
    assert niw.without(whole, whole).n == 0


def test_drawn_parameters_have_the_posterior_moments(problem):
    x, prior = problem
    data = niw.moments(x)
    mean, psi = prior.posterior(data)
    factor, rng = np.linalg.cholesky(psi), np.random.default_rng(3)
    draws = [niw.draw_gaussian(rng, prior, data.n, mean, factor) for _ in range(4000)]
    assert all((np.triu(b, 1) == 0).all() for _, b in draws[:5])
    sigma = np.linalg.inv(np.stack([b.T @ b for _, b in draws]))
    reference = invwishart(prior.m + data.n, psi).rvs(4000, random_state=4)
    for found, expected in ((sigma, reference), (sigma**2, reference**2)):
        error = np.hypot(found.std(axis=0), expected.std(axis=0)) / np.sqrt(4000)
        assert np.abs((found.mean(axis=0) - expected.mean(axis=0)) / error).max() < 4
    mu = np.stack([m for m, _ in draws])
    spread = np.cov(mu, rowvar=False) * (prior.kappa + data.n) / sigma.mean(axis=0)
    np.testing.assert_allclose(np.diagonal(spread), 1, atol=0.1)


def test_alpha_draws_match_the_density():
    rng, alpha, draws = np.random.default_rng(0), 1.0, []
    n, k, shape, rate = 50, 6, 2.0, 1.5
    for _ in range(20_000):
        alpha = niw.draw_alpha(rng, alpha, n, k, shape, rate)
        draws.append(alpha)
    grid = np.linspace(1e-3, 15, 20_000)
    from scipy.special import gammaln

    log_p = (shape - 1 + k) * np.log(grid) - rate * grid + gammaln(grid) - gammaln(grid + n)
    p = np.exp(log_p - log_p.max())
    expected = (grid * p).sum() / p.sum()
    spread = np.sqrt(((grid - expected) ** 2 * p).sum() / p.sum())
    assert np.mean(draws) == pytest.approx(expected, abs=6 * spread / np.sqrt(len(draws)))


def test_cholesky_lifts_a_matrix_that_only_rounding_made_singular():
    v = np.array([[1e9, 1.0]])
    factor = niw.cholesky(v.T @ v + np.diag([0.0, 1e-9]))
    assert np.isfinite(factor).all() and (np.diagonal(factor) > 0).all()
