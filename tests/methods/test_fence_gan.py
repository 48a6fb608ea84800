"""Fence GAN: losses against NumPy, published tables, and the two-dimensional experiment."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ganad import FenceGAN, InputError
from ganad.data import load
from ganad.methods.fence_gan import _crowding

from ..samples import normal, small
from .steps import fake, fixed_noise, inputs, losses, real


def test_encirclement_is_least_on_the_level_and_dispersion_is_one_over_the_spread():
    logits = torch.linspace(-6, 6, 601)
    for alpha in (0.1, 0.5):
        model = FenceGAN(alpha=alpha)
        losses = torch.stack([model._level(logit[None]) for logit in logits])
        assert abs(torch.sigmoid(logits[losses.argmin()]) - alpha) < 0.01
    x = np.random.default_rng(0).normal(size=(30, 2, 4, 4)).astype(np.float32)
    spread = np.linalg.norm((x - x.mean(0)).reshape(30, -1), axis=1).mean()
    assert np.isclose(_crowding(torch.tensor(x)).item(), 1 / spread, rtol=1e-5)
    assert torch.isfinite(_crowding(torch.ones(5, 3)))


def test_published_layer_tables():
    def counts(preset, shape):
        return [sum(p.numel() for p in net.parameters()) for net in FenceGAN.preset(preset).build(shape).values()]

    dense = (201 * 1024 + 2 * 1024) + (1025 * 6272 + 2 * 6272)  # with batch norm
    assert counts("mnist", (1, 28, 28)) == [
        dense + (16 * 128 * 64 + 64 + 2 * 64) + (16 * 64 + 1),
        (16 * 64 + 64) + (16 * 64 * 64 + 64) + 3137 * 1024 + 1025,
    ]
    assert counts("kddcup99", (121,)) == [
        33 * 64 + 65 * 128 + 129 * 121,
        122 * 256 + 257 * 128 + 129 * 128 + 129,
    ]


def test_steps_of_the_two_players_shrink_as_published():
    def factors(preset):
        return [FenceGAN.preset(preset).lr_factor(player, 0, 1000) for player in ("generator", "discriminator")]

    assert factors("cifar10-code") == [1, 1 / (1 + 1e-5 * 1000)]
    assert factors("cifar10-as-printed") == [1 / 1.01] * 2
    assert factors("mnist-as-printed") == [1 / 1.1] * 2
    assert FenceGAN(lr_decay=1.0, discriminator_lr_decay=0.0).lr_factor("discriminator", 0, 9) == 1


def test_the_two_dimensional_experiment_fences_the_data():
    train, test = load("blob", split="train"), load("blob", split="test")
    model = FenceGAN.preset("rings", epochs=150, random_state=0).fit(train.x)
    assert roc_auc_score(test.y == "anomaly", model.anomaly_score(test.x)) > 0.95
    radius = np.linalg.norm(model.sample(500, random_state=0) - 20, axis=1) / 3
    assert 1.5 < np.median(radius) < 4


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("encirclement", ["cross-entropy", "log"])
def test_losses(encirclement, separate):
    model = small(FenceGAN, alpha=0.3, gamma=0.2, encirclement=encirclement, separate_steps=separate, latent_sd=2.0)
    model.fit(normal("table"))
    x, z = inputs(model, normal("table")), fixed_noise(model, len(normal("table")))
    *steps, (last, generator) = losses(model, x)
    D, fence = model.nets_.discriminator, model.nets_.generator(2 * z)
    expected = dict(real=real(D(x)), fence=0.2 * fake(D(fence)))
    merged = {k: v for _, terms in steps for k, v in terms.items()}
    assert [player for player, _ in steps] == ["discriminator"] * (1 + separate)
    assert merged == pytest.approx(expected, rel=1e-4)
    level = 0.3 * real(D(fence)) + 0.7 * fake(D(fence))
    if encirclement == "log":
        level = np.log(np.abs(0.3 - 1 / (1 + np.exp(-D(fence).detach().double().numpy())))).mean()
    spread = fence.detach().numpy() - fence.detach().numpy().mean(0)
    dispersion = 30 / np.linalg.norm(spread, axis=1).mean()
    assert last == "generator"
    assert generator == pytest.approx(dict(encirclement=level, dispersion=dispersion), rel=1e-3)
    assert losses(model, x, "pretrain_step") == [(p, pytest.approx(t, rel=1e-4)) for p, t in steps]


def test_the_network_of_the_two_dimensional_experiment_is_refused_for_images():
    with pytest.raises(InputError, match='network="toy" is for tables'):
        small(FenceGAN, network="toy").fit(normal("images"))
