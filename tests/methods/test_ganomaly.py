"""GANomaly: published sizes and the three rules for the discriminator."""

import numpy as np
import pytest
import torch

from ganad import GANomaly
from ganad.training import Stream, TrainingSet

from ..samples import normal, small
from .steps import inputs


@pytest.mark.parametrize(
    ("preset", "shape", "expected"),
    [
        ("mnist", (1, 32, 32), [3_200_384, 661_248]),
        ("cifar10", (3, 32, 32), [3_206_528, 663_296]),
        ("uba", (3, 64, 64), [10_729_856, 2_765_568]),
    ],
)
def test_published_parameter_counts(preset, shape, expected):
    nets = GANomaly.preset(preset).build(shape)
    assert [sum(p.numel() for p in net.parameters()) for net in nets.values()] == expected


@pytest.mark.parametrize("rule", ["features", "bce", "distance"])
def test_losses_of_the_three_rules(rule):
    model = small(GANomaly, adversarial=rule).fit(normal("table"))
    x = model.input_.to_network(torch.from_numpy(normal("table")))
    steps = dict(model.training_step(Stream(TrainingSet(x, x.device), len(x), "")))
    D, (z, x_hat, z_hat) = model.nets_.discriminator, model.cycle(x)
    real, fake, f, f_hat = (t.detach().numpy() for t in (D(x), D(x_hat), D.features(x), D.features(x_hat)))
    distance = ((f - f_hat) ** 2).mean()
    adv = distance if rule == "features" else np.logaddexp(0, -fake).mean()
    con, enc = (x - x_hat).abs().mean().item(), (z - z_hat).square().mean().item()
    assert np.allclose([t.item() for t in steps["generator"].values()], [adv, 50 * con, enc], rtol=1e-4)
    cross_entropies = [np.logaddexp(0, -real).mean() / 2, np.logaddexp(0, fake).mean() / 2]
    expected = [distance] if rule == "distance" else cross_entropies
    assert np.allclose([t.item() for t in steps["discriminator"].values()], expected, rtol=1e-4)


def test_under_the_rule_of_distance_the_last_layer_is_never_trained():
    model = small(GANomaly, adversarial="distance")
    build, initial = model.build, {}

    def remember(shape):
        players = build(shape)
        initial.update({k: v.clone() for k, v in players["discriminator"].state_dict().items()})
        return players

    model.build = remember
    trained = model.fit(normal("table")).nets_.discriminator.state_dict()
    assert {k.partition(".")[0] for k, v in trained.items() if torch.equal(v, initial[k])} == {"head"}


def test_two_scores_of_one_model():
    model, X = small(GANomaly).fit(normal("images")), normal("images")[:20]
    G, x = model.nets_.generator, inputs(model, X)
    with torch.no_grad():
        z = G["encoder"](x)
        difference = (z - G["encoder2"](G["decoder"](z))).numpy()
    assert np.allclose(model.anomaly_score(X), (difference**2).mean(1), rtol=1e-4)
    assert np.allclose(model.set_params(variant="l1").anomaly_score(X), np.abs(difference).sum(1), rtol=1e-4)
