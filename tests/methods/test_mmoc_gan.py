"""MMOC-GAN: both injections, and codes that can be read back."""

import numpy as np
import pytest
import torch

from ganad import MMOCGAN

from ..samples import small, trained


@pytest.mark.parametrize("injection", ["cat", "mix"])
def test_the_code_of_a_generated_sample_can_be_read_and_every_code_is_used(injection):
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(4, 6))
    x = centres[rng.integers(0, 4, 600)] + 0.3 * rng.normal(size=(600, 6))
    model = trained(MMOCGAN, n_codes=4, injection=injection, epochs=100).fit(x)
    codes = torch.arange(4).repeat(50)
    with torch.no_grad():
        read = model.nets_.discriminator.codes(model.nets_.generator(model.draw(200), codes)).argmax(1)
        used = model.nets_.discriminator.codes(model.scaled(model.to_network(torch.tensor(x)))).argmax(1)
    assert (read == codes).float().mean() > 0.8
    assert len(used.unique()) >= 3


def test_mix_is_a_mixture_of_gaussians():
    G = small(MMOCGAN, injection="mix", n_codes=3, latent_dim=4).build((6,))["generator"]
    z, codes = torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0])
    assert torch.allclose(G(z, codes), G.body(G.mu[codes] + G.sigma[codes] * z))
    assert G.mu.shape == (3, 4)
