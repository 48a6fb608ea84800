"""Dense networks for tables and codes."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn


def mlp(
    *sizes: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
    dropout: float = 0.0,
    last: nn.Module | None = None,
) -> nn.Sequential:
    """Linear layers of the given sizes with ``activation`` (and dropout) between them, then ``last``."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers.append(nn.Linear(a, b))
        if i < len(sizes) - 2:
            layers.append(activation())
            if dropout:
                layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, *([last] if last is not None else []))
