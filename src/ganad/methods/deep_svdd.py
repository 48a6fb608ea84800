"""Deep SVDD, deep support vector data description.

L. Ruff et al., "Deep one-class classification", ICML 2018; code lukasruff/Deep-SVDD-PyTorch.

A network learns to map normal samples close to one point c. The distance from c is the score. The network is first
trained as the encoder of an autoencoder, and c is the mean of its codes after that.

    hard   mean ||phi(x) - c||^2
    soft   R^2 + 1/nu mean max(0, ||phi(x) - c||^2 - R^2), R^2: the (1 - nu)-quantile of a batch's distances
    score  ||phi(x) - c||^2 (- R^2 for soft)

Layers have no bias and batch norm has no shift, because either would let the network map everything to c. Coordinates
of c near zero are moved to +-0.1, because a network without biases could reach zero by switching a unit off.

Differs from the official code:
- Images may have any size, and the decoder begins with a dense layer. Convolutions begin by Xavier's rule for grey
  images too, where the code has PyTorch's. For colour the code's autoencoder has batch norm without shift and scale on
  the codes; here it has none.
- Pixels are in [-1, 1] and the output is a tanh. The code has [0, 1] and a sigmoid.
- ``contrast="l1"``, in the presets, normalises each image's contrast. The decoder's last layer is then linear, so it
  does not need the constants per class by which the code scales the result to [0, 1].
- R^2 is fitted to the whole training set at the end. The code keeps the last batch's.
- The defaults take fewer and larger steps than the code, for small data sets. The presets do not.
- The network for tables is ours. Its input is mapped to [-1, 1] by the training range. A network without biases is
  nearly linear along a ray, so in standard deviations the few long rows set the loss and the centre. Over fourteen
  development tables the mean AUROC is .77 with the range and .70 with standard deviations.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..detector import Batches, NetworkDetector, Updates
from ..losses import per_sample
from ..nets import Layer, RowLinear
from ..nets.deep_svdd import convolutional, normalised
from ..settings import Count
from ..training import Adam, TrainingSet

_LEAST = 0.1  # least absolute value of a coordinate of the centre

_CODE = dict(contrast="l1", lr=1e-4, batch_size=200, epochs=150, lr_milestone=1 / 3)


class DeepSVDD(NetworkDetector):
    """Map normal samples to one point; the distance from it is the score."""

    objective: Literal["hard", "soft"] = "hard"  #: pull all samples to the centre, or fit a ball that allows outliers
    nu: float = 0.1  #: share of the training data that may lie outside the ball (soft)
    warm_up: float = 0.1  #: share of the epochs before the ball's radius is fitted (soft)
    contrast: Literal["none", "l1"] = "none"  #: normalise each image's contrast
    pretrain_epochs: int | None = None  #: passes of the autoencoder; None: 2/5 of those of the ball
    pretrain_weight_decay: float = 5e-7  #: L2 penalty of the autoencoder's weights
    pretrain_lr_milestone: float = 1.0  #: share of the autoencoder's epochs after which its step size falls to a tenth
    latent_dim: Count = 32  #: size of the code
    hidden: tuple[int, ...] = (64, 32)  #: widths of the layers (tables)
    lr: float = 1e-3  #: step size of Adam
    lr_milestone: float = 1.0  #: share of the epochs after which the step size falls to a tenth
    betas: tuple[float, float] = (0.9, 0.999)  #: decay rates of Adam's two moments
    weight_decay: float = 5e-7  #: L2 penalty of the weights
    batch_size: int = 128  #: samples a training step draws
    updates: Count = 500  #: batches that a fit trains on where ``epochs`` is None
    scaling: Literal["auto", "minmax", "standard", "none", "contrast"] = "minmax"  #: of the input

    LEAST_EPOCHS = (5, 50)
    PRESETS = {
        "mnist": _CODE
        | dict(latent_dim=32, pretrain_epochs=150, pretrain_weight_decay=5e-4, pretrain_lr_milestone=1 / 3),
        "cifar10": _CODE | dict(latent_dim=128, pretrain_epochs=350, pretrain_lr_milestone=5 / 7),
    }
    LEARNS = {"centre_": "torch.float32[latent_dim]"}

    def build_table(self, d: int) -> dict[str, nn.Module]:
        return dict(network=Ball(*dense(d, self.hidden, self.latent_dim)))

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        encoder, decoder = convolutional(shape, self.latent_dim)
        decoder = decoder if self.contrast == "none" else nn.Sequential(*list(decoder)[:-1])
        return dict(network=Ball(encoder, decoder))

    def optimizer(self, player: str, params: list[nn.Parameter]) -> torch.optim.Optimizer:
        decay = self.pretrain_weight_decay if self._pretraining else self.weight_decay
        return Adam(params, self.lr, self.betas, weight_decay=decay)

    def lr_factor(self, player: str, epoch: float, iteration: int) -> float:
        if self._pretraining:
            return 0.1 if epoch >= self.pretrain_lr_milestone * self.passes_alone else 1.0
        return 0.1 if epoch >= self.lr_milestone * self.passes else 1.0

    @property
    def passes_alone(self) -> int:
        """Passes of the autoencoder that this fit makes."""
        return round(0.4 * self.passes) if self.pretrain_epochs is None else self.pretrain_epochs

    def train(self, x: TrainingSet) -> None:
        self._pretraining = True
        self.run(self.pretrain_step, x, epochs=self.passes_alone, early_stopping=False)
        self._pretraining = False
        centre = self.map_batches(self.codes, x).mean(0)
        sign = torch.where(centre < 0, -1.0, 1.0)
        self.centre_ = torch.where(centre.abs() < _LEAST, _LEAST * sign, centre).cpu()
        self.run(self.svdd_step, x)
        if self.objective == "soft":
            self.nets_.network.radius2.copy_(self.map_batches(self.distance, x).quantile(1 - self.nu))

    def pretrain_step(self, batches: Batches) -> Updates:
        x = self._input(next(batches))
        network = self.nets_.network
        loss = per_sample((x - network.decoder(network(x))).square()).mean()
        yield "network", dict(reconstruction=loss)

    def svdd_step(self, batches: Batches) -> Updates:
        distance = self.distance(next(batches))
        radius2 = self.nets_.network.radius2
        if self.objective == "hard":
            yield "network", dict(distance=distance.mean())
            return
        yield "network", dict(radius=radius2, outside=(distance - radius2).clamp_min(0).mean() / self.nu)
        if batches.progress >= self.warm_up * self.passes:
            radius2.copy_(distance.detach().quantile(1 - self.nu))

    def codes(self, x: Tensor) -> Tensor:
        return self.nets_.network(self._input(x)).float()

    encode_batch = codes

    def distance(self, x: Tensor) -> Tensor:
        """Squared distance of the codes from the centre, ``(n,)``."""
        return (self.codes(x) - self.centre_.to(x.device)).square().sum(1)

    def score_batch(self, x: Tensor) -> Tensor:
        distance = self.distance(x)
        return distance if self.objective == "hard" else distance - self.nets_.network.radius2

    def _input(self, x: Tensor) -> Tensor:
        return x if self.contrast == "none" or x.ndim == 2 else normalised(x)


class Ball(nn.Module):
    """The network, the decoder that pretrains it, and the squared radius.

    It is one player, so that pretraining is one step. The radius is a buffer, so that a checkpoint holds it.
    """

    encoder: Layer
    radius2: Tensor

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("radius2", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.encoder(x)


def dense(d: int, hidden: tuple[int, ...], latent_dim: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Bias-free layers for tables, and their mirror image."""

    def layers(*sizes: int) -> nn.Sequential:
        parts: list[nn.Module] = []
        for a, b in zip(sizes, sizes[1:]):
            parts += [RowLinear(a, b, bias=False), nn.LeakyReLU(0.01)]
        return nn.Sequential(*parts[:-1])

    return layers(d, *hidden, latent_dim), layers(latent_dim, *hidden[::-1], d)
