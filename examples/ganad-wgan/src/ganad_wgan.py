"""Wasserstein GAN with a gradient penalty, whose critic scores.

I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, arXiv 1704.00028, algorithm 1.

The critic C estimates the Wasserstein distance between the data and the generator's samples. That needs slopes of at
most 1, so slopes other than 1 cost, at random points x' on the lines between real samples and generated ones.

    critic     mean C(G(z)) - mean C(x) + lambda mean (||grad C(x')||_2 - 1)^2     n_critic times, then
    generator  - mean C(G(z))
    score      - C(x)

Differs from the paper:
- It generates and does not detect; the score is ours. Where the generator matches the data the critic has no reason to
  differ, and far from both nothing trains it.
- Networks: two hidden layers for tables, a DCGAN without batch norm in the critic for images of any size.
- The defaults step faster, for data sets smaller than the paper's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganad import GenerativeDetector
from ganad.detector import Batches, Updates
from ganad.nets import Critic, RowLinear, dcgan_critic, dcgan_generator, he_normal, mlp
from ganad.settings import Count, Positive


class WGAN(GenerativeDetector):
    """Wasserstein GAN: how little its critic takes a sample for a real one."""

    w_penalty: Positive = 10.0  #: weight lambda of the gradient penalty
    n_critic: Count = 5  #: critic steps per generator step
    latent_dim: Count = 64  #: size of z
    width: Count = 64  #: hidden units for tables; channels at half the image's size
    lr: Positive = 5e-4  #: step size of Adam, shared by both players
    betas: tuple[float, float] = (0.0, 0.9)  #: decay rates of Adam's two moments
    epochs: int = 50  #: passes over the training set

    PRESETS = {"paper": dict(latent_dim=128, lr=1e-4, batch_size=64)}

    def build_table(self, d: int) -> dict[str, nn.Module]:
        h, leaky = self.width, nn.LeakyReLU(0.2)
        features = mlp(d, h, h, activation=lambda: nn.LeakyReLU(0.2), last=leaky)
        players = dict(generator=mlp(self.latent_dim, h, h, d), critic=Critic(features, RowLinear(h, 1)))
        return {name: net.apply(he_normal) for name, net in players.items()}

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        critic = dcgan_critic(shape, self.width, batch_norm=False)
        return dict(generator=dcgan_generator(shape, self.latent_dim, self.width), critic=critic)

    def training_step(self, batches: Batches) -> Updates:
        G, C = self.nets_.generator, self.nets_.critic
        for _ in range(self.n_critic):
            x = next(batches)
            with torch.no_grad():
                x_fake = G(self.noise(len(x)))
            yield "critic", dict(fake=C(x_fake).mean(), real=-C(x).mean(), penalty=self.penalty(x, x_fake))
        yield "generator", dict(adv=-C(G(self.noise(len(x)))).mean())

    def penalty(self, x: Tensor, x_fake: Tensor) -> Tensor:
        share = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device)
        between = (share * x + (1 - share) * x_fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.nets_.critic(between).sum(), between, create_graph=True)
        return self.w_penalty * (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def score_batch(self, x: Tensor) -> Tensor:
        return -self.nets_.critic(x)

    def generator(self) -> nn.Module:
        return self.nets_.generator
