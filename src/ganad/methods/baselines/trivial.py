"""Trivial scores, for comparison with real methods.

On KDD99, split as in the papers, minus one column reaches an F1 of .93, and an untrained network about as much. A table
without such rows says little about what its networks have learnt.

    constant    0
    random      a fixed, meaningless function of the sample
    column      one column or pixel, times ``sign``
    brightness  mean of the columns or pixels, times ``sign``
    distance    ||x - mean of the training set||
    light       Mahalanobis distance of mean and standard deviation of the columns or pixels from those in training:
                what scaling="contrast" leaves out
    untrained   ||x - D(E(x))||^2 of a freshly initialised autoencoder
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ...detector import Detector
from ...errors import InputError
from ...losses import per_sample
from ...nets import mlp
from ...training import TrainingSet

Score = Literal["constant", "random", "column", "brightness", "distance", "light", "untrained"]


class Trivial(Detector):
    """A baseline without learning."""

    variant: Score = "distance"  #: the score
    column: int = 0  #: which column or pixel, counted along rows
    sign: float = 1.0  #: -1 makes scores high where the value is low
    LEARNS = {
        "center_": "float64[d]",
        "directions_": "float64[d]",
        "light_": "float64[2]?",
        "light_precision_": "float64[2, 2]?",
    }

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        d = math.prod(shape)
        if self.variant != "untrained":
            return {}
        return dict(untrained=mlp(d, *(max(1, d // 2), max(1, d // 4), max(1, d // 2)), d))

    def train(self, x: TrainingSet) -> None:
        self.nets_.eval()
        batches = map(x.batch, torch.split(torch.arange(len(x)), 512))
        rows = torch.cat([batch.flatten(1).double().sum(0, keepdim=True) for batch in batches])
        self.center_ = (rows.sum(0) / len(x)).cpu().numpy()
        if self.variant == "column" and not -len(self.center_) <= self.column < len(self.center_):
            raise InputError(f"Trivial: column={self.column} is not one of the {len(self.center_)} columns of the data")
        if self.variant == "light":
            self._learn_light(x)
        self.directions_ = np.random.default_rng(torch.initial_seed() % 2**31).normal(size=len(self.center_))

    def _learn_light(self, x: TrainingSet) -> None:
        parts = [_light(x.batch(index)) for index in torch.split(torch.arange(len(x)), 512)]
        light = torch.cat(parts).cpu().numpy()
        covariance = np.cov(light.T, bias=True)
        # a little of the larger spread, where the two are tied together or one does not vary
        covariance += 1e-6 * (np.trace(covariance) or 1.0) * np.eye(2)
        self.light_, self.light_precision_ = light.mean(0), np.linalg.inv(covariance)

    def score_batch(self, x: Tensor) -> Tensor:
        rows = x.flatten(1).double()
        if self.variant == "constant":
            return 0 * rows[:, 0]
        if self.variant == "column":
            return self.sign * rows[:, self.column]
        if self.variant == "brightness":
            return self.sign * rows.mean(1)
        if self.variant == "random":
            return (1e4 * (rows * torch.as_tensor(self.directions_, device=x.device)).sum(1)).sin()
        if self.variant == "distance":
            return (rows - torch.as_tensor(self.center_, device=x.device)).square().sum(1).sqrt()
        if self.variant == "light":
            center, precision = (torch.as_tensor(a, device=x.device) for a in (self.light_, self.light_precision_))
            off = _light(x) - center
            return ((off @ precision) * off).sum(1).clamp_min(0).sqrt()
        x = x.flatten(1)
        return per_sample((x - self.nets_["untrained"](x)).square())


def _light(x: Tensor) -> Tensor:
    """Mean and standard deviation of the columns or pixels of each sample, ``(n, 2)``."""
    rows = x.flatten(1).double()
    return torch.stack([rows.mean(1), rows.std(1, correction=0)], 1)
