"""Skip-GANomaly: published sizes, the score's formula, both rules for the discriminator."""

import numpy as np
import pytest
import torch

from ganad import SkipGANomaly

from ..samples import normal, small


@pytest.mark.parametrize(("channels", "counts"), [(1, [16_652_929, 1_067_652]), (3, [16_659_075, 1_069_700])])
def test_published_parameter_counts(channels, counts):
    nets = SkipGANomaly().build((channels, 32, 32))
    assert [sum(p.numel() for p in net.parameters()) for net in nets.values()] == counts


def test_score_is_nine_tenths_pixels_and_one_tenth_features():
    model = small(SkipGANomaly).fit(normal("images"))
    x = model.to_network(torch.from_numpy(normal("images")[:10]))
    with torch.no_grad():
        f, x_hat = model.nets_.discriminator.features, model.nets_.generator(x)
        pixels, features = ((a - b).flatten(1).numpy() ** 2 for a, b in ((x, x_hat), (f(x), f(x_hat))))
    assert np.allclose(
        model.anomaly_score(normal("images")[:10]), 0.9 * pixels.mean(1) + 0.1 * features.mean(1), rtol=1e-4
    )


def test_the_codes_rule_for_the_discriminator_is_reachable():
    history = small(SkipGANomaly, discriminator_matches=True).fit(normal("table")).history_
    assert "discriminator/lat" in history[-1]
    assert "discriminator/lat" not in small(SkipGANomaly).fit(normal("table")).history_[-1]
