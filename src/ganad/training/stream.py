"""The training samples, and endless shuffled batches of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..arrays import DiskRows, is_on_disk
from ..seeds import seed_from
from .ranks import Slices, ranks

_VERY_MANY = 1_000_000


class TrainingSet:
    """Samples that are drawn by index and prepared for the networks by ``prepare``; ``rows`` selects some of them."""

    def __init__(
        self,
        x: np.ndarray | Tensor,
        device: torch.device,
        prepare: Callable[[Tensor], Tensor] | None = None,
        rows: Tensor | None = None,
    ):
        self.device, self.prepare, self.rows = device, prepare or (lambda batch: batch), rows
        self.x: Tensor | DiskRows
        if isinstance(x, Tensor):
            self.x = x.to(device)
        elif is_on_disk(x):
            self.x = DiskRows(x)
        else:  # moved to the device once, in the user's own number format
            self.x = torch.as_tensor(x if x.dtype == np.uint8 else x.astype(np.float32, copy=False)).to(device)

    def __len__(self) -> int:
        return len(self.x) if self.rows is None else len(self.rows)

    def part(self, rows: Tensor) -> TrainingSet:
        """The samples at ``rows``, without copying."""
        part = copy.copy(self)
        part.rows = rows
        return part

    def batch(self, index: Tensor) -> Tensor:
        """The samples at ``index`` as input of the networks, on the device."""
        return self.at(self.located(index))

    def batches(self, indices: list[Tensor]) -> Iterator[Tensor]:
        """The batches at ``indices`` of a disk; many are read at once, so that a pass does not jump for every row."""
        assert isinstance(self.x, DiskRows)
        at_once = max(1, self.x.at_once // max(1, len(indices[0])))
        for start in range(0, len(indices), at_once):
            some = indices[start : start + at_once]
            rows = self.read(self.located(torch.cat(some)))
            yield from map(self.ready, torch.split(rows, [len(index) for index in some]))

    def located(self, index: Tensor) -> Tensor:
        """Where the samples at ``index`` lie: rows of ``x``, on the device unless the samples are on a disk."""
        places = index if self.rows is None else self.rows[index]
        if isinstance(self.x, DiskRows) or self.device.type != "cuda":
            return places if isinstance(self.x, DiskRows) else places.to(self.device)
        return places.pin_memory().to(self.device, non_blocking=True)  # a plain copy waits for the device

    def at(self, places: Tensor) -> Tensor:
        """The samples at rows of ``x`` as input of the networks, on the device."""
        return self.ready(self.read(places))

    def read(self, places: Tensor) -> Tensor:
        """The samples at rows of ``x`` as they are kept."""
        if not isinstance(self.x, DiskRows):
            return self.x.index_select(0, places)
        rows = self.x[places.numpy()]
        if rows.dtype not in (np.uint8, np.float64):  # doubles are scaled before they are rounded
            rows = rows.astype(np.float32, copy=False)
        return torch.from_numpy(rows)

    def ready(self, rows: Tensor) -> Tensor:
        """Samples as they are kept as input of the networks, on the device."""
        return self.prepare(rows.to(self.device))


class Stream:
    """Endless shuffled batches. The order of a pass depends only on the seed and the number of the pass.

    Of several processes that fit together each gets its slice of every batch.
    """

    def __init__(self, data: TrainingSet, batch_size: int, seed: str):
        self.data, self.batch_size, self.seed = data, min(batch_size, len(data)), seed
        self.epoch = 0  #: passes finished
        self.position = 0  #: batches drawn in this pass
        self.on_disk = isinstance(data.x, DiskRows)
        self._order: tuple[Tensor, ...] | None = None
        self._batches: Iterator[Tensor] = iter(())  # the rest of the pass, from a disk
        self.slices = Slices(ranks())

    def __next__(self) -> Tensor:
        places = self.draw()
        return next(self._batches) if self.on_disk else self.data.at(places)

    def draw(self) -> Tensor:
        """Where the samples of the next batch lie (``TrainingSet.located``); on a disk their numbers."""
        if self._order is None:
            generator = torch.Generator().manual_seed(seed_from(f"{self.seed}/{self.epoch}"))
            drawn = torch.randperm(len(self.data), generator=generator)
            if not self.on_disk:  # once a pass, so that no step waits for a copy
                drawn = self.data.located(drawn)
            elif len(drawn) < 2**31:
                drawn = drawn.int()  # of many rows the order alone takes much memory
            order = torch.split(drawn, self.batch_size)
            # batch norm cannot take a single sample, so a last batch that gives a process one or none is left out
            too_few = len(order[-1]) < 2 * self.slices.place.count
            self._order = order[:-1] if len(order) > 1 and too_few else order
            if self.on_disk:
                share = self.slices.place.share
                self._batches = self.data.batches([index[share(len(index))] for index in self._order[self.position :]])
        places = self.slices.of(self._order[self.position])
        self.position += 1
        if self.position == len(self._order):
            self.epoch, self.position, self._order = self.epoch + 1, 0, None
        return places

    def seek(self, epoch: int, position: int) -> None:
        """Go on at batch ``position`` of pass ``epoch``, both counted from zero; ValueError for one beyond a pass."""
        n, rest = divmod(len(self.data), self.batch_size)
        batches = max(1, n + (rest > 1))
        if not 0 <= position < batches:
            raise ValueError(f"batch {position} of a pass of {batches}")
        self.epoch, self.position, self._order = epoch, position, None

    def __iter__(self) -> Stream:
        return self

    def sample(self) -> Tensor:
        """A random batch, independent of the others, that does not count as progress."""
        return self.data.at(self.draw_any())

    def draw_any(self) -> Tensor:
        """Where the samples of a random batch lie."""
        n = len(self.data)
        # a permutation of very many costs more than the step, and to draw one of them twice is rare
        index = torch.randint(n, (self.batch_size,)) if n > _VERY_MANY else torch.randperm(n)[: self.batch_size]
        return self.data.located(self.slices.of(index, leads=False))

    @property
    def progress(self) -> float:
        """Passes finished, with the fraction of the current one."""
        per_epoch = max(1, math.ceil(len(self.data) / self.batch_size))
        return self.epoch + min(1.0, self.position / per_epoch)
