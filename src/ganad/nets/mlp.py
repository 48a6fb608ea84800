"""Dense networks for tables and codes."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, erf, nn
from torch.nn.functional import linear, pad

_ROW = 16  # numbers


def row_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``linear`` of rows ``(n, d)`` whose bits do not depend on the row's place in the batch.

    MKL's kernels for few outputs sum in an order that depends on the address of the row, if rows are not a multiple of
    16 bytes or the weights are transposed. So zeros fill rows up to a multiple of 64 bytes. Who uses the same weights
    often may pass both ``filled``.
    """
    if x.shape[1] == weight.shape[1]:  # else torch says so
        x, weight = filled(x), filled(weight)
    return linear(x.contiguous(), weight.contiguous(), bias)


def filled(x: Tensor) -> Tensor:
    """Rows ``(..., d)`` with zeros up to a multiple of 64 bytes of float32; rows of that length as they are."""
    missing = -x.shape[-1] % _ROW
    return pad(x, (0, missing)) if missing else x


class RowLinear(nn.Linear):
    """A linear layer that uses ``row_linear`` outside of training, where bits matter."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.training else row_linear(x, self.weight, self.bias)


class Cube(nn.Module):
    """Maps standard normal codes to codes that are uniform on (-1, 1)."""

    def forward(self, z: Tensor) -> Tensor:
        return erf(z / math.sqrt(2))


def mlp(
    *sizes: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
    dropout: float = 0.0,
    last: nn.Module | None = None,
) -> nn.Sequential:
    """Linear layers of the given sizes with ``activation`` (and dropout) between them, then ``last``."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers.append(RowLinear(a, b))
        if i < len(sizes) - 2:
            layers.append(activation())
            if dropout:
                layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, *([last] if last is not None else []))
