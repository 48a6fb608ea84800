"""Each shared loss against its formula in NumPy."""

import numpy as np
import torch

from ganad.losses import bce, per_sample, pull_away

rng = np.random.default_rng(0)


def test_bce_is_the_cross_entropy_of_the_sigmoid_with_a_soft_target():
    logit = rng.normal(size=50)
    d = 1 / (1 + np.exp(-logit))
    for target in (0.0, 0.1, 0.5, 1.0):
        expected = np.mean(-target * np.log(d) - (1 - target) * np.log(1 - d))
        assert np.isclose(bce(torch.tensor(logit), target).item(), expected, rtol=1e-6)


def test_bce_stays_finite_where_a_sigmoid_saturates():
    assert bce(torch.tensor([1e4]), 0.0).item() == 1e4
    assert bce(torch.tensor([-1e4], dtype=torch.bfloat16), 0.0).item() == 0


def test_per_sample_sums_everything_but_the_batch():
    x = rng.normal(size=(4, 3, 2, 5)).astype(np.float32)
    assert np.allclose(per_sample(torch.tensor(x)), x.reshape(4, -1).sum(1), atol=1e-5)


def test_pull_away_is_the_mean_squared_cosine_of_pairs():
    h = rng.normal(size=(6, 3))
    unit = h / np.linalg.norm(h, axis=1, keepdims=True)
    expected = ((unit @ unit.T) ** 2)[~np.eye(6, dtype=bool)].mean()
    assert np.isclose(pull_away(torch.tensor(h)).item(), expected, rtol=1e-5)
    assert abs(pull_away(torch.ones(1, 3)).item()) < 1e-6
