"""VAE: each score against NumPy; more draws are an average."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ganad import VAE, InputError, load
from ganad.seeds import isolated_rng

from ..samples import normal, small


def test_scores_against_numpy():
    model, x = small(VAE, n_draws=3).fit(normal("table")), normal("table")[:20]
    batch = model.input_.to_network(torch.from_numpy(x))
    with torch.no_grad():
        mu, logvar = model.nets_.vae.encode(batch)
        log_s = float(model.nets_.vae.log_s)
        errors = []
        for e in model.draws_:
            x_hat = model.nets_.vae.decode(mu + (logvar / 2).exp() * e)
            errors.append(((batch - x_hat).numpy() ** 2).sum(1))
        recon = ((batch - model.nets_.vae.decode(mu)).numpy() ** 2).sum(1)
    m, v = mu.numpy(), logvar.numpy()
    kl = 0.5 * (np.exp(v) + m**2 - 1 - v).sum(1)
    surprise = np.mean(errors, 0) / (2 * np.exp(2 * log_s)) + 6 * (log_s + 0.5 * np.log(2 * np.pi))
    scores = dict(kl=kl, recon=recon, recon_prob=surprise, elbo=surprise + kl)
    scores |= dict(prior=(m**2).sum(1) / 2, variance=np.exp(v).sum(1))
    for variant, expected in scores.items():
        assert np.allclose(model.set_params(variant=variant).anomaly_score(x), expected, rtol=1e-4, atol=1e-5)


def test_bernoulli_is_the_cross_entropy_of_pixels():
    model = small(VAE, likelihood="bernoulli").fit(normal("images"))
    x = model.input_.to_network(torch.from_numpy(normal("images")[:8]))
    z = torch.randn(8, model.code_size)
    with torch.no_grad():
        p = ((model.nets_.vae.decode(z).tanh() + 1) / 2).double().numpy()
        surprise = model.surprise(x, z).numpy()
    pixel = ((x + 1) / 2).double().numpy()
    expected = -(pixel * np.log(p) + (1 - pixel) * np.log(1 - p)).reshape(8, -1).sum(1)
    assert np.allclose(surprise, expected, rtol=1e-3)


def test_bernoulli_scores_are_those_terms_over_the_saved_draws_and_repeat(tmp_path):
    model, x = small(VAE, likelihood="bernoulli", n_draws=3).fit(normal("images")), normal("images")[:8]
    batch = model.input_.to_network(torch.from_numpy(x))
    with torch.no_grad():
        mu, logvar = model.nets_.vae.encode(batch)
        surprise = np.mean([model.surprise(batch, mu + (logvar / 2).exp() * e) for e in model.draws_], axis=0)
        kl = 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(1).numpy()
    for variant, expected in dict(recon_prob=surprise, elbo=surprise + kl).items():
        scores = model.set_params(variant=variant).anomaly_score(x)
        assert np.allclose(scores, expected, rtol=1e-4)
        torch.randn(5)  # whatever else is drawn between two calls
        assert np.array_equal(model.anomaly_score(x[::-1]), scores[::-1])
        model.save(tmp_path / variant)
        assert np.array_equal(load(tmp_path / variant).anomaly_score(x), scores)


def test_the_loss_is_minus_the_bound():
    model = small(VAE).fit(normal("table"))
    x = model.input_.to_network(torch.from_numpy(normal("table")))
    with torch.no_grad(), isolated_rng(3, model.device_):
        _, terms = next(model.training_step(iter([x])))
    with torch.no_grad(), isolated_rng(3, model.device_):
        mu, logvar = model.nets_.vae.encode(x)
        q = Normal(mu, (logvar / 2).exp())
        z = q.loc + q.scale * torch.randn_like(mu)
        log_p = Normal(model.nets_.vae.decode(z), model.nets_.vae.log_s.exp()).log_prob(x).sum(1)
        kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    assert np.allclose(sum(terms.values()), (kl - log_p).mean(), rtol=1e-5)


def test_bernoulli_refuses_what_is_no_pixel_and_bounds_what_is_none():
    x = normal("table")
    with pytest.raises(InputError, match="needs samples from -1 to 1"):
        small(VAE, likelihood="bernoulli", scaling="standard").fit(x)
    model = small(VAE, likelihood="bernoulli", scaling="minmax", variant="recon_prob").fit(x)
    assert (model.anomaly_score(100 * x) >= 0).all(), "a cross-entropy, also far outside"
