"""The DCGAN family: a generator of transposed convolutions from a 1 x 1 code, a critic of strided convolutions.

A. Radford et al., "Unsupervised representation learning with deep convolutional GANs", ICLR 2016.
"""

from __future__ import annotations

from torch import nn

from .conv import SameConv2d, SameDeconv2d, pyramid
from .critic import Critic
from .init import dcgan_init
from .layers import leaky_fifth


def _sizes(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    return pyramid((shape[1], shape[2]), until=4)


def dcgan_generator(shape: tuple[int, ...], latent_dim: int, width: int = 64, kernel: int = 4) -> nn.Sequential:
    """Maps codes ``(n, latent_dim)`` to tanh images ``(n, *shape)``; ``width`` channels at half the image's size."""
    sizes = _sizes(shape)
    c = width * 2 ** (len(sizes) - 2)
    layers: list[nn.Module] = [
        *[nn.Unflatten(1, (latent_dim, 1, 1)), nn.ConvTranspose2d(latent_dim, c, sizes[-1], bias=False)],
        *[nn.BatchNorm2d(c), nn.ReLU()],
    ]
    for size in sizes[-2:0:-1]:
        layers += [SameDeconv2d(c, c // 2, kernel, 2, size, bias=False), nn.BatchNorm2d(c // 2), nn.ReLU()]
        c //= 2
    layers += [SameDeconv2d(c, shape[0], kernel, 2, sizes[0], bias=False), nn.Tanh()]
    return nn.Sequential(*layers).apply(dcgan_init)


def dcgan_critic(shape: tuple[int, ...], width: int = 64, kernel: int = 4, *, batch_norm: bool = True) -> Critic:
    """Maps images to a logit; the features are the last maps, 4 x 4 or less."""
    sizes = _sizes(shape)
    layers: list[nn.Module] = [SameConv2d(shape[0], width, kernel, 2, bias=False), leaky_fifth()]
    c = width
    for _ in sizes[2:]:
        layers.append(SameConv2d(c, 2 * c, kernel, 2, bias=not batch_norm))
        layers += [nn.BatchNorm2d(2 * c), leaky_fifth()] if batch_norm else [leaky_fifth()]
        c *= 2
    critic = Critic(nn.Sequential(*layers), nn.Conv2d(c, 1, sizes[-1], bias=False))
    return critic.apply(dcgan_init)
