"""DSEBM, deep structured energy-based model.

S. Zhai, Y. Cheng, W. Lu, Z. Zhang, "Deep structured energy based models for anomaly detection", ICML 2016, arXiv
1605.07717. No official code; the ALAD and the geometric transformations authors published ports.

A network gives every sample an energy, low where samples are likely. Score matching, which trains it, is the same as
training a denoising autoencoder whose reconstruction is the sample minus the energy's gradient.

    h_l = softplus(W_l h_(l-1) + b_l), h_0 = x
    energy          E(x) = ||x - b||^2 / 2 - sum of h_L        b: learnt, of the shape of x
    reconstruction  f(x) = x - grad E(x) = b + W_1' (s(a_1) * W_2' (s(a_2) * ...)), s: sigmoid, h_l = softplus(a_l)
    loss            mean ||x - f(x + n)||^2, n ~ N(0, noise_sd^2)
    score           "recon": ||x - f(x)|| = ||grad E(x)||; "energy": E(x)

f is computed with the transposed layers. So training differentiates once, and the score is one forward pass.

Differs from the paper and the ports:
- b is one vector. ALAD's port has one for every position in a batch, so a score depends on its sample's position.
- The energy subtracts h_L, as in the paper, not the output of a mirrored decoder (ALAD's port).
- The geometric transformations port has batch norm and ReLU in the energy. Batch norm ties a sample's gradient to the
  other samples, and ReLU lacks curvature. Here images use its layer sizes with softplus and without a norm.
- Tables are standardised, and the noise has a standard deviation of 1. Images are in [-1, 1], and it has .5. We did not
  find the noise of the paper.
- b starts at the mean of the training data.
- The preset "kddcup99" has the widths and the noise of ALAD's port; batch, step size and epochs are ours. The port has
  1e-4 and batches of 100 on unscaled input ("kddcup99-alad"). It takes the epochs from the command line, also those for
  arrhythmia.
- "cifar10-alad" is that port's image energy (``network="alad"``: one convolution, pooling, a dense layer). Its patience
  of 25 epochs keeps the best weights. The port scores with the last ones.
- The default score is the reconstruction. The measurements on this page compare both scores.

On arrhythmia (preset "arrhythmia", three seeds) both scores have an F1 of .41, where DAGMM's paper prints .46 for the
energy and .15 for the reconstruction. The first term of E is half the squared distance from b, which begins at the
mean, and the 2 softplus units at the end learn little else from 194 rows: the distance to the mean, which learns
nothing, has .41 as well, and AUROC .799 where the reconstruction has .800 and the energy .802. The printed .15 is what
a random choice has: 15 % of the test rows are anomalies, and as many are flagged.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, softplus

from ..detector import Batches, NetworkDetector, Updates
from ..losses import per_sample
from ..nets import RowLinear, SameConv2d, pyramid, row_linear, xavier_uniform
from ..settings import Count
from ..training import TrainingSet


class DSEBM(NetworkDetector):
    """An energy whose gradient points away from the data; the gradient's length, or the energy, is the score."""

    variant: Literal["recon", "energy"] = "recon"  #: DSEBM-r or DSEBM-e
    noise_sd: float | None = None  #: standard deviation of the noise in training; None: 1 for tables, 0.5 for images
    hidden: tuple[int, ...] = (128, 512)  #: widths of the layers (tables)
    network: Literal["conv", "alad"] = "conv"  #: layers for images, from the geometric transformations or ALAD's port
    width: Count = 64  #: channels at half the image's size
    latent_dim: Count = 256  #: units of the last layer (images)
    lr: float = 1e-3  #: step size of Adam
    betas: tuple[float, float] = (0.9, 0.999)  #: decay rates of Adam's two moments
    batch_size: int = 128  #: samples a training step draws

    LEAST_EPOCHS = (5, 50)
    PRESETS = {
        "kddcup99": dict(hidden=(128, 512), noise_sd=1.0, batch_size=256, epochs=8),
        "kddcup99-alad": dict(hidden=(128, 512), noise_sd=1.0, lr=1e-4, batch_size=100, epochs=50, scaling="none"),
        "cifar10-alad": dict(
            network="alad", latent_dim=128, noise_sd=1.0, lr=3e-3, batch_size=32, epochs=50, patience=25
        ),
        "arrhythmia": dict(hidden=(10, 2), noise_sd=1.0, lr=1e-4, batch_size=26, epochs=200),
        "cifar10": dict(noise_sd=0.5, epochs=200),
    }

    def build_table(self, d: int) -> dict[str, nn.Module]:
        widths = (d, *self.hidden)
        layers: list[nn.Module] = [RowLinear(a, b) for a, b in zip(widths, widths[1:])]
        return dict(energy=Energy((d,), layers).apply(xavier_uniform))

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        layers = (pooling if self.network == "alad" else convolutional)(shape, self.width, self.latent_dim)
        return dict(energy=Energy(shape, layers).apply(xavier_uniform))

    def train(self, x: TrainingSet) -> None:
        if not self.begun:
            mean = self.map_batches(lambda batch: batch.sum(0, keepdim=True), x).sum(0) / len(x)
            with torch.no_grad():
                self.nets_.energy.visible.copy_(mean)
        self.run(self.training_step, x)

    def training_step(self, batches: Batches) -> Updates:
        yield "energy", dict(denoising=self.denoising(next(batches)).mean())

    def denoising(self, x: Tensor) -> Tensor:
        """||x - f(x + n)||^2, ``(n,)``, for noise drawn now."""
        sd = self.noise_sd if self.noise_sd is not None else 1.0 if x.ndim == 2 else 0.5
        return per_sample((x - self.reconstruct_batch(x + sd * torch.randn_like(x))).square())

    def score_batch(self, x: Tensor) -> Tensor:
        energy, x_hat = self.both(x)
        return energy if self.variant == "energy" else per_sample((x - x_hat).square()).sqrt()

    def validation_batch(self, x: Tensor) -> Tensor:
        return self.denoising(x)

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return self.both(x)[1]

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Energies ``(n,)`` and reconstructions ``(n, *shape)``."""
        network: nn.Module = self.nets_.energy
        both: tuple[Tensor, Tensor] = network(x)
        return both


class Energy(nn.Module):
    """Energies ``(n,)`` and reconstructions of samples: forward through the layers, back through their transposes."""

    def __init__(self, shape: tuple[int, ...], layers: list[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.visible = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, way = x, []
        for layer in self.layers:
            if isinstance(layer, nn.MaxPool2d):
                pooled, index = layer(h)
                way.append((index, h.shape[1:], None))
                h = pooled
                continue
            a = layer(h.flatten(1) if isinstance(layer, nn.Linear) else h)
            way.append((layer, h.shape[1:], a))
            h = softplus(a)
        energy = per_sample((x - self.visible).square()) / 2 - per_sample(h)
        gradient = torch.ones_like(h)
        for layer, shape, a in reversed(way):
            if a is None:
                gradient = unpooled(gradient, layer, shape)
            else:
                gradient = transposed(layer, gradient * a.sigmoid(), shape)
        return energy, self.visible + gradient


def unpooled(y: Tensor, index: Tensor, shape: torch.Size) -> Tensor:
    """Put values ``(n, c, h, w)`` back where pooling found them in maps of ``shape``; the rest is zero."""
    flat = y.new_zeros(len(y), shape[0], shape[1] * shape[2])
    return torch.unflatten(flat.scatter(2, index.flatten(2), y.flatten(2)), 2, shape[1:])


def transposed(layer: nn.Module, y: Tensor, shape: torch.Size) -> Tensor:
    """Apply the transposed layer without its bias to ``y``, of the layer's output shape; ``shape``: of its input."""
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    if isinstance(layer, nn.Linear):
        return torch.unflatten(row_linear(y, layer.weight.T), 1, shape)
    _, height, width = shape
    # "same" padding of a 3 x 3 kernel of stride 2: one pixel before and after an odd length, one after an even length
    x = conv_transpose2d(y, layer.weight, stride=2, padding=(height % 2, width % 2))
    return x[:, :, :height, :width]


def pooling(shape: tuple[int, ...], width: int, units: int) -> list[nn.Module]:
    """ALAD's port: a 3 x 3 convolution of stride 2, pooling of 2 x 2, a dense layer."""
    height, columns = pyramid((shape[1], shape[2]), levels=2)[-1]
    pool = nn.MaxPool2d(2, ceil_mode=True, return_indices=True)
    return [SameConv2d(shape[0], width, 3, 2), pool, RowLinear(width * height * columns, units)]


def convolutional(shape: tuple[int, ...], width: int, units: int) -> list[nn.Module]:
    """3 x 3 convolutions of stride 2 with 1, 2, 4, 4, ... times ``width`` channels to 4 x 4, and a dense layer."""
    channels, *size = shape
    sizes = pyramid((size[0], size[1]), until=4, levels=3)
    widths = [channels, *(width * min(2**i, 4) for i in range(len(sizes) - 1))]
    convolutions = [SameConv2d(a, b, 3, 2) for a, b in zip(widths, widths[1:])]
    height, width = sizes[-1]
    return [*convolutions, RowLinear(widths[-1] * height * width, units)]
