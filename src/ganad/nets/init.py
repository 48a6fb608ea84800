"""Weight initialisations of the papers, for ``module.apply``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

_WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def _weights(fill: Callable[[Any], object]) -> Callable[[nn.Module], None]:
    def apply(module: nn.Module) -> None:
        if isinstance(module, _WEIGHTED):
            fill(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    return apply


def normal_init(sd: float) -> Callable[[nn.Module], None]:
    """Weights N(0, sd^2), biases 0."""
    return _weights(lambda w: nn.init.normal_(w, 0.0, sd))


def dcgan_init(module: nn.Module) -> None:
    """DCGAN: weights N(0, 0.02^2), batch norm scale N(1, 0.02^2), all shifts 0."""
    normal_init(0.02)(module)
    if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


#: He's, for ReLU: N(0, 2 / fan_in), biases 0.
he_normal = _weights(lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"))

#: Keras' "glorot_normal" (up to its truncation) and "glorot_uniform", biases 0.
glorot_normal = _weights(nn.init.xavier_normal_)
xavier_uniform = _weights(nn.init.xavier_uniform_)


def start_anew(module: nn.Module) -> None:
    """Reset a network to its state before training: dense layers by PyTorch's own rule, all others by DCGAN's."""
    if isinstance(module, nn.Linear):
        module.reset_parameters()
    else:
        dcgan_init(module)
