"""EGBAD: losses and the three scores by formula."""

import numpy as np
import pytest
import torch

from ganad import EGBAD

from ..samples import normal, small
from .steps import fake, fixed_noise, inputs, losses, real


@pytest.mark.parametrize("kind", ["table", "images"])
def test_losses(kind):
    model = small(EGBAD).fit(normal(kind))
    x, z = inputs(model, normal(kind)), fixed_noise(model, len(normal(kind)))
    got = dict(losses(model, x))
    G, E, D = model.nets_.generator, model.nets_.encoder, model.nets_.discriminator
    encoded, generated = D(x, E(x)), D(G(z), z)
    assert got["discriminator"] == pytest.approx(dict(encoded=real(encoded), generated=fake(generated)), rel=1e-4)
    assert got["generator"] == pytest.approx(dict(adv=real(generated)), rel=1e-4)
    assert got["encoder"] == pytest.approx(dict(adv=fake(encoded)), rel=1e-4)


@pytest.mark.parametrize("kind", ["table", "images"])
def test_three_scores_of_one_model(kind):
    model, X = small(EGBAD, alpha=0.7).fit(normal(kind)), normal(kind)[:20]
    x, D = inputs(model, X), model.nets_.discriminator
    with torch.no_grad():
        z = model.nets_.encoder(x)
        x_hat = model.nets_.generator(z)
        f, f_hat, d, d_hat = (t.numpy() for t in (D.features(x, z), D.features(x_hat, z), D(x, z), D(x_hat, z)))
    pixels = 0.7 * np.abs((x - x_hat).numpy()).reshape(20, -1).sum(1)
    terms = dict(fm=np.abs(f - f_hat).sum(1), sigma=np.logaddexp(0, -d), sigma_rec=np.logaddexp(0, -d_hat))
    for variant, term in terms.items():
        assert np.allclose(model.set_params(variant=variant).anomaly_score(X), pixels + 0.3 * term, rtol=1e-4), variant
