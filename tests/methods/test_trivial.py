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
