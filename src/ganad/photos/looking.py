"""Looking at photos: the regions of each, their scores, and what is made of them.

``Regions`` is this and the fit. Regions of a photo become rows of the inner detector here, the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .. import devices
from ..detector import Detector
from ..errors import InputError, NotSupported
from ..nets.maps import Maps
from ..nets.players import Players
from .backbone import Backbone
from .cells import Cells, centres, numbered
from .found import Finding, Region, regions_above
from .looks import AT_ONCE, Look, Waiting
from .part import Part
from .pool import pooled
from .sequence import as_photos, check_photo, naming
from .tiles import Tiles
from .view import Grid
from .whitening import Whitening


class Looking:
    """The scores, maps and regions of photos by an inner detector that is fitted."""

    detector: Detector | None
    view: Tiles | Backbone
    pool: str
    whiten: str
    threads: int | None

    device_: torch.device
    nets_: Players
    inner_: Detector  #: the inner detector, fitted
    channels_: int  #: of the photos, 1 or 3
    backbone_sha256_: str | None  #: of the backbone's file of weights
    part_: np.ndarray  #: ``(H, W)``, True in the part that is looked at, where there is an image of it
    map_threshold_: float  #: what lies above it in a map is a region that stands out
    whitening_: Whitening | None  #: of the vectors that the inner detector sees
    looked_at_: Part | None  #: what is looked at of every photo; None: all

    def region_scores(self, X: Any) -> Iterator[tuple[Grid, np.ndarray]]:
        """For each photo, in order, the grid of its regions and their scores ``(rows, columns)``, float64.

        NaN is the score of regions whose centres lie outside the part that is looked at.
        They stream: memory holds the regions of one photo at most. Raises InputError for unusable photos.
        """
        return ((look.grid, look.scores) for look in self._looks(X, detail=False))

    def _looks(self, X: Any, *, detail: bool) -> Iterator[Look]:
        """A look at each photo, in order; ``detail``: with the scores of the positions in its cells."""
        check_is_fitted(self, "inner_")
        detail = detail and self.view.in_detail and not self.inner_.NO_FORWARD_PASS
        done: list[Look] = []
        waiting = Waiting(self.inner_)
        photos = as_photos(X)
        for i, photo in enumerate(photos):
            with naming(photos, i):
                done.append(self._look(photo, i, None if detail else waiting))
            if waiting.count == 0 or waiting.count >= AT_ONCE:
                waiting.score()
                yield from done
                done = []
        waiting.score()
        yield from done

    def _look(self, photo: np.ndarray, number: int, waiting: Waiting | None) -> Look:
        """A look at one photo; its scores come when ``waiting`` is scored, or at once and in detail without it."""
        check_photo(photo, number, self.channels_)
        seen, inside = self._seen(photo, number)
        if waiting is None:
            return self._in_detail(photo.shape, seen, inside)
        grid = self._grid(seen.shape)
        scores = np.full(grid.shape, np.nan)
        for numbers, regions in self._blocks(seen, inside):
            waiting.add(self._to_inner(numbers, regions), scores.reshape(-1), numbers)
        return Look(photo.shape, self._moved(grid), scores, scores)

    def _in_detail(self, shape: tuple[int, ...], seen: np.ndarray, inside: np.ndarray | None) -> Look:
        cells, vectors = self._cells(seen, inside), self._vectors(seen)
        found, values = cells.scores(self.inner_, vectors, self.whitening_)
        scores = np.full((cells.side, cells.side), np.nan)
        scores.reshape(-1)[cells.there] = found
        return Look(shape, self._moved(self.view.grid(seen.shape, self._maps)), scores, values)

    def _moved(self, grid: Grid) -> Grid:
        """The grid of what is looked at, in the photo."""
        return grid if self.looked_at_ is None else self.looked_at_.moved(grid)

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Scores of photos ``(n,)``, higher is more anomalous: the pooled scores of their regions.

        A photo's score does not depend on other photos.
        """
        return np.array([pooled(scores, self.pool) for _, scores in self.region_scores(X)])

    def explain(self, X: Any) -> Any:
        """Maps of the region scores, float32: ``(n, H, W)`` for photos of one size, else a list of ``(H, W)``."""
        photos = as_photos(X)
        maps = list(self.maps(photos))
        return np.stack(maps) if len({m.shape for m in maps}) == 1 else maps

    def maps(self, X: Any) -> Iterator[np.ndarray]:
        """The map ``(H, W)`` of each photo's region scores, float32, one at a time."""
        return (finding.heat for finding in self.inspect(X))

    def inspect(self, X: Any) -> Iterator[Finding]:
        """Score, map and standing-out regions of each photo, one at a time; the photos are looked at once."""
        threshold = getattr(self, "map_threshold_", float("inf"))
        for look in self._looks(X, detail=True):
            values = np.where(np.isnan(look.values), np.nanmin(look.values), look.values)
            heat = look.grid.upsampled(values, look.shape)
            heat = heat if self.looked_at_ is None else self.looked_at_.whole(heat)
            yield Finding(pooled(look.scores, self.pool), look.scores, heat, regions_above(heat, threshold))

    def regions(self, photo: np.ndarray) -> list[Region]:
        """The regions of one photo that stand out: boxes, areas and highest scores, the highest first.

        A region is a connected part of the photo's map above ``map_threshold_``. Raises NotSupported for a model file
        of before 0.3, which has no such threshold; ``calibrate`` sets it.
        """
        check_is_fitted(self, "inner_")
        if not hasattr(self, "map_threshold_"):
            raise NotSupported("this model has no threshold for maps; fit it again, or calibrate it at a rate")
        return next(self.inspect([photo])).regions

    def map_samples(self, fn: Callable[[Tensor], Tensor], X: Any) -> np.ndarray:
        """Raises NotSupported, because photos do not form a batch of tensors."""
        raise NotSupported("Regions scores photos by their regions; use anomaly_score, explain or inner_")

    def _measured(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """The score and the highest region score of each photo, ``(n,)`` each."""
        found = [(pooled(look.scores, self.pool), np.nanmax(look.values)) for look in self._looks(X, detail=True)]
        scores, peaks = np.array(found).T
        return scores, peaks

    # -- regions of a photo ---------------------------------------------------------------------------------

    def _seen(self, photo: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """What is looked at of a photo, and which pixels of it are in the part; None: all."""
        part = self.looked_at_
        return (photo, None) if part is None else (part.cut(photo, number), part.inside)

    def _grid(self, shape: tuple[int, ...]) -> Grid:
        """Where the regions of a photo are."""
        if self.view.cells is None:
            return self.view.grid(shape, self._maps)
        return centres(self.view.cells, shape)

    def _cells(self, seen: np.ndarray, inside: np.ndarray | None) -> Cells:
        """The cells of what is looked at of a photo, if the view has cells."""
        grid = self.view.grid(seen.shape, self._maps)
        return Cells(self.view.cells or 1, grid.shape, self.counted(grid, inside))

    def _there(self, seen: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
        """Numbers of the regions of a photo that count."""
        if self.view.cells is not None:
            return self._cells(seen, inside).there
        return np.flatnonzero(self.counted(self.view.grid(seen.shape, self._maps), inside))

    def counted(self, grid: Grid, inside: np.ndarray | None) -> np.ndarray:
        """Which places of a grid count, by number: those with their centres in the part.

        If there are none, InputError; in cells all, because what lies outside is black.
        """
        found = np.ones(grid.shape[0] * grid.shape[1], bool) if inside is None else grid.within(inside)
        if found.any():
            return found
        if self.view.cells is None:
            raise InputError(
                f"no region of {self.view} has its centre in the part that is looked at; take smaller ones"
            )
        return ~found

    def _blocks(self, seen: np.ndarray, inside: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Numbers and regions of what is looked at of a photo, a part at a time."""
        if self.view.cells is not None:
            cells = self._cells(seen, inside)
            yield cells.there, cells.means(self._vectors(seen))
            return
        kept = self.counted(self.view.grid(seen.shape, self._maps), inside)
        yield from ((numbers[kept[numbers]], regions[kept[numbers]]) for numbers, regions in self._all_blocks(seen))

    def _vectors(self, seen: np.ndarray) -> np.ndarray:
        """The vectors ``(n, d)`` of all positions of a photo."""
        numbers, vectors = zip(*self._all_blocks(seen))
        found: np.ndarray = np.concatenate(vectors)[np.argsort(np.concatenate(numbers))]
        return found

    @property
    def _maps(self) -> Maps | None:
        """The view's network, if it has one."""
        return cast(Maps, self.nets_["backbone"]) if isinstance(self.view, Backbone) else None

    def _all_blocks(self, photo: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        blocks, threads = self.view.blocks(photo, self._maps, self.device_), self.threads
        while True:
            # left before each yield, because the caller may never continue
            with devices.use_threads(devices.choose_threads(threads, is_image=True)), devices.deterministic_kernels():
                block = next(blocks, None)
            if block is None:
                return
            yield block

    @property
    def _numbered(self) -> bool:
        """Whether it matters which cell a vector is of."""
        assert self.detector is not None
        return self.whiten == "place" or self.detector.takes_places

    def _to_inner(self, numbers: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """Regions of these numbers as the inner detector takes them."""
        assert self.detector is not None
        if self.whitening_ is not None:
            regions = self.whitening_.apply(regions, numbers)
        return numbered(numbers, regions) if self.detector.takes_places else regions
