"""f-AnoGAN: two stages, and the encoder's loss is the score."""

import numpy as np
import pytest
import torch

from ganad import FAnoGAN
from ganad.losses import gradient_penalty

from ..samples import normal, small
from .steps import fixed_noise, inputs, losses


def test_the_encoder_stage_leaves_generator_and_critic_alone():
    model = small(FAnoGAN, encoder_epochs=2)
    frozen = {}
    encoder_step = model.encoder_step

    def watched(batches):
        if not frozen:
            frozen.update({k: v.clone() for k, v in model.nets_.state_dict().items() if not k.startswith("encoder")})
        return encoder_step(batches)

    watched.__name__ = "encoder_step"
    model.encoder_step = watched
    model.fit(normal("images"))
    after = model.nets_.state_dict()
    assert all(torch.equal(after[k], v) for k, v in frozen.items())
    assert {row["stage"] for row in model.history_} == {"gan", "encoder"}


def test_score_is_the_encoder_loss():
    model = small(FAnoGAN, kappa=0.7).fit(normal("table"))
    x = model.input_.to_network(torch.from_numpy(normal("table")[:32]))
    with torch.no_grad():
        x_hat = model.nets_.generator(model.nets_.encoder(x))
        f, f_hat = model.nets_.critic.features(x).numpy(), model.nets_.critic.features(x_hat).numpy()
    expected = ((x - x_hat).numpy() ** 2).mean(1) + 0.7 * ((f - f_hat) ** 2).mean(1)
    assert np.allclose(model.anomaly_score(normal("table")[:32]), expected, rtol=1e-4)


def test_the_penalty_of_a_linear_critic_is_known():
    w = torch.tensor([[3.0], [4.0]])
    penalty = gradient_penalty(lambda x: (x @ w).flatten(), torch.randn(8, 2), torch.randn(8, 2))
    assert torch.isclose(penalty, torch.tensor(16.0))  # (||w|| - 1)^2


def test_losses_of_the_wasserstein_gan():
    model = small(FAnoGAN, n_critic=2).fit(normal("table"))
    x, z = inputs(model, normal("table")), fixed_noise(model, len(normal("table")))
    D = model.nets_.critic
    real, drawn = (float(D(v).detach().mean()) for v in (x, model.nets_.generator(z)))
    (first, generator), *critic = losses(model, x, "gan_step")
    assert first == "generator" and generator == pytest.approx(dict(adv=-drawn), rel=1e-4)
    assert [player for player, _ in critic] == ["critic", "critic"]
    for _, terms in critic:
        assert terms["gp"] >= 0
        assert [terms["real"], terms["fake"]] == pytest.approx([-real, drawn], rel=1e-4)


@pytest.mark.parametrize("encoder_loss", ["izi_f", "izi", "ziz"])
def test_losses_of_the_encoder_and_the_scores_without_features(encoder_loss):
    model = small(FAnoGAN, encoder_loss=encoder_loss, kappa=0.7).fit(normal("table"))
    x, z = inputs(model, normal("table")), fixed_noise(model, len(normal("table")))
    G, E, f = model.nets_.generator, model.nets_.encoder, model.nets_.critic.features
    with torch.no_grad():
        x_hat = G(E(x))
        pixels, features, codes = ((a - b).numpy() ** 2 for a, b in ((x, x_hat), (f(x), f(x_hat)), (z, E(G(z)))))
        latent = (E(x) - E(x_hat)).numpy() ** 2
    ziz, izi = dict(latent=codes.mean()), dict(residual=pixels.mean())
    expected = dict(ziz=ziz, izi=izi, izi_f=izi | dict(feature=0.7 * features.mean()))[encoder_loss]
    assert dict(losses(model, x, "encoder_step"))["encoder"] == pytest.approx(expected, rel=1e-4)
    for variant, values in dict(izi=pixels.mean(1), latent=latent.mean(1)).items():
        assert np.allclose(model.set_params(variant=variant).anomaly_score(normal("table")), values, rtol=1e-4)
