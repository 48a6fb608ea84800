"""A fitted ``Regions`` for photos of one size as one network that can be exported: view, inner score, pooling."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import NotSupported
from ..nets.maps import Maps
from ..nets.onnx_maps import OnnxMaps, Placeholder
from .backbone import Backbone
from .cells import Cells
from .pool import pooled_tensor
from .regions import Regions
from .tiles import Tiles, padding_of


class PhotoScorer(nn.Module):
    """A photo ``(1, H, W[, 3])`` from 0 to 255 to its score ``(1,)``, its verdict, and its regions' scores.

    Those are ``(rows, columns)``, NaN outside the part that is looked at. Raises NotSupported where the score of the
    inner detector is no forward pass, or the photo is larger than a backbone's window; InputError for other sizes that
    cannot be.
    """

    kept: Tensor
    places: Tensor
    down: Tensor | None  #: which rows of positions the cells have, where the view has cells
    across: Tensor | None  #: which columns
    counts: Tensor | None  #: which positions count
    total: Tensor | None  #: positions in the cells
    numbers: Tensor | None  #: of the cells

    def __init__(self, regions: Regions, shape: tuple[int, int]):
        super().__init__()
        inner, view = regions.inner_, regions.view
        if inner.NO_FORWARD_PASS:
            raise NotSupported(f"the score of {type(inner).__name__} cannot be exported: {inner.NO_FORWARD_PASS}")
        self.regions, self.nets = regions, inner.nets_
        self.shape = (*shape, regions.channels_)[: 2 + (regions.channels_ == 3)]
        seen, inside = regions._seen(np.zeros(self.shape, np.uint8), 0)
        self.network = network = regions._maps
        if isinstance(view, Backbone) and network is not None:
            size = view.size_of(seen.shape, network)
            if max(size) > (most := view.core_of(network)):
                raise NotSupported(
                    f"photos of {shape[1]} x {shape[0]} pixels pass the backbone in several windows, which one graph "
                    f"does not hold; export for at most {most} pixels a side, or fit with Backbone(side=...) or a crop"
                )
            if isinstance(network, OnnxMaps):
                self.network = Placeholder(network, size)
        grid = view.grid(seen.shape, network)
        kept = regions.counted(grid, inside)
        self.seen_shape, self.grid_shape = seen.shape, grid.shape
        cells = None
        if view.cells is not None:
            cells = Cells(view.cells, grid.shape, kept)
            kept = np.isin(np.arange(view.cells**2), cells.there)
            self.grid_shape = (view.cells, view.cells)
        for name in ("down", "across", "counts", "total"):
            self._keep(name, None if cells is None else torch.from_numpy(getattr(cells, name)))
        self._keep("numbers", None if cells is None else torch.from_numpy(cells.there.astype(np.float32))[:, None])
        self._keep("kept", torch.from_numpy(np.flatnonzero(kept)))
        # of each place of the grid the number of its score, or of the NaN behind the last one
        number = np.where(kept, np.cumsum(kept) - 1, kept.sum())
        self._keep("places", torch.from_numpy(number))
        self._keep("inside", None if inside is None else torch.from_numpy(inside))

    def _keep(self, name: str, values: Tensor | None) -> None:
        """As a buffer, unless it is None: torch.export miscounts buffers that are."""
        if values is None:
            setattr(self, name, None)
        else:
            self.register_buffer(name, values)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        regions, inner = self.regions, self.regions.inner_
        z = self._regions(x)
        z = z[self.kept] if self.down is None else self._means(z)
        if regions.whitening_ is not None:
            z = regions.whitening_.traced(z, self.numbers)
        z = torch.cat([self.numbers, z], 1) if self.numbers is not None and inner.takes_places else z
        scores = inner.score_batch(inner.input_.to_network(z)).double()
        score = pooled_tensor(scores, regions.pool).reshape(1)
        full = torch.cat([scores, torch.full_like(scores[:1], torch.nan)])
        heat = full[self.places].reshape(self.grid_shape)
        # NaN is no good sign
        return score.float(), ~(score <= regions.threshold_), heat.float()

    def _means(self, z: Tensor) -> Tensor:
        """The vectors of the cells, as ``Cells.means`` of NumPy's arrays."""
        assert self.down is not None and self.across is not None and self.counts is not None and self.total is not None
        grid = z.double().reshape(*self.counts.shape, -1) * self.counts[..., None]
        rows = torch.einsum("jc,rcd->rjd", self.across, grid)  # all in one would become the dense matrix of all cells
        sums = torch.einsum("ir,rjd->ijd", self.down, rows).reshape(-1, z.shape[1])
        return (sums[self.kept] / self.total[:, None]).float()

    def completed(self, model: Any) -> Any:
        """The ONNX model of this network, with the operators of a backbone that is an ONNX file itself."""
        return self.network.replaced(model) if isinstance(self.network, Placeholder) else model

    def _regions(self, x: Tensor) -> Tensor:
        part = self.regions.looked_at_
        top, left = (0, 0) if part is None else (part.top, part.left)
        x = x[:, top : top + self.seen_shape[0], left : left + self.seen_shape[1]]
        if isinstance(self.inside, Tensor):
            x = torch.where(self.inside if x.ndim == 3 else self.inside[..., None], x, 0.0)
        view = self.regions.view
        return self._tiles(x, view) if isinstance(view, Tiles) else self._vectors(x, view)

    def _vectors(self, x: Tensor, view: Backbone) -> Tensor:
        x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
        network = cast(Maps, self.network)
        found = view.vectors(network, view.fitted(x, network))
        return found.flatten(1).T

    def _tiles(self, x: Tensor, view: Tiles) -> Tensor:
        x = x if x.ndim == 4 else x.unsqueeze(-1)
        (above, below), (before, after) = (padding_of(side, view.size) for side in self.seen_shape[:2])
        if above or below or before or after:
            x = nn.functional.pad(x.permute(0, 3, 1, 2), (before, after, above, below), mode="reflect")
            x = x.permute(0, 2, 3, 1)
        tops, lefts = (torch.from_numpy(view.starts(side)) for side in self.seen_shape[:2])
        span = torch.arange(view.size)
        rows, columns = ((at[:, None] + span).reshape(-1).to(x.device) for at in (tops, lefts))
        tiles = x[0].index_select(0, rows).index_select(1, columns)
        tiles = tiles.reshape(len(tops), view.size, len(lefts), view.size, -1).permute(0, 2, 1, 3, 4)
        tiles = tiles.reshape(-1, view.size, view.size, tiles.shape[-1])
        return tiles if len(self.seen_shape) == 3 else tiles.squeeze(-1)
