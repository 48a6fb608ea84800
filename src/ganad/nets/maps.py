"""What a view of photos asks of a network: maps of vectors, and where their positions lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn


class Maps(nn.Module):
    """A network as a view of photos sees it: photos ``(1, 3, H, W)`` from 0 to 1 become maps ``(1, C, h, w)``."""

    stride: int  #: pixels from one position of the finest map to the next
    step: int  #: positions of all maps coincide every so many pixels
    multiple: int = 1  #: the sides of photos must be multiples of it
    size: tuple[int, int] | None = None  #: height and width of the only photos that it takes; None: any

    if TYPE_CHECKING:

        def __call__(self, x: Tensor) -> list[Tensor]: ...
