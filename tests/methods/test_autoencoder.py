"""Autoencoder: the loss and the three scores by formula."""

import numpy as np
import pytest
import torch

from ganad import AutoEncoder
from ganad.seeds import isolated_rng

from ..samples import normal, small
from .steps import inputs, losses


@pytest.mark.parametrize("kind", ["table", "images"])
def test_loss_and_three_scores(kind):
    model, X = small(AutoEncoder).fit(normal(kind)), normal(kind)
    x = inputs(model, X)
    ((player, terms),) = losses(model, x)
    with torch.no_grad():
        error = (x - model.nets_.autoencoder(x)).numpy().reshape(len(x), -1)
    assert player == "autoencoder"
    assert terms == pytest.approx(dict(reconstruction=(error**2).sum(1).mean()), rel=1e-4)
    expected = dict(sum_sq=(error**2).sum(1), mean_sq=(error**2).mean(1), l1=np.abs(error).sum(1))
    for variant, values in expected.items():
        assert np.allclose(model.set_params(variant=variant).anomaly_score(X), values, rtol=1e-4), variant


def test_a_denoising_autoencoder_is_held_to_the_clean_sample():
    model = small(AutoEncoder, noise_sd=2.0).fit(normal("table"))
    x = inputs(model, normal("table"))
    with torch.no_grad(), isolated_rng(3, model.device_):
        _, terms = next(model.training_step(iter([x])))
    with torch.no_grad(), isolated_rng(3, model.device_):
        error = (x - model.nets_.autoencoder(x + 2 * torch.randn_like(x))).numpy()
    assert float(terms["reconstruction"]) == pytest.approx((error**2).sum(1).mean(), rel=1e-5)
