"""Layers that several papers share, with the constants of their framework."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

#: The type of a part of a network, because ``nn.Module`` does not declare the result of a call.
Layer = Callable[..., Tensor]


def leaky_fifth() -> nn.Module:
    """A leaky rectifier with a slope of 1/5 below zero, as in DCGAN."""
    return nn.LeakyReLU(0.2)


def leaky_tenth() -> nn.Module:
    """A leaky rectifier with a slope of 1/10 below zero."""
    return nn.LeakyReLU(0.1)


def keras_norm1d(features: int, momentum: float = 0.01) -> nn.Module:
    """Batch norm of rows ``(n, features)`` with the defaults of Keras and TensorFlow: decay .99, eps 1e-3.

    momentum: in PyTorch's sense, one minus the decay.
    """
    return nn.BatchNorm1d(features, eps=1e-3, momentum=momentum)


def keras_norm2d(channels: int, momentum: float = 0.01) -> nn.Module:
    """``keras_norm1d`` for maps ``(n, channels, h, w)``."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum)
