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


def test_the_ocan_papers_baseline():
    model = RGAN.preset("credit-card", epochs=2, random_state=0, device="cpu").fit(normal("table"))
    counts = [sum(p.numel() for p in net.parameters()) for net in model.nets_.values()]
    assert counts == [51 * 100 + 101 * 6, 7 * 100 + 101 * 50 + 51]
    assert isinstance(model.optimizer("discriminator", list(model.nets_.parameters())), torch.optim.SGD)
