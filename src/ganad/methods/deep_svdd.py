"""Deep SVDD, deep support vector data description.

L. Ruff et al., "Deep one-class classification", ICML 2018; code lukasruff/Deep-SVDD-PyTorch.

A network is trained to map normal samples close to one point c; the distance from it is the score. First the network
is the encoder of an autoencoder, and c is the mean of its codes then.

    hard   mean ||phi(x) - c||^2
    soft   R^2 + 1/nu mean max(0, ||phi(x) - c||^2 - R^2), R^2: the (1 - nu)-quantile of a batch's distances
    score  ||phi(x) - c||^2 (- R^2 for soft)

No layer has a bias and batch norm has no shift, or the network could map everything to c. Coordinates of c near zero
are moved to +-0.1, which a bias-free network could reach by killing a unit.

Differs from the official code:
- Any image size; pixels in [-1, 1] instead of per-image contrast normalisation scaled by per-class constants.
- The network for tables is ours.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..detector import Batches, Detector, Updates
from ..losses import per_sample
from ..nets import Reshape
from ..training import TrainingSet

_LEAST = 0.1  # of a coordinate of the centre


class DeepSVDD(Detector):
    """Map normal samples to one point; the distance from it is the score."""

    objective: Literal["hard", "soft"] = "hard"  #: all samples pulled to the centre, or a ball with outliers
    nu: float = 0.1  #: share of the training data that may lie outside the ball (soft)
    warm_up: float = 0.1  #: share of the epochs before the ball's radius is fitted (soft)
    pretrain_epochs: int = 20  #: epochs of the autoencoder
    latent_dim: int = 32  #: size of the code
    hidden: tuple[int, ...] = (64, 32)  #: widths of the layers (tables)
    lr: float = 1e-4  #: step size of Adam
    betas: tuple[float, float] = (0.9, 0.999)  #: decay rates of Adam's two moments
    weight_decay: float = 5e-7  #: L2 penalty of the weights
    batch_size: int = 128  #: samples a training step draws
    epochs: int = 50  #: passes over the training set

    PRESETS = {
        "mnist": dict(latent_dim=32, pretrain_epochs=150, epochs=150, batch_size=200),
        "cifar10": dict(latent_dim=128, pretrain_epochs=350, epochs=150, batch_size=200),
    }

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        if len(shape) == 1:
            encoder, decoder = dense(shape[0], self.hidden, self.latent_dim)
            return dict(network=Ball(encoder), decoder=decoder)
        encoder, decoder = convolutional(shape, self.latent_dim)
        return dict(network=Ball(encoder), decoder=decoder)

    def optimizer(self, player: str, params: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(params, self.lr, self.betas, weight_decay=self.weight_decay, fused=True)

    def train(self, x: TrainingSet) -> None:
        self.run(self.pretrain_step, x, epochs=self.pretrain_epochs, early_stopping=False)
        centre = self.map_batches(self.nets_.network, x).float().mean(0)
        sign = torch.where(centre < 0, -1.0, 1.0)
        self.centre_ = torch.where(centre.abs() < _LEAST, _LEAST * sign, centre).cpu()
        self.run(self.svdd_step, x, update=("network",))

    def pretrain_step(self, batches: Batches) -> Updates:
        x = next(batches)
        loss = per_sample((x - self.nets_.decoder(self.nets_.network(x))).square()).mean()
        yield "network", dict(reconstruction=loss)
        loss = per_sample((x - self.nets_.decoder(self.nets_.network(x).detach())).square()).mean()
        yield "decoder", dict(reconstruction=loss)

    def svdd_step(self, batches: Batches) -> Updates:
        distance = self.distance(next(batches))
        radius = self.nets_.network.radius2
        if self.objective == "hard":
            yield "network", dict(distance=distance.mean())
            return
        yield "network", dict(outside=(distance - radius).clamp_min(0).mean() / self.nu)
        if batches.progress >= self.warm_up * self.epochs:
            radius.copy_(distance.detach().quantile(1 - self.nu))

    def distance(self, x: Tensor) -> Tensor:
        """Squared distance of the codes from the centre, ``(n,)``."""
        return (self.nets_.network(x).float() - self.centre_.to(x.device)).square().sum(1)

    def score_batch(self, x: Tensor) -> Tensor:
        distance = self.distance(x)
        return distance if self.objective == "hard" else distance - self.nets_.network.radius2


class Ball(nn.Module):
    """The network and the squared radius, a buffer so that it is saved and resumed with the weights."""

    radius2: Tensor

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body
        self.register_buffer("radius2", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def dense(d: int, hidden: tuple[int, ...], latent_dim: int) -> tuple[nn.Module, nn.Module]:
    """Bias-free layers for tables, and their mirror image."""

    def layers(*sizes: int) -> nn.Module:
        parts: list[nn.Module] = []
        for a, b in zip(sizes, sizes[1:]):
            parts += [nn.Linear(a, b, bias=False), nn.LeakyReLU(0.01)]
        return nn.Sequential(*parts[:-1])

    return layers(d, *hidden, latent_dim), layers(latent_dim, *hidden[::-1], d)


def convolutional(shape: tuple[int, ...], latent_dim: int) -> tuple[nn.Sequential, nn.Sequential]:
    """5 x 5 convolutions and pooling: 8 and 4 channels for grey images, 32, 64 and 128 for colour."""
    channels, height, width = shape
    widths = [8, 4] if channels == 1 else [32, 64, 128]

    def conv(a: int, b: int) -> list[nn.Module]:
        layer = nn.Conv2d(a, b, 5, padding=2, bias=False)
        nn.init.xavier_uniform_(layer.weight, gain=nn.init.calculate_gain("leaky_relu", 0.01))
        return [layer, nn.BatchNorm2d(b, eps=1e-4, affine=False), nn.LeakyReLU(0.01)]

    sizes = [(height, width)]
    down: list[nn.Module] = []
    for a, b in zip([channels, *widths], widths):
        down += [*conv(a, b), nn.MaxPool2d(2)]
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes[-1]
    flat = widths[-1] * h * w
    up: list[nn.Module] = [nn.Linear(latent_dim, flat, bias=False), Reshape(widths[-1], (h, w)), nn.LeakyReLU(0.01)]
    for a, b, size in zip(widths[::-1], [*widths[-2::-1], widths[0]], sizes[-2::-1]):
        up += [nn.Upsample(size), *conv(a, b)]
    last = nn.Conv2d(widths[0], channels, 5, padding=2, bias=False)
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, latent_dim, bias=False))
    return encoder, nn.Sequential(*up, last, nn.Tanh())
