"""RGAN is Fence GAN without the fence."""

import torch

from ganad import RGAN, FenceGAN

from ..samples import normal, small


def test_equals_fence_gan_with_alpha_one_beta_zero_gamma_one():
    x = normal("table")
    settings = dict(alpha=1.0, beta=0.0, gamma=1.0, pretrain_epochs=0)
    one, two = small(RGAN, epochs=3, pretrain_epochs=0).fit(x), small(FenceGAN, epochs=3, **settings).fit(x)
    a, b = one.nets_.state_dict(), two.nets_.state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)
