"""The networks of a detector, by player."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn


class Players(nn.ModuleDict):
    """The networks by player; ``players.encoder`` and ``players["encoder"]`` are the same."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def placed(self, device: torch.device, *, channels_last: bool) -> Self:
        """The networks on a device, those for images with channels last in memory."""
        nets = self.to(device)
        return nets.to(memory_format=torch.channels_last) if channels_last else nets  # type: ignore[call-overload]
