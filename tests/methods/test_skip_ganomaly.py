"""Skip-GANomaly: published sizes, the score's formula, both rules for the discriminator."""

import numpy as np
import pytest
import torch

from ganad import SkipGANomaly
from ganad.training import Stream, TrainingSet

from ..samples import normal, small


@pytest.mark.parametrize(("channels", "counts"), [(1, [16_652_929, 1_067_652]), (3, [16_659_075, 1_069_700])])
def test_published_parameter_counts(channels, counts):
    nets = SkipGANomaly().build((channels, 32, 32))
    assert [sum(p.numel() for p in net.parameters()) for net in nets.values()] == counts


def test_x_rays_take_one_more_step_down_and_up():
    small, large = SkipGANomaly().build((3, 32, 32)), SkipGANomaly.preset("uba").build((3, 64, 64))
    more = [
        sum(p.numel() for p in b.parameters()) - sum(p.numel() for p in a.parameters())
        for a, b in zip(small.values(), large.values())
    ]
    step = 512 * 512 * 16 + 2 * 512 + 1024 * 512 * 16 + 2 * 512
    wider = 256 * 512 * 16 + 2 * 512 + 256 * 100 * 16
    assert more == [step, wider]


def test_score_is_nine_tenths_pixels_and_one_tenth_features():
    model = small(SkipGANomaly).fit(normal("images"))
    x = model.input_.to_network(torch.from_numpy(normal("images")[:10]))
    with torch.no_grad():
        f, x_hat = model.nets_.discriminator.features, model.nets_.generator(x)
        pixels, features = ((a - b).flatten(1).numpy() ** 2 for a, b in ((x, x_hat), (f(x), f(x_hat))))
    assert np.allclose(
        model.anomaly_score(normal("images")[:10]), 0.9 * pixels.mean(1) + 0.1 * features.mean(1), rtol=1e-4
    )


def test_losses():
    model = small(SkipGANomaly, discriminator_matches=True).fit(normal("table"))
    x = model.input_.to_network(torch.from_numpy(normal("table")))
    steps = dict(model.training_step(Stream(TrainingSet(x, x.device), len(x), "")))
    D, x_hat = model.nets_.discriminator, model.nets_.generator(x)
    real, fake, f, f_hat = (t.detach().numpy() for t in (D(x), D(x_hat), D.features(x), D.features(x_hat)))
    lat, con = ((f - f_hat) ** 2).mean(), np.abs(x.numpy() - x_hat.detach().numpy()).mean()
    expected = [np.logaddexp(0, -fake).mean(), 50 * con, lat]
    assert np.allclose([t.item() for t in steps["generator"].values()], expected, rtol=1e-4)
    expected = [np.logaddexp(0, -real).mean(), np.logaddexp(0, fake).mean(), lat]
    assert np.allclose([t.item() for t in steps["discriminator"].values()], expected, rtol=1e-4)


def test_the_codes_rule_for_the_discriminator_is_reachable():
    history = small(SkipGANomaly, discriminator_matches=True).fit(normal("table")).history_
    assert "discriminator/lat" in history[-1]
    assert "discriminator/lat" not in small(SkipGANomaly).fit(normal("table")).history_[-1]
