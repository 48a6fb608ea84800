"""Trivial scores, for comparison with real methods.

On KDD99, split as in the papers, minus one column reaches an F1 of .93, and an untrained network about as much. A table
without such rows says little about what its networks have learnt.

    constant    0
    random      a fixed, meaningless function of the sample
    column      one column or pixel, times ``sign``
    brightness  mean of the columns or pixels, times ``sign``
    distance    ||x - mean of the training set||
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


class Trivial(Detector):
    """A baseline without learning."""

    variant: Literal["constant", "random", "column", "brightness", "distance", "untrained"] = "distance"  #: the score
    column: int = 0  #: which column or pixel, counted along rows
    sign: float = 1.0  #: -1 makes scores high where the value is low
    LEARNS = {"center_": "float64[d]", "directions_": "float64[d]"}

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
        self.directions_ = np.random.default_rng(torch.initial_seed() % 2**31).normal(size=len(self.center_))

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
        x = x.flatten(1)
        return per_sample((x - self.nets_["untrained"](x)).square())
