"""MMOC-GAN: both injections, and codes that can be read back."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

from ganad import MMOCGAN
from ganad.methods import mmoc_gan
from ganad.seeds import isolated_rng

from ..samples import normal, small, trained
from .steps import fake, losses, real


@pytest.mark.parametrize("injection", ["cat", "mix"])
def test_the_code_of_a_generated_sample_can_be_read_and_every_code_is_used(injection):
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(4, 6))
    x = centres[rng.integers(0, 4, 600)] + 0.3 * rng.normal(size=(600, 6))
    model = trained(MMOCGAN, n_codes=4, injection=injection, epochs=100).fit(x)
    codes = torch.arange(4).repeat(50)
    with torch.no_grad():
        read = model.nets_.discriminator.codes(model.nets_.generator(model.draw(200), codes)).argmax(1)
        used = model.nets_.discriminator.codes(model.scaled(model.input_.to_network(torch.tensor(x)))).argmax(1)
    assert (read == codes).float().mean() > 0.8
    assert len(used.unique()) >= 3


def test_mix_is_a_mixture_of_gaussians():
    G = small(MMOCGAN, injection="mix", n_codes=3, latent_dim=4).build((6,))["generator"]
    z, codes = torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0])
    assert torch.allclose(G(z, codes), G.body(G.mu[codes] + G.sigma[codes] * z))
    assert G.mu.shape == (3, 4)


def test_printed_information_and_matching_against_numpy():
    model = small(MMOCGAN, n_codes=4).fit(normal("table"))
    v = model.scaled(model.represent(model.input_.to_network(torch.from_numpy(normal("table")))))
    terms = {}
    for matching in ("squared", "printed"):
        with isolated_rng(3, model.device_):
            terms[matching] = dict(model.set_params(matching=matching).gan_step(iter([v])))["generator"]["fm"].item()
    assert np.isclose(terms["printed"], np.sqrt(terms["squared"]), rtol=1e-4)
    model.set_params(information="printed")
    logits = torch.randn(200_000, 4, generator=torch.Generator().manual_seed(0))[:1].expand(200_000, 4)
    p = np.exp(logits[0].numpy()) / np.exp(logits[0].numpy()).sum()
    entropy = -(p * np.log(p)).sum()  # what a code drawn from Q costs on average, whatever code was put in
    for code in range(4):
        assert abs(model.mutual(logits, torch.full((200_000,), code)).item() - entropy) < 0.02


@pytest.mark.parametrize("reading", ["consistent", "printed"])
def test_losses_in_both_readings(reading, monkeypatch):
    settings = dict(injection="mix", n_codes=3, reading=reading, w_entropy=0.7, w_sigma=0.5, density_quantile=0.3)
    settings |= dict(reach=1.0)  # or an untrained generator draws where the target network sees nothing
    model = small(MMOCGAN, **settings).fit(normal("table"))
    v, z, codes = torch.rand(300, 6) * 2 - 1, torch.randn(300, 4), torch.arange(3).repeat(100)
    monkeypatch.setattr(mmoc_gan, "drawn", lambda p: codes)
    model.noise = lambda n: z
    G, D, T = model.nets_.generator, model.nets_.discriminator, model.nets_.target
    got = dict(losses(model, v, "gan_step"))
    with torch.no_grad():
        drawn = G(z, codes)
        logit, q, q_drawn = D(v).double().numpy(), D.codes(v).double().numpy(), D.codes(drawn).double().numpy()
        p_target, sigma = 1 / (1 + np.exp(-T(drawn).double().numpy())), G.sigma.numpy()
    p, sign = 1 / (1 + np.exp(-logit)), 1 if reading == "consistent" else -1
    usage = softmax(q, axis=1).mean(0)
    code = -log_softmax(q_drawn, axis=1)[np.arange(300), codes].mean()
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    expected = dict(real=real(D(v)), fake=fake(D(drawn)), entropy=sign * 0.7 * entropy, code=code)
    assert got["discriminator"] == pytest.approx(expected | dict(usage=(usage * np.log(usage)).sum()), rel=1e-3)
    density = np.log(p_target) * (p_target >= model.epsilon_)
    assert density.any()
    generator = got["generator"]
    assert generator["density"] == pytest.approx(sign * density.mean(), rel=1e-3)
    assert generator["code"] == pytest.approx(code, rel=1e-3)
    assert generator["sigma"] == pytest.approx(0.5 * ((1 - sigma) ** 2).mean(), rel=1e-3)
    assert set(generator) == {"pt", "density", "fm", "code", "sigma"}


def test_codes_are_those_that_multinomial_draws():
    p = torch.randn(500, 7).softmax(1)
    torch.manual_seed(0)
    expected = torch.multinomial(p, 1).flatten()
    torch.manual_seed(0)
    assert torch.equal(mmoc_gan.drawn(p), expected)
