"""Fence GAN's networks, which RGAN shares: the paper's tables, and the toy of the official code.

P. Ngo et al., arXiv 1904.01209; code phuccuongngo99/Fence_GAN (Keras).
"""

from __future__ import annotations

from torch import Tensor, nn

from .conv import Reshape, SameConv2d, SameDeconv2d, pyramid
from .critic import Critic
from .init import glorot_normal, normal_init
from .layers import Layer, keras_norm1d, keras_norm2d, leaky_fifth, leaky_tenth
from .mlp import mlp


def mnist_networks(shape: tuple[int, ...], latent_dim: int) -> dict[str, nn.Module]:
    """Table II of the paper, 28 x 28: two halvings; larger images are halved until 8 x 8."""
    channels, *size = shape
    sizes = pyramid((size[0], size[1]), until=8, levels=1)
    h, w = sizes[-1]
    up: list[nn.Module] = []
    c = 128
    for target in sizes[-2:0:-1]:
        up += [SameDeconv2d(c, 64, 4, 2, target), nn.ReLU(), keras_norm2d(64)]
        c = 64
    generator = nn.Sequential(
        *[nn.Linear(latent_dim, 1024), nn.ReLU(), keras_norm1d(1024)],
        *[nn.Linear(1024, 128 * h * w), nn.ReLU(), keras_norm1d(128 * h * w), Reshape(128, (h, w))],
        *[*up, SameDeconv2d(c, channels, 4, 2, sizes[0]), nn.Tanh()],
    )
    down: list[nn.Module] = []
    c = channels
    for _ in sizes[1:]:
        down += [SameConv2d(c, 64, 4, 2), leaky_tenth()]
        c = 64
    features = nn.Sequential(*down, nn.Flatten(), nn.Linear(64 * h * w, 1024), leaky_tenth())
    discriminator = Critic(features, nn.Linear(1024, 1))
    return dict(generator=generator.apply(normal_init(0.02)), discriminator=discriminator.apply(normal_init(0.02)))


def cifar10_networks(shape: tuple[int, ...], latent_dim: int) -> dict[str, nn.Module]:
    """Table III of the paper, 32 x 32 x 3: four halvings to 2 x 2."""
    channels, height, width = shape
    sizes = pyramid((height, width), levels=4)
    h, w = sizes[-1]
    up: list[nn.Module] = []
    for a, b, target in zip((256, 128, 64), (128, 64, 32), sizes[3:0:-1]):
        up += [SameDeconv2d(a, b, 5, 2, target), keras_norm2d(b), leaky_fifth()]
    generator = nn.Sequential(
        *[nn.Linear(latent_dim, 256 * h * w), keras_norm1d(256 * h * w), leaky_fifth(), Reshape(256, (h, w))],
        *[*up, SameDeconv2d(32, channels, 5, 2, sizes[0]), nn.Tanh()],
    )
    down: list[nn.Module] = []
    for a, b in zip((channels, 32, 64), (32, 64, 128)):
        down += [SameConv2d(a, b, 5, 2), keras_norm2d(b), leaky_fifth()]
    down += [SameConv2d(128, 256, 5, 2), leaky_fifth(), nn.Flatten(), nn.Dropout(0.2)]
    discriminator = Critic(nn.Sequential(*down), nn.Linear(256 * h * w, 1))
    return dict(generator=generator.apply(glorot_normal), discriminator=discriminator.apply(glorot_normal))


def kdd_networks(d: int, latent_dim: int) -> dict[str, nn.Module]:
    """Table IV of the paper, for KDD99."""
    generator = mlp(latent_dim, 64, 128, d, dropout=0.2)
    features = mlp(d, 256, 128, 128, activation=leaky_tenth, last=leaky_tenth())
    return dict(
        generator=generator.apply(glorot_normal),
        discriminator=Critic(features, nn.Linear(128, 1)).apply(glorot_normal),
    )


class Shift(nn.Module):
    """z + f(z): the toy's generator starts as a wide cloud around the data."""

    f: Layer

    def __init__(self, f: nn.Module):
        super().__init__()
        self.f = f

    def forward(self, z: Tensor) -> Tensor:
        return z + self.f(z)


def toy_networks(d: int, latent_dim: int) -> dict[str, nn.Module]:
    """The two-dimensional experiment of the official code; z has the data's dimension."""
    generator = Shift(mlp(latent_dim, 10, 10, d)).apply(glorot_normal)
    discriminator = Critic(mlp(d, 15, 15, last=nn.ReLU()), nn.Linear(15, 1))
    return dict(generator=generator, discriminator=discriminator.apply(glorot_normal))
