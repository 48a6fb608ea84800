"""Convolutions with TensorFlow's "same" padding, as in most of the published layer tables, and their transposes.

A stride-2 convolution maps a side n to ceil(n / 2), so every image size has a pyramid. The transposed convolution gets
the size that it must return to.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

Size = tuple[int, int]


def pyramid(size: Size, *, until: int | None = None, levels: int | None = None) -> list[Size]:
    """Sizes from ``size`` down, halved at least ``levels`` times and until no side is longer than ``until``."""
    sizes = [size]
    while (levels is not None and len(sizes) <= levels) or (until is not None and max(sizes[-1]) > until):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def _same_padding(n: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels that "same" padding adds before and after a side of ``n``."""
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """Convolution with output side ceil(n / stride), padded as TensorFlow does: the odd pixel goes last."""

    def forward(self, x: Tensor) -> Tensor:
        (top, bottom), (left, right) = (
            _same_padding(n, k, s) for n, k, s in zip(x.shape[2:], self.kernel_size, self.stride)
        )
        if top == bottom and left == right:
            return nn.functional.conv2d(x, self.weight, self.bias, self.stride, (top, left), 1, self.groups)
        x = nn.functional.pad(x, (left, right, top, bottom))
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


class SameDeconv2d(nn.ConvTranspose2d):
    """The transpose of ``SameConv2d``: maps a side ceil(n / stride) back to n, for the ``size`` given."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, size: Size, *, bias: bool = True):
        super().__init__(c_in, c_out, kernel, stride, bias=bias)
        self.size = size

    def forward(self, x: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        (top, bottom), (left, right) = (
            _same_padding(n, k, s) for n, k, s in zip(self.size, self.kernel_size, self.stride)
        )
        padding = (min(top, bottom), min(left, right))
        x = nn.functional.conv_transpose2d(x, self.weight, self.bias, self.stride, padding)
        return x[:, :, : self.size[0], : self.size[1]]


class Reshape(nn.Module):
    """Flat features ``(n, c h w)`` as maps ``(n, c, h, w)``."""

    def __init__(self, channels: int, size: Size):
        super().__init__()
        self.channels, self.size = channels, size

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.channels, *self.size)
