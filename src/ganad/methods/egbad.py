"""EGBAD, efficient GAN-based anomaly detection (BiGAN).

H. Zenati et al., "Efficient GAN-Based Anomaly Detection", arXiv 1802.06222 (2018);
code houssamzenati/Efficient-GAN-Anomaly-Detection, folder bigan (TensorFlow 1).

A GAN with an encoder E learned beside the generator G: the discriminator sees pairs, (x, E(x)) or
(G(z), z), and at its optimum E inverts G. A sample is encoded and decoded once.

    discriminator  H(1, D(x, E(x))) + H(0, D(G(z), z))
    generator      H(1, D(G(z), z))
    encoder        H(0, D(x, E(x)))
    score          alpha ||x - G(E(x))||_1 + (1 - alpha) L_D
    L_D            "fm":        ||f(x, E(x)) - f(G(E(x)), E(x))||_1, f: D's last hidden layer
                   "sigma":     -log sigma(D(x, E(x))), as the paper defines it
                   "sigma_rec": -log sigma(D(G(E(x)), E(x))), as the code computes it

Differs from the official code:
- Its MNIST loader draws two permutations, so four fifths of its "held-out" normal test images were trained
  on; its KDD99 scaler's output is thrown away. Splits and scaling here are done outside and once.
- The paper gives no network for colour images; theirs is the MNIST table with three channels.

Below chance after a short training, and why: nothing but the adversary makes G(E(x)) resemble x. On 8 x 8 digits with 0
held out, 600 steps leave a mean error of 56 grey levels where the mean image has 50, and AUROC .60; after 3,000 steps
it is 35 and AUROC .85 (``epochs=30`` and ``150``, seed 0). Hold the error of ``reconstruct`` against the mean image's.

On KDD99 short training (50,000 rows, four epochs at 1e-4) ends anywhere from .01 to .99 by the seed: the score is nine
tenths a reconstruction, and the encoder is not yet the generator's inverse. In the seeds below chance it redraws the
attacks, the normal class there, worse than the anomalies, which the generator's spread covers (see AnoGAN's page); the
discriminator's term alone is near chance in them and finds nearly all in the good ones.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..detector import Batches, GenerativeDetector, Updates
from ..losses import bce, per_sample
from ..nets import JointCritic, Reshape, SameConv2d, SameDeconv2d, mlp, normal_init, pyramid, xavier_uniform
from ..nets.conv import Size
from ..settings import Size


class EGBAD(GenerativeDetector):
    """BiGAN: reconstruction error plus what the joint discriminator makes of it."""

    variant: Literal["fm", "sigma", "sigma_rec"] = "fm"  #: discriminator's term of the score
    alpha: float = 0.9  #: weight of the reconstruction error in the score
    latent_dim: Size = 200  #: size of z
    lr: float = 1e-4  #: step size of Adam, shared by all players
    batch_size: int = 100  #: samples a training step draws
    epochs: int = 60  #: passes over the training set
    ema: float = 0.999  #: decay of the weight average used for scoring

    PRESETS = {
        "mnist": dict(latent_dim=200, lr=1e-5, batch_size=100, epochs=100, ema=0.999),
        "kddcup99": dict(
            latent_dim=32,
            lr=1e-5,
            batch_size=50,
            epochs=50,
            ema=0.9999,
            variant="sigma_rec",
            scaling="minmax",
        ),
    }

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        return kdd_networks(shape[0], self.latent_dim) if len(shape) == 1 else mnist_networks(shape, self.latent_dim)

    def training_step(self, batches: Batches) -> Updates:
        G, E, D = self.nets_.generator, self.nets_.encoder, self.nets_.discriminator
        x = next(batches)
        z = self.noise(len(x))
        with torch.no_grad():
            z_hat, x_fake = E(x), G(z)
        yield "discriminator", dict(encoded=bce(D(x, z_hat), 1.0), generated=bce(D(x_fake, z), 0.0))
        x = batches.sample()
        z = self.noise(len(x))
        fool_generated, fool_encoded = bce(D(G(z), z), 1.0), bce(D(x, E(x)), 0.0)
        yield "generator", dict(adv=fool_generated)
        yield "encoder", dict(adv=fool_encoded)

    def score_batch(self, x: Tensor) -> Tensor:
        D = self.nets_.discriminator
        z = self.nets_.encoder(x)
        x_hat = self.nets_.generator(z)
        if self.variant == "fm":
            term = per_sample((D.features(x, z) - D.features(x_hat, z)).abs())
        else:
            term = softplus(-D(x if self.variant == "sigma" else x_hat, z))
        return self.alpha * per_sample((x - x_hat).abs()) + (1 - self.alpha) * term

    def validation_batch(self, x: Tensor) -> Tensor:
        return per_sample((x - self.reconstruct_batch(x)).abs())

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return self.nets_.generator(self.nets_.encoder(x))

    def encode_batch(self, x: Tensor) -> Tensor:
        return self.nets_.encoder(x)

    def generator(self) -> nn.Module:
        return self.nets_.generator


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.1)


def _norm(channels: int) -> nn.Module:
    """TensorFlow's batch norm: decay .99, eps 1e-3."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _flat_norm(features: int) -> nn.Module:
    return nn.BatchNorm1d(features, eps=1e-3, momentum=0.01)


def _sizes(shape: tuple[int, ...]) -> list[Size]:
    """Halvings down to 8 x 8 or less, at least one."""
    size = (shape[1], shape[2])
    return pyramid(size, until=8) if max(size) > 8 else pyramid(size, levels=1)


def mnist_generator(shape: tuple[int, ...], latent_dim: int) -> nn.Module:
    """Two dense layers and a deconvolution for every halving."""
    sizes = _sizes(shape)
    h, w = sizes[-1]
    up: list[nn.Module] = []
    c = 128
    for target in sizes[-2:0:-1]:
        up += [SameDeconv2d(c, 64, 4, 2, target), _norm(64), nn.ReLU()]
        c = 64
    return nn.Sequential(
        *[nn.Linear(latent_dim, 1024), _flat_norm(1024), nn.ReLU()],
        *[nn.Linear(1024, 128 * h * w), _flat_norm(128 * h * w), nn.ReLU(), Reshape(128, (h, w))],
        *[*up, SameDeconv2d(c, shape[0], 4, 2, sizes[0]), nn.Tanh()],
    ).apply(normal_init(0.02))


def mnist_networks(shape: tuple[int, ...], latent_dim: int) -> dict[str, nn.Module]:
    """The code's MNIST tables, 28 x 28 with two halvings; larger images are halved until 8 x 8."""
    channels, sizes = shape[0], _sizes(shape)
    h, w = sizes[-1]
    down: list[nn.Module] = [SameConv2d(channels, 32, 3, 1), _leaky()]
    branch: list[nn.Module] = []
    c, b = 32, channels
    for i, _ in enumerate(sizes[1:]):
        wider = 64 if i < len(sizes) - 2 else 128
        down += [SameConv2d(c, wider, 3, 2), _norm(wider), _leaky()]
        branch += [SameConv2d(b, 64, 4, 2), *([_norm(64)] if i else []), _leaky(), nn.Dropout(0.5)]
        c, b = wider, 64
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(128 * h * w, latent_dim))
    discriminator = JointCritic(
        x_branch=nn.Sequential(*branch, nn.Flatten()),
        z_branch=nn.Sequential(nn.Linear(latent_dim, 512), _leaky(), nn.Dropout(0.5)),
        joint=nn.Sequential(nn.Linear(64 * h * w + 512, 1024), _leaky(), nn.Dropout(0.5)),
        head=nn.Linear(1024, 1),
    )
    players = dict(generator=mnist_generator(shape, latent_dim), encoder=encoder, discriminator=discriminator)
    return {name: net.apply(normal_init(0.02)) for name, net in players.items()}


def kdd_networks(d: int, latent_dim: int) -> dict[str, nn.Module]:
    """The code's KDD99 tables: dense, no batch norm."""
    players = dict(
        generator=mlp(latent_dim, 64, 128, d),
        encoder=mlp(d, 64, latent_dim, activation=_leaky),
        discriminator=JointCritic(
            x_branch=nn.Sequential(nn.Linear(d, 128), _leaky(), nn.Dropout(0.2)),
            z_branch=nn.Sequential(nn.Linear(latent_dim, 128), _leaky(), nn.Dropout(0.2)),
            joint=nn.Sequential(nn.Linear(256, 128), _leaky(), nn.Dropout(0.2)),
            head=nn.Linear(128, 1),
        ),
    )
    return {name: net.apply(xavier_uniform) for name, net in players.items()}
