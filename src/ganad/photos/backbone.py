"""The feature map of a network that was trained on ImageNet: one vector per position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ..errors import InputError
from ..nets import backbone_weights, backbones
from .view import Block, Grid

CORE = 640  #: side of the window of a large photo whose positions are kept; a multiple of every stride
_HALO = 128  # pixels around it that the network sees as well
_SIDES = (32, 4096)


@dataclass(frozen=True)
class Backbone:
    """Vectors of a frozen network's layers, joined on the grid of the finest layer and averaged over 3 x 3 positions.

    K. Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022 (PatchCore). Layers 1 to 4 have
    strides of 4, 8, 16 and 32 pixels. Photos with a side of more than 640 pixels pass in overlapping windows, so that
    memory is bounded.
    """

    name: str = "efficientnet-lite0"  #: or resnet18, wide-resnet50-2, alexnet
    layers: tuple[int, ...] = (3, 4)  #: whose maps are concatenated; chosen on defects planted in normal photos
    weights: str | None = None  #: file of a state dict; None: EfficientNet-Lite0's, of ganad[backbone]
    side: int | None = None  #: resize photos so that the shorter side has so many pixels; None: as they are
    regions: bool = True  #: a vector a position; False: one a photo, the mean of all positions

    @classmethod
    def named(cls, text: str) -> Backbone:
        """The backbone "NAME" or "NAME:FILE" of the command line."""
        name, colon, file = text.partition(":")
        return cls(name, weights=file if colon else None)

    def check(self) -> None:
        """Raise InputError for settings that cannot work."""
        if self.name not in backbones.NAMES:
            raise InputError(f"Backbone: name={self.name!r} is not one of {', '.join(backbones.NAMES)}")
        known = isinstance(self.layers, tuple) and set(self.layers) <= set(backbones.LAYERS)
        if not known or not self.layers or list(self.layers) != sorted(set(self.layers)):
            raise InputError(f"Backbone: layers={self.layers!r} must be some of 1, 2, 3, 4 in rising order")
        if self.weights is None and self.name != "efficientnet-lite0":
            raise InputError(
                f"Backbone: {self.name} needs a file of weights, torchvision's state dict; on the command line "
                f"--backbone {self.name}:FILE"
            )
        if self.side is not None and not (isinstance(self.side, int) and _SIDES[0] <= self.side <= _SIDES[1]):
            raise InputError(f"Backbone: side={self.side!r} must be a whole number, {_SIDES[0]} to {_SIDES[1]}")

    @property
    def file(self) -> Path:
        """The file with the weights. Raises MissingExtra if the packaged weights are not installed."""
        return backbone_weights.packaged() if self.weights is None else Path(self.weights)

    def bare(self) -> backbones.FeatureMaps:
        """The network, with random weights."""
        return backbones.build(self.name, self.layers)

    def network(self) -> backbones.FeatureMaps:
        """The network with its weights. Raises InputError for a file without them."""
        network = self.bare()
        backbone_weights.read(network, self.file)
        return network

    def grid(self, shape: tuple[int, ...]) -> Grid:
        """The centres of a photo's positions."""
        centres = []
        for side, resized in zip(shape[:2], self.size_of(shape)):
            middles = np.arange(-(-resized // self.stride)) * self.stride + (self.stride - 1) / 2
            centres.append((middles + 0.5) * side / resized - 0.5)
        return Grid(*centres)

    @property
    def stride(self) -> int:
        """Pixels from one position to the next."""
        return int(2 ** (min(self.layers) + 1))

    def blocks(self, photo: np.ndarray, network: nn.Module | None, device: torch.device) -> Iterator[Block]:
        """The vectors ``(n, d)`` of a photo's positions, float32, window by window."""
        assert network is not None
        x = self._prepared(photo, device)
        height, width = x.shape[2:]
        columns = -(-width // self.stride)
        for top in range(0, height, CORE):
            for left in range(0, width, CORE):
                above, before = min(top, _HALO), min(left, _HALO)
                seen = x[:, :, top - above : top + CORE + _HALO, left - before : left + CORE + _HALO]
                found = self.vectors(network, seen)
                found = found[:, above // self.stride :, before // self.stride :]
                found = found[:, : CORE // self.stride, : CORE // self.stride]
                d, rows, wide = found.shape
                numbers = (top // self.stride + np.arange(rows))[:, None] * columns + left // self.stride
                yield (numbers + np.arange(wide)).ravel(), found.reshape(d, -1).T.contiguous().cpu().numpy()

    def vectors(self, network: nn.Module, x: Tensor) -> Tensor:
        """``(d, rows, columns)`` of an image ``(1, 1 or 3, H, W)`` from 0 to 255."""
        with torch.no_grad():
            seen = network((x.float() / 255).expand(-1, 3, -1, -1))
            maps = [avg_pool2d(m, 3, 1, 1, count_include_pad=False) for m in seen]
        finest = maps[0].shape[2:]
        maps = [m if m.shape[2:] == finest else interpolate(m, finest, mode="bilinear") for m in maps]
        return torch.cat(maps, 1)[0]

    def size_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width at which the network sees a photo."""
        height, width = shape[:2]
        if self.side is None:
            return height, width
        factor = self.side / min(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def _prepared(self, photo: np.ndarray, device: torch.device) -> Tensor:
        """A photo as ``(1, 1 or 3, H, W)`` from 0 to 255, at the size that the network sees; bytes if not resized."""
        pixels = torch.from_numpy(np.array(photo)).to(device)  # a copy: pixels of Pillow's are read-only
        x = pixels[None, None] if photo.ndim == 2 else pixels.permute(2, 0, 1)[None]
        return self.fitted(x)

    def fitted(self, x: Tensor) -> Tensor:
        """A photo ``(1, 1 or 3, H, W)`` at the size that the network sees."""
        size = self.size_of(tuple(x.shape[2:]))
        return x if tuple(x.shape[2:]) == size else interpolate(x.float(), size, mode="bilinear", antialias=True)
