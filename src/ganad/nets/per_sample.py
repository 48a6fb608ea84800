"""Kernels for networks with a separate copy for every sample, as in a search that moves the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class FewPerWeight(TorchFunctionMode):
    """A context that computes transposed convolutions as products, which read every weight once in its own layout.

    Each copy's weights are used for one code, and kernels for batches would spend their time rearranging weights.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.conv_transpose2d and not kwargs and args[6:] in ((), (1, (1, 1))):
            return few_per_weight(*args[:6])
        return func(*args, **(kwargs or {}))


def few_per_weight(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0
) -> Tensor:
    """``conv_transpose2d`` without groups and dilation."""
    stride, padding, extra = (p if isinstance(p, Sequence) else (p, p) for p in (stride, padding, output_padding))
    kernel = weight.shape[2:]
    size = tuple((n - 1) * s - 2 * p + k + e for n, k, s, p, e in zip(x.shape[2:], kernel, stride, padding, extra))
    patches = (x.flatten(2).mT @ weight.flatten(1)).mT  # (n, c_out k k, h w)
    y = nn.functional.fold(patches, size, kernel, stride=stride, padding=padding)
    return y if bias is None else y + bias[:, None, None]
