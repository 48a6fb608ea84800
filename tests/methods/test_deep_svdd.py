"""Deep SVDD: a centre that cannot be reached by doing nothing, and a radius that is a quantile."""

import numpy as np
import pytest
import torch
from torch import nn

from ganad import DeepSVDD

from ..samples import normal, small, trained


def test_no_layer_can_map_everything_to_the_centre():
    for shape in ((6,), (1, 28, 28), (3, 32, 32)):
        network = DeepSVDD().build(shape)["network"]
        assert all(m.bias is None for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d))
    model = small(DeepSVDD).fit(normal("table"))
    assert model.centre_.abs().min() >= 0.1 - 1e-6


def test_the_soft_ball_leaves_about_nu_outside():
    model = trained(DeepSVDD, objective="soft", nu=0.2, batch_size=400).fit(normal("table"))
    assert abs((model.anomaly_score(normal("table")) > 0).mean() - 0.2) < 0.1
    assert model.nets_.network.radius2 > 0


def test_hard_score_is_the_squared_distance_from_the_centre():
    model = small(DeepSVDD).fit(normal("images"))
    x = model.input_.to_network(torch.from_numpy(normal("images")[:10]))
    with torch.no_grad():
        expected = ((model.nets_.network(x) - model.centre_) ** 2).sum(1)
    assert torch.allclose(torch.tensor(model.anomaly_score(normal("images")[:10])).float(), expected, rtol=1e-4)


@pytest.mark.parametrize("objective", ["hard", "soft"])
def test_loss_by_formula(objective):
    model = small(DeepSVDD, objective=objective, nu=0.2).fit(normal("table"))
    x = model.input_.to_network(torch.from_numpy(normal("table")))
    with torch.no_grad():
        _, terms = next(model.svdd_step(iter([x])))
        d = ((model.nets_.network(x) - model.centre_) ** 2).sum(1).numpy()
    r2 = float(model.nets_.network.radius2)
    expected = d.mean() if objective == "hard" else r2 + np.maximum(0, d - r2).mean() / 0.2
    assert float(sum(terms.values())) == pytest.approx(expected, rel=1e-5)
