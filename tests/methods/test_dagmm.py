"""DAGMM: mixture and energy by formula; no collapse where components die or columns are constant."""

import numpy as np
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ganad.methods.dagmm import energy, mixture, whitener


def test_mixture_and_energy_by_formula():
    rng = np.random.default_rng(0)
    z, logit = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    gamma = np.exp(logit - logsumexp(logit, axis=1, keepdims=True))
    log_phi, mu, sigma = mixture(torch.tensor(z), torch.tensor(logit), 0.0)
    np.testing.assert_allclose(log_phi.exp(), gamma.mean(0))
    for k in range(2):
        mean = gamma[:, k] @ z / gamma[:, k].sum()
        np.testing.assert_allclose(mu[k], mean)
        np.testing.assert_allclose(sigma[k], (gamma[:, k, None] * (z - mean)).T @ (z - mean) / gamma[:, k].sum())
    parts = [np.log(gamma[:, k].mean()) + multivariate_normal(mu[k], sigma[k]).logpdf(z) for k in range(2)]
    np.testing.assert_allclose(energy(torch.tensor(z), log_phi, mu, whitener(sigma)), -logsumexp(parts, axis=0))


def test_a_dead_component_and_a_flat_feature_stay_finite():
    z = torch.zeros(20, 3, dtype=torch.float64)
    z[:, 0] = torch.arange(20)
    log_phi, mu, sigma = mixture(z, torch.tensor([[0.0, -2000.0]]).expand(20, 2), 1e-6)
    far = torch.cat([z, z + 1e6])
    assert torch.isfinite(energy(far, log_phi, mu, whitener(sigma))).all()


def test_energies_of_far_samples_differ():
    """The ports add 1e-12 to a density that underflows: every far sample gets 27.6."""
    z = torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    log_phi, mu, sigma = mixture(z, torch.zeros(200, 2), 1e-6)
    far = torch.tensor([[50.0], [100.0], [200.0]]).double() * torch.ones(3).double()
    values = energy(far, log_phi, mu, whitener(sigma))
    assert (values.diff() > 0).all() and values[0] > 1000
