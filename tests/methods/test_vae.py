"""VAE: each score against NumPy; more draws are an average."""

import numpy as np
import torch

from ganad import VAE

from ..samples import normal, small


def test_scores_against_numpy():
    model, x = small(VAE, n_draws=3).fit(normal("table")), normal("table")[:20]
    batch = model.to_network(torch.from_numpy(x))
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
    for variant, expected in dict(kl=kl, recon=recon, recon_prob=surprise, elbo=surprise + kl).items():
        assert np.allclose(model.set_params(variant=variant).anomaly_score(x), expected, rtol=1e-4, atol=1e-5)


def test_bernoulli_is_the_cross_entropy_of_pixels():
    model = small(VAE, likelihood="bernoulli").fit(normal("images"))
    x = model.to_network(torch.from_numpy(normal("images")[:8]))
    z = torch.randn(8, model.latent_dim)
    with torch.no_grad():
        p = ((model.nets_.vae.decode(z).tanh() + 1) / 2).double().numpy()
        surprise = model.surprise(x, z).numpy()
    pixel = ((x + 1) / 2).double().numpy()
    expected = -(pixel * np.log(p) + (1 - pixel) * np.log(1 - p)).reshape(8, -1).sum(1)
    assert np.allclose(surprise, expected, rtol=1e-3)
