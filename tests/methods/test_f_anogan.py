"""f-AnoGAN: two stages, and the encoder's loss is the score."""

import numpy as np
import torch

from ganad import FAnoGAN
from ganad.losses import gradient_penalty

from ..samples import normal, small


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
    x = model.to_network(torch.from_numpy(normal("table")[:32]))
    with torch.no_grad():
        x_hat = model.nets_.generator(model.nets_.encoder(x))
        f, f_hat = model.nets_.critic.features(x).numpy(), model.nets_.critic.features(x_hat).numpy()
    expected = ((x - x_hat).numpy() ** 2).mean(1) + 0.7 * ((f - f_hat) ** 2).mean(1)
    assert np.allclose(model.anomaly_score(normal("table")[:32]), expected, rtol=1e-4)


def test_the_penalty_of_a_linear_critic_is_known():
    w = torch.tensor([[3.0], [4.0]])
    penalty = gradient_penalty(lambda x: (x @ w).flatten(), torch.randn(8, 2), torch.randn(8, 2))
    assert torch.isclose(penalty, torch.tensor(16.0))  # (||w|| - 1)^2
