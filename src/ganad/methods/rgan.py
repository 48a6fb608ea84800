"""RGAN: the discriminator of a regular GAN as detector.

A baseline without a paper of its own: the null hypothesis of Fence GAN, OCAN and MMOC-GAN, which say that the
generator's target is what makes a discriminator a detector. GAN: I. Goodfellow et al., NeurIPS 2014.

    discriminator  mean of -log D(x) - log(1 - D(G(z)))
    generator      mean of -log D(G(z))
    score          -logit D(x)

This is Fence GAN with alpha = 1, beta = 0, gamma = 1 and no pretraining, and it is built as just that, so that a
comparison of the two isolates the generator's loss. At the optimum D is 1/2 wherever the generator has learnt the
data, and anything elsewhere: AUROC below one half is a legitimate outcome.
"""

from __future__ import annotations

from .fence_gan import FenceGAN


class RGAN(FenceGAN):
    """A regular GAN whose discriminator is the detector: the null model."""

    alpha: float = 1.0  #: level of the discriminator on which generated samples should lie: "real"
    beta: float = 0.0  #: weight of the dispersion: none
    gamma: float = 1.0  #: weight of generated samples in the discriminator's loss
    pretrain_epochs: int = 0  #: epochs of the discriminator alone: none

    PRESETS = {
        "mnist": dict(latent_dim=200, lr=2e-5, discriminator_lr=1e-5, batch_size=200, epochs=100, ema=0.0),
        "cifar10": dict(
            network="cifar10", latent_dim=256, lr=1e-3, discriminator_lr=1e-4, batch_size=128, epochs=150, ema=0.0
        ),
        "kddcup99": dict(
            latent_dim=32, lr=1e-4, discriminator_lr=1e-4, batch_size=256, epochs=50, ema=0.0, scaling="minmax"
        ),
    }
