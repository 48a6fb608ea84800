"""Trivial scores are what they say."""

import numpy as np
import pytest

from ganad import InputError, Trivial

from ..samples import normal


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
