"""The networks of a detector, by player."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn

if TYPE_CHECKING:

    class Network(nn.Module):
        """A network as a method sees it. A call gives one tensor; its parts have the types that its class declares.

        A network made of others holds them by name or place. A network with several results is typed as ``nn.Module``.
        """

        def __call__(self, *inputs: Tensor) -> Tensor: ...
        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, name: str | int) -> Network: ...

else:
    Network = nn.Module


class Players(nn.ModuleDict):
    """The networks by player; ``players.encoder`` and ``players["encoder"]`` are the same."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Network: ...
        def __getitem__(self, name: str) -> Network: ...

    def placed(self, device: torch.device, *, channels_last: bool) -> Self:
        """The networks on a device, those for images with channels last in memory."""
        nets = self.to(device)
        return nets.to(memory_format=torch.channels_last) if channels_last else nets  # type: ignore[call-overload]
