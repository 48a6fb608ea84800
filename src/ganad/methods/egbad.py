"""EGBAD, efficient GAN-based anomaly detection (BiGAN).

H. Zenati et al., "Efficient GAN-Based Anomaly Detection", arXiv 1802.06222 (2018);
code houssamzenati/Efficient-GAN-Anomaly-Detection, folder bigan (TensorFlow 1).

A GAN learns an encoder E together with the generator G. The discriminator sees pairs, (x, E(x)) or (G(z), z), and at
its optimum E inverts G. To be scored, a sample is encoded and decoded once.

    discriminator  H(1, D(x, E(x))) + H(0, D(G(z), z))
    generator      H(1, D(G(z), z))
    encoder        H(0, D(x, E(x)))
    score          alpha ||x - G(E(x))||_1 + (1 - alpha) L_D
    L_D            "fm":        ||f(x, E(x)) - f(G(E(x)), E(x))||_1, f: D's last hidden layer
                   "sigma":     -log sigma(D(x, E(x))), as the paper defines it
                   "sigma_rec": -log sigma(D(G(E(x)), E(x))), as the code computes it

Differs from the official code:
- The code's MNIST loader draws two permutations, so four fifths of its "held-out" normal test images were trained on.
  The code discards the output of its KDD99 scaler. Here the data are split and scaled once, outside the method.
- The paper describes no network for colour images. Here they use the MNIST table with three channels.

A short training can end below chance, because only the adversary makes G(E(x)) resemble x. On 8 x 8 digits with the 0
held out, 600 steps leave a mean error of 56 grey levels (the mean image: 50) and an AUROC of .60. After 3,000 steps the
error is 35 and the AUROC .85 (``epochs=30`` and ``150``, seed 0). To see whether a fit has come far enough, compare the
error of ``reconstruct`` with the error of the mean image.

A code with more numbers than the table has columns cannot be inverted: the encoder's codes fill a thin sheet and the
prior the whole space, which is enough to tell the pairs apart. So the code of a table is half as wide as a row. This
and steps ten times as large change the AUROC of two development tables (64 and 9 columns) from .41 and .90 to .80 and
.89.

On KDD99 short training (50,000 rows, four epochs at 1e-4) ends anywhere from .01 to .99, depending on the seed. Nine
tenths of the score is a reconstruction error, and the encoder does not yet invert the generator. In the seeds below
chance it redraws the attacks, the normal class there, worse than the anomalies, which the generator's spread covers
(see AnoGAN's page). The discriminator's term alone is near chance in these seeds. In the good seeds it finds nearly all
anomalies.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..detector import Batches, BidirectionalDetector, Updates
from ..losses import bce, per_sample
from ..nets.egbad import kdd_networks, mnist_networks
from ..settings import Count, Positive


class EGBAD(BidirectionalDetector):
    """BiGAN: the reconstruction error plus a term of the joint discriminator."""

    variant: Literal["fm", "sigma", "sigma_rec"] = "fm"  #: discriminator's term of the score
    alpha: float = 0.9  #: weight of the reconstruction error in the score
    latent_dim: Count | None = None  #: size of z; None: half of a table's columns, 2 to 32, and 200 for images
    lr: Positive | None = None  #: step size of Adam, shared by all players; None: 1e-3 for tables, 1e-4 for images
    batch_size: int = 100  #: samples a training step draws
    updates: Count = 1500  #: batches that a fit trains on where ``epochs`` is None
    ema: float = 0.999  #: decay of the weight average used for scoring

    LEAST_EPOCHS = (5, 60)
    IMAGE_CODE = 200
    STEP_SIZES = (1e-3, 1e-4)
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

    def build_table(self, d: int) -> dict[str, nn.Module]:
        return kdd_networks(d, self.code_size_for((d,)))

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        return mnist_networks(shape, self.code_size_for(shape))

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
