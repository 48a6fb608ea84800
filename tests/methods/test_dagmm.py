"""DAGMM: mixture and energy by formula; no collapse where components die or columns are constant."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ganad import DAGMM, protocols
from ganad.methods.dagmm import energy, mixture, whitener

from ..data.conftest import SHARED
from ..samples import fitted, normal
from .steps import inputs, losses


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


def test_jitter_is_relative_to_one_plus_the_mean_variance():
    rng = torch.Generator().manual_seed(0)
    z, logit = (torch.randn(50, k, dtype=torch.float64, generator=rng) for k in (3, 2))
    plain, widened = (mixture(100 * z, logit, jitter)[2] for jitter in (0.0, 0.01))
    for a, b in zip(plain, widened):
        np.testing.assert_allclose(b - a, 0.01 * (1 + np.trace(a) / 3) * np.eye(3), atol=1e-9)


@pytest.mark.parametrize("kind", ["table", "images"])
def test_features_and_loss(kind):
    model = fitted(DAGMM, kind)
    x, net = inputs(model, normal(kind)), model.nets_.model
    ((player, terms),) = losses(model, x)
    with torch.no_grad():
        code = net["encoder"](x).double().numpy()
        a, b = (t.double().numpy().reshape(len(x), -1) for t in (x, net["decoder"](net["encoder"](x))))
        z, logit, _ = model.features(x)
    sizes = [np.sqrt((v**2).sum(1) + 0.01**2 * v.shape[1]) for v in (a, b)]  # a hundredth per column is the floor
    error, cosine = np.linalg.norm(a - b, axis=1) / sizes[0], (a * b).sum(1) / (sizes[0] * sizes[1])
    np.testing.assert_allclose(z, np.c_[code, error, cosine], rtol=1e-4, atol=1e-5)
    log_phi, mu, sigma = mixture(z, logit, model.jitter)
    expected = dict(reconstruction=((a - b) ** 2).sum(1).mean())
    expected["energy"] = 0.1 * float(energy(z, log_phi, mu, whitener(sigma)).mean())
    expected["diag"] = 0.005 * sum((1 / np.diag(s)).sum() for s in sigma.numpy())
    assert player == "model" and terms == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "kddcup99").is_dir(), reason="the real files are not beside this checkout")
@pytest.mark.parametrize("seed", range(10))
def test_no_collapse_on_kdd99(seed):
    """Most rows of KDD99 are copies of a few; published codes end in a singular covariance or in NaN there."""
    samples = protocols.read("kdd-half", data_dir=SHARED)
    split = protocols.PROTOCOLS["kdd-half"].split(samples, None, seed, n_train=20_000, n_test=10_000)
    x, x_test = split.take(samples.x)
    model = DAGMM.preset("kddcup99", epochs=10, lr=1e-3, random_state=seed, verbose=0, threads=1).fit(x)
    phi, covariance = model.log_phi_.exp(), torch.linalg.inv(model.whitener_.mT @ model.whitener_)
    assert float(phi.sum()) == pytest.approx(1) and float(phi.max()) < 0.999
    assert (torch.linalg.eigvalsh(covariance) > 0).all() and torch.isfinite(model.whitener_).all()
    scores, y = model.anomaly_score(x_test), split.y_test
    assert np.isfinite(scores).all() and len(np.unique(scores)) > 1000
    assert scores[y == 1].mean() > scores[y == 0].mean() + scores[y == 0].std()
