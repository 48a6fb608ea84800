"""RGAN: the discriminator of a regular GAN as detector.

This baseline has no paper. It is the null hypothesis of Fence GAN, OCAN and MMOC-GAN, which claim that the generator's
target makes a discriminator a detector. GAN: I. Goodfellow et al., NeurIPS 2014.

    discriminator  mean of -log D(x) - log(1 - D(G(z)))
    generator      mean of -log D(G(z))
    score          -logit D(x)

RGAN is Fence GAN with alpha = 1, beta = 0, gamma = 1 and without pretraining, and it is built that way, so a comparison
of the two isolates the generator's loss. At the optimum D is 1/2 wherever the generator has learnt the data, and
anything elsewhere. So an AUROC below one half is possible. Small tables gave it as long as the generator began inside
the data. Now it begins outside, as Fence GAN's does, and the defaults stop after few steps. Whether it stays good for
longer was not measured on tables. Training passes through good detectors and leaves them again: on KDD99 (50,000 rows,
eight epochs) each of three seeds has an epoch with .99, and the last epochs have .86, .77 and .19.

The presets "wiki" and "credit-card" are the baseline of the OCAN paper (``network="ocan"``). Its vectors come from an
autoencoder that you train before. Differs from its code:
- The code takes the mean over real and generated samples together, which is half of this sum. So under SGD its step
  size of 0.01 is 0.005 here.
- Samples are generated for every step, not once for an epoch. The L1 and L2 penalties of 1e-5 are left out.
- Columns are scaled to [-1, 1] by the training data. The code scales each row by itself.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from ..nets import Critic, leaky_fifth, mlp, xavier_uniform
from .fence_gan import FenceGAN

_OCAN: dict[str, Any] = dict(network="ocan", latent_dim=50, lr=1e-3, betas=(0.9, 0.999), ema=0.0, scaling="minmax")
_OCAN |= dict(discriminator_optimizer="sgd", discriminator_lr=5e-3)


class RGAN(FenceGAN):
    """A regular GAN whose discriminator is the detector: the null model."""

    alpha: float = 1.0  #: level of the discriminator at which generated samples should lie: "real"
    beta: float = 0.0  #: weight of the dispersion: none
    gamma: float = 1.0  #: weight of generated samples in the discriminator's loss
    network: Literal["dcgan", "cifar10", "toy", "ocan"] = "dcgan"  # type: ignore[assignment]  #: layer table
    pretrain_epochs: int | None = 0  #: passes of the discriminator alone: none

    PRESETS = {
        "mnist": dict(latent_dim=200, lr=2e-5, discriminator_lr=1e-5, batch_size=200, epochs=100, ema=0.0),
        "cifar10": dict(
            network="cifar10", latent_dim=256, lr=1e-3, discriminator_lr=1e-4, batch_size=128, epochs=150, ema=0.0
        ),
        "kddcup99": dict(
            start=0.0,
            latent_dim=32,
            lr=1e-4,
            discriminator_lr=1e-4,
            batch_size=256,
            epochs=50,
            ema=0.0,
            scaling="minmax",
        ),
        "wiki": _OCAN | dict(batch_size=700, epochs=150),
        "credit-card": _OCAN | dict(batch_size=70, epochs=200),
    }

    def build_table(self, d: int) -> dict[str, nn.Module]:
        return ocan_networks(d, self.latent_dim) if self.network == "ocan" else super().build_table(d)


def ocan_networks(d: int, latent_dim: int) -> dict[str, nn.Module]:
    """The regular GAN of the OCAN paper's code, with Keras' default initialisation."""
    generator = mlp(latent_dim, 100, d, activation=leaky_fifth, last=nn.Tanh())
    discriminator = Critic(mlp(d, 100, 50, activation=leaky_fifth, last=leaky_fifth()), nn.Linear(50, 1))
    return dict(generator=generator.apply(xavier_uniform), discriminator=discriminator.apply(xavier_uniform))
