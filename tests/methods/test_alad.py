"""ALAD: four scores from one model, and spectral norm that does not move while scoring."""

import numpy as np
import pytest
import torch
from torch import nn

from ganad import ALAD
from ganad.nets import SpectralNorm
from ganad.training import Stream, TrainingSet

from ..samples import normal, small


def test_four_scores_of_one_model():
    model, x = small(ALAD).fit(normal("table")), normal("table")[:20]
    batch = model.input_.to_network(torch.from_numpy(x))
    with torch.no_grad():
        difference = (batch - model.reconstruct_batch(batch)).numpy()
        logit = model.nets_.disc_xx(batch, model.reconstruct_batch(batch)).numpy()
    expected = dict(
        l1=np.abs(difference).sum(1), l2=np.linalg.norm(difference, axis=1), logits=-np.log(1 / (1 + np.exp(-logit)))
    )
    for variant, values in expected.items():
        assert np.allclose(model.set_params(variant=variant).anomaly_score(x), values, rtol=1e-4)


def test_losses_are_the_published_cross_entropies():
    model, z = small(ALAD).fit(normal("table")), torch.randn(400, 4)
    x = model.input_.to_network(torch.from_numpy(normal("table")))
    model.noise = lambda n: z
    steps = model.training_step(Stream(TrainingSet(x, x.device), len(x), ""))
    losses = {player: [term.item() for term in terms.values()] for player, terms in steps}
    n, E, G = model.nets_, model.nets_.codec["encoder"], model.nets_.codec["generator"]
    pairs = [n.disc_xz(x, E(x)), n.disc_xz(G(z), z), n.disc_xx(x, x), n.disc_xx(x, G(E(x)))]
    pairs += [n.disc_zz(z, z), n.disc_zz(z, E(G(z)))]
    real, fake = ([np.logaddexp(0, sign * d.detach().numpy()).mean() for d in pairs] for sign in (-1, 1))
    assert np.allclose(losses["disc_xz"], [real[0], fake[1]], rtol=1e-4)
    assert np.allclose(losses["disc_xx"], [real[2], fake[3]], rtol=1e-4)
    assert np.allclose(losses["disc_zz"], [real[4], fake[5]], rtol=1e-4)
    assert np.allclose(losses["codec"], [real[1], fake[0], real[3], real[5]], rtol=1e-4)


@pytest.mark.parametrize("layer", [nn.Linear(8, 5), nn.Conv2d(2, 5, 3)])
def test_spectral_norm_finds_the_largest_singular_value_and_rests_in_eval_mode(layer):
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    normed = SpectralNorm(layer)
    x = torch.randn(4, 8) if layer.weight.ndim == 2 else torch.randn(4, 2, 6, 6)
    for _ in range(200):
        normed(x)
    u = normed.u.clone()
    out = normed.eval()(x)
    assert torch.equal(normed.u, u)
    sigma = torch.linalg.svdvals(weight.flatten(1))[0]
    raw = x @ (weight / sigma).T if x.ndim == 2 else nn.functional.conv2d(x, weight / sigma)
    assert torch.allclose(out, raw + (bias if x.ndim == 2 else bias[:, None, None]), atol=1e-5)


def test_published_layer_tables():
    nets = ALAD.preset("cifar10").build((3, 32, 32))
    assert nets["disc_xx"].head.in_features == 16_384  # two images above each other; 8,192 with stacked channels
    assert nets["disc_xz"].joint[0].layer.in_features == 8192 + 512
    kdd = ALAD.preset("kddcup99").build((121,))
    assert kdd["disc_xx"].body[0].weight.shape == (128, 242)
    assert ALAD.preset("arrhythmia").build((274,))["disc_xx"].head.in_features == 128
