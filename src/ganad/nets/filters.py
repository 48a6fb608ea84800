"""A bank of fixed filters as a view of photos: edges and lines, which need no training and no weights.

Banks of this kind describe textures: T. Leung and J. Malik, "Representing and recognizing the visual appearance of
materials", IJCV 43, 2001; M. Varma and A. Zisserman, "A statistical approach to texture classification", IJCV 62, 2005.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d, pad

from .maps import Maps

_STRIDE = 8
_OCTAVES = 4  # sizes: each is twice the one before; the coarsest has a pixel for each position
_DIRECTIONS = 4
_WIDTH = 7  # of a filter, in pixels of its octave
_SIGMA = 1.0
_GREY = 2e-3  # half a grey value, to which the logarithm is blind


class Filters(Maps):
    """How strong edges and lines are at each position, in four directions and four sizes, and how bright it is.

    Photos ``(1, 3, H, W)`` from 0 to 1 become one map ``(1, 59, H / 8, W / 8)``, rounded up. Its channels are the mean
    brightness and two colours, then for each octave logarithms of the filters' absolute responses to the brightness:
    their means over the position, and, where it has more than one pixel, their maxima, which a fine scratch moves most.
    """

    stride = step = _STRIDE
    bank: Tensor
    blur: Tensor

    def __init__(self) -> None:
        super().__init__()
        with torch.device("cpu"):  # a network is made without its weights, on the meta device; these are no weights
            binomial = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8  # even, so that every octave is centred on the positions
            self.register_buffer("bank", _bank(), persistent=False)
            self.register_buffer("blur", (binomial[:, None] * binomial)[None, None], persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        below, beside = (-side % _STRIDE for side in x.shape[2:])
        x = pad(x, (0, beside, 0, below), mode="replicate")
        means = avg_pool2d(x, _STRIDE)
        red, green, blue = (means[:, i : i + 1] for i in range(3))
        maps = [(red + green + blue) / 3, red - green, blue - (red + green) / 2]
        grey = x.mean(1, keepdim=True)
        for octave in range(_OCTAVES):
            if octave:
                grey = conv2d(_widened(grey, 1), self.blur, stride=2)
            found, size = conv2d(_widened(grey, _WIDTH // 2), self.bank).abs(), _STRIDE >> octave
            maps.append((avg_pool2d(found, size) + _GREY).log())
            if size > 1:
                maps.append((max_pool2d(found, size) + _GREY).log())
        return [torch.cat(maps, 1)]


def _widened(x: Tensor, by: int) -> Tensor:
    return pad(x, (by, by, by, by), mode="replicate")


def _bank() -> Tensor:
    """First and second derivatives of elongated Gaussians across each direction ``(8, 1, 7, 7)``.

    Each has the mean 0, so that brightness does not count, and absolute values of sum 1.
    """
    at = torch.arange(_WIDTH, dtype=torch.float64) - _WIDTH // 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    filters = []
    for k in range(_DIRECTIONS):
        cos, sin = math.cos(math.pi * k / _DIRECTIONS), math.sin(math.pi * k / _DIRECTIONS)
        across, along = (x * cos + y * sin) / _SIGMA, (y * cos - x * sin) / (2 * _SIGMA)
        bell = torch.exp(-(across**2 + along**2) / 2)
        for values in (across * bell, (across**2 - 1) * bell):
            values = values - values.mean()
            filters.append(values / values.abs().sum())
    return torch.stack(filters)[:, None].float()
