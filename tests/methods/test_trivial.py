"""Trivial scores are what they say."""

import numpy as np
import pytest
from torch import nn

from ganad import InputError, Trivial

from ..samples import normal
from .steps import inputs


def test_by_formula():
    x = normal("table")

    def score(variant, **settings):
        return Trivial(variant=variant, scaling="none", random_state=0, **settings).fit(x).anomaly_score(x)

    np.testing.assert_allclose(score("distance"), np.linalg.norm(x - x.mean(0), axis=1), rtol=1e-5)
    np.testing.assert_allclose(score("column", column=3, sign=-1.0), -x[:, 3], rtol=1e-6)
    np.testing.assert_allclose(score("brightness"), x.mean(1), rtol=1e-5, atol=1e-6)
    assert not score("constant").any()
    assert abs(np.corrcoef(score("random"), np.linalg.norm(x, axis=1))[0, 1]) < 0.15
    with pytest.raises(InputError, match="6 columns"):
        score("column", column=6)


def test_light_is_a_distance_of_brightness_and_contrast():
    x = normal("images").reshape(len(normal("images")), -1).astype(float)
    light = np.column_stack([x.mean(1), x.std(1)])
    off = light - light.mean(0)
    expected = np.sqrt(np.einsum("ij,jk,ik->i", off, np.linalg.inv(np.cov(light.T, bias=True)), off))
    model = Trivial(variant="light", random_state=0).fit(normal("images"))
    np.testing.assert_allclose(model.anomaly_score(normal("images")), expected, rtol=1e-3)
    dark = normal("images") // 4
    assert model.anomaly_score(dark).min() > np.median(model.anomaly_score(normal("images")))


def test_light_that_never_changes_is_no_error():
    x = np.zeros((20, 8, 8), np.uint8)
    x[:, 2] = 200
    model = Trivial(variant="light", random_state=0).fit(x)
    assert np.isfinite(model.anomaly_score(x)).all() and model.anomaly_score(x // 2).min() > 1


@pytest.mark.parametrize("kind", ["table", "images"])
def test_an_untrained_autoencoder_by_formula(kind):
    model = Trivial(variant="untrained", random_state=0).fit(normal(kind))
    h = x = inputs(model, normal(kind)).flatten(1).numpy()
    layers = [m for m in model.nets_.untrained if isinstance(m, nn.Linear)]
    for layer in layers:
        h = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        h = h if layer is layers[-1] else np.maximum(h, 0)
    np.testing.assert_allclose(model.anomaly_score(normal(kind)), np.square(x - h).sum(1), rtol=1e-4)
    assert [layer.out_features for layer in layers] == [x.shape[1] // n for n in (2, 4, 2, 1)]
