"""Spectral normalisation that is frozen, and therefore repeatable, outside of training."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SpectralNorm(nn.Module):
    """A linear or convolutional layer divided by its weight's largest singular value.

    In training each forward pass makes one power iteration, in eval mode none. T. Miyato et al., ICLR 2018. The layer's
    output is divided instead of its weight. The result is the same, and the layer stays an ordinary one.
    """

    u: Tensor

    def __init__(self, layer: nn.Linear | nn.Conv2d):
        super().__init__()
        self.layer, self.bias = layer, layer.bias
        layer.bias = None
        self.register_buffer("u", nn.functional.normalize(torch.randn(layer.weight.shape[0]), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            weight = self.layer.weight.flatten(1)
            with torch.no_grad():
                v = nn.functional.normalize(weight.T @ self.u, dim=0)
                u = nn.functional.normalize(weight @ v, dim=0)
                if self.training:
                    self.u.copy_(u)
            sigma = u @ weight @ v
        out: Tensor = self.layer(x) / sigma
        if self.bias is None:
            return out
        return out + (self.bias if x.ndim == 2 else self.bias[:, None, None])
