"""The networks of EGBAD's repository: its BiGAN's, and those of the plain GAN that it compares with.

H. Zenati et al., arXiv 1802.06222; code houssamzenati/Efficient-GAN-Anomaly-Detection, folders bigan and gan.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .conv import Reshape, SameConv2d, SameDeconv2d, Size, pyramid
from .critic import Critic, JointCritic
from .init import normal_init, xavier_uniform
from .layers import keras_norm1d, keras_norm2d, leaky_tenth
from .mlp import mlp


def halved(shape: tuple[int, ...]) -> list[Size]:
    """Halvings down to 8 x 8 or less, at least one."""
    return pyramid((shape[1], shape[2]), until=8, levels=1)


def dense_generator(
    shape: tuple[int, ...], latent_dim: int, activation: Callable[[], nn.Module], momentum: float = 0.01
) -> nn.Module:
    """Two dense layers and a deconvolution for every halving, not yet initialised; momentum: of batch norm."""
    sizes = halved(shape)
    h, w = sizes[-1]
    up: list[nn.Module] = []
    c = 128
    for target in sizes[-2:0:-1]:
        up += [SameDeconv2d(c, 64, 4, 2, target), keras_norm2d(64, momentum), activation()]
        c = 64
    return nn.Sequential(
        *[nn.Linear(latent_dim, 1024), keras_norm1d(1024, momentum), activation()],
        *[nn.Linear(1024, 128 * h * w), keras_norm1d(128 * h * w, momentum), activation(), Reshape(128, (h, w))],
        *[*up, SameDeconv2d(c, shape[0], 4, 2, sizes[0]), nn.Tanh()],
    )


def mnist_generator(shape: tuple[int, ...], latent_dim: int) -> nn.Module:
    """The code's generator for MNIST."""
    return dense_generator(shape, latent_dim, nn.ReLU).apply(normal_init(0.02))


def mnist_networks(shape: tuple[int, ...], latent_dim: int) -> dict[str, nn.Module]:
    """The code's MNIST tables, 28 x 28 with two halvings; larger images are halved until 8 x 8."""
    channels, sizes = shape[0], halved(shape)
    h, w = sizes[-1]
    down: list[nn.Module] = [SameConv2d(channels, 32, 3, 1), leaky_tenth()]
    branch: list[nn.Module] = []
    c, b = 32, channels
    for i, _ in enumerate(sizes[1:]):
        wider = 64 if i < len(sizes) - 2 else 128
        down += [SameConv2d(c, wider, 3, 2), keras_norm2d(wider), leaky_tenth()]
        branch += [SameConv2d(b, 64, 4, 2), *([keras_norm2d(64)] if i else []), leaky_tenth(), nn.Dropout(0.5)]
        c, b = wider, 64
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(128 * h * w, latent_dim))
    discriminator = JointCritic(
        x_branch=nn.Sequential(*branch, nn.Flatten()),
        z_branch=nn.Sequential(nn.Linear(latent_dim, 512), leaky_tenth(), nn.Dropout(0.5)),
        joint=nn.Sequential(nn.Linear(64 * h * w + 512, 1024), leaky_tenth(), nn.Dropout(0.5)),
        head=nn.Linear(1024, 1),
    )
    players = dict(generator=mnist_generator(shape, latent_dim), encoder=encoder, discriminator=discriminator)
    return {name: net.apply(normal_init(0.02)) for name, net in players.items()}


def kdd_networks(d: int, latent_dim: int) -> dict[str, nn.Module]:
    """The code's KDD99 tables: dense, no batch norm."""
    players = dict(
        generator=mlp(latent_dim, 64, 128, d),
        encoder=mlp(d, 64, latent_dim, activation=leaky_tenth),
        discriminator=JointCritic(
            x_branch=nn.Sequential(nn.Linear(d, 128), leaky_tenth(), nn.Dropout(0.2)),
            z_branch=nn.Sequential(nn.Linear(latent_dim, 128), leaky_tenth(), nn.Dropout(0.2)),
            joint=nn.Sequential(nn.Linear(256, 128), leaky_tenth(), nn.Dropout(0.2)),
            head=nn.Linear(128, 1),
        ),
    )
    return {name: net.apply(xavier_uniform) for name, net in players.items()}


def mnist_critic(shape: tuple[int, ...]) -> Critic:
    """The plain GAN's critic, gan/mnist_utilities.py: two halvings (more for larger images), a dense layer of 1,024."""
    sizes = halved(shape)
    layers: list[nn.Module] = []
    c = shape[0]
    for i, _ in enumerate(sizes[1:]):
        norm = [keras_norm2d(64)] if i else []
        layers += [SameConv2d(c, 64, 4, 2), *norm, leaky_tenth()]
        c = 64
    h, w = sizes[-1]
    dense = [nn.Linear(64 * h * w, 1024), keras_norm1d(1024), leaky_tenth()]
    return Critic(nn.Sequential(*layers, nn.Flatten(), *dense), nn.Linear(1024, 1)).apply(normal_init(0.02))


def kdd_gan(d: int, latent_dim: int) -> dict[str, nn.Module]:
    """The plain GAN for KDD99, gan/kdd_utilities.py."""
    last = nn.Sequential(leaky_tenth(), nn.Dropout(0.2))
    features = mlp(d, 256, 128, 128, activation=leaky_tenth, dropout=0.2, last=last)
    return dict(
        generator=mlp(latent_dim, 64, 128, d).apply(xavier_uniform),
        discriminator=Critic(features, nn.Linear(128, 1)).apply(xavier_uniform),
    )
