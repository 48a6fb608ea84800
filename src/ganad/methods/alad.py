"""ALAD, adversarially learned anomaly detection.

H. Zenati et al., "Adversarially Learned Anomaly Detection", ICDM 2018, arXiv 1812.02288;
code houssamzenati/Adversarially-Learned-Anomaly-Detection (TensorFlow 1).

ALAD adds two discriminators to EGBAD's BiGAN, so that the cycles close: one sees (x, x) or (x, G(E(x))), the other
(z, z) or (z, E(G(z))). The score is a reconstruction error in the feature space of the first.

    disc_xz  H(1, D(x, E(x))) + H(0, D(G(z), z))
    disc_xx  H(1, D(x, x)) + H(0, D(x, G(E(x))))
    disc_zz  H(1, D(z, z)) + H(0, D(z, E(G(z))))
    codec    the same with all labels swapped; generator and encoder share one optimiser
    score    "features": ||f(x, x) - f(x, x')||_1, x' = G(E(x)), f: disc_xx's last hidden layer
             "logits": -log sigma(D_xx(x, x')); "l1": ||x - x'||_1; "l2": ||x - x'||_2

Differs from the official code:
- The number of epochs is fixed, or ``patience`` restores the best weights. The code stops early and saves the best
  weights, but tests the last ones.
- Tables are scaled. The code computes a scaling and never applies it (``scaling="none"``).
- MNIST's preset is ours.
- The two images of a pair are joined along the height, as in the code. ``pairing="channels"`` joins the channels, as
  ports do.
- Spectral norm (images only, as in the code) stays fixed while scoring.

On a small table the step size decides. A fit makes about a thousand steps, and with images' 2e-4 the encoder does not
yet invert the generator. Steps of 1e-3 and columns scaled to [-1, 1] change the AUROC of five development tables (6 to
64 columns) from .71 .96 .59 .91 .51 to .81 .98 .80 .98 .49, the mean from .74 to .81 (seed 0). Columns in [-1, 1] alone
do not help (.73), and steps of 1e-3 alone give .79. The other scores of a fit are as good: .80 (logits), .83 (l1), .82
(l2). The fifth table, vertebral, is near chance for most detectors.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..detector import Batches, BidirectionalDetector, Updates
from ..losses import bce, per_sample
from ..nets import (
    JointCritic,
    Layer,
    SameConv2d,
    SpectralNorm,
    dcgan_generator,
    keras_norm1d,
    keras_norm2d,
    leaky_fifth,
    mlp,
    normal_init,
    pyramid,
    xavier_uniform,
)
from ..settings import Count, Positive


class ALAD(BidirectionalDetector):
    """BiGAN with adversarial cycles; the score compares features of a discriminator."""

    variant: Literal["features", "logits", "l1", "l2"] = "features"  #: the score
    latent_cycle: bool = True  #: use disc_zz; False is the paper's ablation
    spectral_norm: bool = True  #: on encoder and discriminators of images
    pairing: Literal["height", "channels"] = "height"  #: axis on which disc_xx sees two images joined
    network: Literal["kdd", "arrhythmia"] = "kdd"  #: layer table for tables
    latent_dim: Count | None = None  #: size of z; None: half of a table's columns, 2 to 32, and 100 for images
    width: Count = 128  #: channels at half the image's size
    scaling: Literal["auto", "minmax", "standard", "none", "contrast"] = "minmax"  #: of the input
    lr: Positive | None = None  #: step size of Adam, shared by all players; None: 1e-3 for tables, 2e-4 for images
    batch_size: int = 50  #: samples a training step draws
    ema: float = 0.999  #: decay of the weight average used for scoring

    LEAST_EPOCHS = (5, 50)
    STEP_SIZES = (1e-3, 2e-4)
    PRESETS = {
        "cifar10": dict(latent_dim=100, lr=2e-4, batch_size=32, epochs=100, patience=10, ema=0.999),
        "svhn": dict(latent_dim=100, lr=2e-4, batch_size=32, epochs=100, patience=10, ema=0.999),
        "mnist": dict(latent_dim=100, lr=2e-4, batch_size=32, epochs=100, patience=10, ema=0.999),
        "kddcup99": dict(latent_dim=32, lr=1e-5, batch_size=50, epochs=100, ema=0.999, scaling="minmax"),
        "arrhythmia": dict(
            network="arrhythmia", latent_dim=64, lr=1e-5, batch_size=32, epochs=1000, ema=0.999, scaling="auto"
        ),
    }

    def build_table(self, d: int) -> dict[str, nn.Module]:
        return table_networks(d, self.code_size_for((d,)), large=self.network == "arrhythmia")

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        return image_networks(shape, self.code_size_for(shape), self.width, self.pairing, spectral=self.spectral_norm)

    def training_step(self, batches: Batches) -> Updates:
        G, E = self.nets_.codec["generator"], self.nets_.codec["encoder"]
        xz, xx, zz = self.nets_.disc_xz, self.nets_.disc_xx, self.nets_.disc_zz
        x = next(batches)
        z = self.noise(len(x))
        with torch.no_grad():
            z_x, x_z = E(x), G(z)
            x_hat, z_hat = G(z_x), E(x_z)
        yield "disc_xz", dict(real=bce(xz(x, z_x), 1.0), fake=bce(xz(x_z, z), 0.0))
        yield "disc_xx", dict(real=bce(xx(x, x), 1.0), fake=bce(xx(x, x_hat), 0.0))
        if self.latent_cycle:
            yield "disc_zz", dict(real=bce(zz(z, z), 1.0), fake=bce(zz(z, z_hat), 0.0))
        x = batches.sample()
        z = self.noise(len(x))
        z_x, x_z = E(x), G(z)
        terms = dict(
            generator=bce(xz(x_z, z), 1.0),
            encoder=bce(xz(x, z_x), 0.0),
            cycle_x=bce(xx(x, G(z_x)), 1.0),
        )
        if self.latent_cycle:
            terms["cycle_z"] = bce(zz(z, E(x_z)), 1.0)
        yield "codec", terms

    def score_batch(self, x: Tensor) -> Tensor:
        xx, x_hat = self.nets_.disc_xx, self.reconstruct_batch(x)
        if self.variant == "features":
            return per_sample((xx.features(x, x) - xx.features(x, x_hat)).abs())
        if self.variant == "logits":
            return softplus(-xx(x, x_hat))
        difference = (x - x_hat).flatten(1)
        return difference.abs().sum(1) if self.variant == "l1" else difference.norm(2, 1)

    def codec(self) -> tuple[nn.Module, nn.Module]:
        return self.nets_.codec["encoder"], self.nets_.codec["generator"]


class PairCritic(nn.Module):
    """A critic of two inputs of one kind, joined along ``axis``."""

    body: Layer
    head: Layer

    def __init__(self, body: nn.Module, head: nn.Module, axis: int):
        super().__init__()
        self.body, self.head, self.axis = body, head, axis

    def features(self, a: Tensor, b: Tensor) -> Tensor:
        return self.body(torch.cat([a, b], dim=self.axis))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.head(self.features(a, b)).flatten()


def _act(dropout: float = 0.0) -> list[nn.Module]:
    """The activation, and dropout where there is any."""
    return [leaky_fifth(), *([nn.Dropout(dropout)] if dropout else [])]


def image_networks(
    shape: tuple[int, ...], latent_dim: int, width: int, pairing: str, *, spectral: bool
) -> dict[str, nn.Module]:
    """The layer tables for CIFAR-10 and SVHN, which halve images of any size to 4 x 4 or less."""
    channels, *size = shape
    sizes = pyramid((size[0], size[1]), until=4)
    h, w = sizes[-1]

    def sn(layer: nn.Linear | nn.Conv2d) -> nn.Module:
        normal_init(0.01)(layer)
        return SpectralNorm(layer) if spectral else layer

    def tower(first_norm: bool) -> list[nn.Module]:
        layers, a, b = [], channels, width
        for i, _ in enumerate(sizes[1:]):
            layers.append(sn(SameConv2d(a, b, 4, 2)))
            if i or first_norm:
                layers.append(keras_norm2d(b))
            layers += _act()
            a, b = b, 2 * b
        return layers

    top = width * 2 ** (len(sizes) - 2)
    pair_axis, pair_channels = (2, channels) if pairing == "height" else (1, 2 * channels)
    pair_size = pyramid((size[0] * (2 if pairing == "height" else 1), size[1]), levels=2)[-1]
    pair = [sn(SameConv2d(pair_channels, 64, 5, 2)), *_act(0.2), sn(SameConv2d(64, 128, 5, 2)), *_act(0.2)]
    code = nn.Conv2d(top, latent_dim, (h, w))
    generator = dcgan_generator(shape, latent_dim, width).apply(normal_init(0.01))
    return dict(
        codec=nn.ModuleDict(
            dict(
                generator=generator,
                encoder=nn.Sequential(*tower(first_norm=True), code.apply(normal_init(0.01)), nn.Flatten()),
            )
        ),
        disc_xz=JointCritic(
            x_branch=nn.Sequential(*tower(first_norm=False), nn.Flatten()),
            z_branch=nn.Sequential(sn(nn.Linear(latent_dim, 512)), *_act(0.2), sn(nn.Linear(512, 512)), *_act(0.2)),
            joint=nn.Sequential(sn(nn.Linear(top * h * w + 512, 1024)), *_act(0.2)),
            head=nn.Linear(1024, 1).apply(normal_init(0.01)),
        ),
        disc_xx=PairCritic(
            nn.Sequential(*pair, nn.Flatten()),
            nn.Linear(128 * pair_size[0] * pair_size[1], 1).apply(normal_init(0.01)),
            pair_axis,
        ),
        disc_zz=PairCritic(
            nn.Sequential(sn(nn.Linear(2 * latent_dim, 64)), *_act(0.2), sn(nn.Linear(64, 32)), *_act(0.2)),
            nn.Linear(32, 1).apply(normal_init(0.01)),
            1,
        ),
    )


def table_networks(d: int, latent_dim: int, *, large: bool) -> dict[str, nn.Module]:
    """The layer tables for KDD99; ``large`` gives those for arrhythmia."""
    k, joint, xx, zz = (latent_dim, 256, (256, 128), (64, 32)) if large else (latent_dim, 128, (128,), (32,))
    encoder, decoder = ((256, 128), (128, 256)) if large else ((64,), (64, 128))

    def body(*sizes: int) -> nn.Module:
        last = nn.Sequential(*_act(0.2))
        return mlp(*sizes, activation=lambda: nn.Sequential(*_act(0.2)), last=last)

    players = dict(
        codec=nn.ModuleDict(
            dict(
                generator=mlp(k, *decoder, d),
                encoder=mlp(d, *encoder, k, activation=leaky_fifth),
            )
        ),
        disc_xz=JointCritic(
            x_branch=nn.Sequential(nn.Linear(d, 128), keras_norm1d(128), *_act()),
            z_branch=nn.Sequential(nn.Linear(k, 128), *_act(0.5)),
            joint=nn.Sequential(nn.Linear(256, joint), *_act(0.5)),
            head=nn.Linear(joint, 1),
        ),
        disc_xx=PairCritic(body(2 * d, *xx), nn.Linear(xx[-1], 1), 1),
        disc_zz=PairCritic(body(2 * k, *zz), nn.Linear(zz[-1], 1), 1),
    )
    return {name: net.apply(xavier_uniform) for name, net in players.items()}
