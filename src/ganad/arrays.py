"""Sample arrays in memory or on disk, read by index or in order with bounded memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

import numpy as np

_CHUNK_BYTES = 16 * 2**20
_PAGE_CLUSTER = 256 * 1024  # what Linux may map around one page fault, where it keeps files in large folios


def is_on_disk(x: np.ndarray) -> bool:
    """Whether ``x`` is a view of a ``numpy.memmap``, directly or through other views."""
    at: object = x
    while at is not None:
        if isinstance(at, np.memmap | mmap.mmap):
            return True
        at = getattr(at, "base", None)
    return False


def chunks(x: np.ndarray, rows: int | None = None) -> Iterator[np.ndarray]:
    """Consecutive slices of about 16 MiB, or of ``rows`` samples."""
    row_bytes = max(1, x.itemsize * int(np.prod(x.shape[1:])))
    rows = rows or max(1, _CHUNK_BYTES // row_bytes)
    drawn = 0
    for start in range(0, len(x), rows):
        yield x[start : start + rows]
        drawn += rows * row_bytes
        if drawn > 8 * _CHUNK_BYTES:
            release(x)
            drawn = 0


def release(x: np.ndarray) -> None:
    """Give mapped pages of a memmap back. They stay in the system's cache but leave our resident memory."""
    at: object = x
    while at is not None:
        mapping = getattr(at, "_mmap", None) if isinstance(at, np.memmap) else at
        if isinstance(mapping, mmap.mmap):
            # copy-on-write maps hold the caller's own changes, which MADV_DONTNEED would drop
            if hasattr(mapping, "madvise") and getattr(at, "mode", "r") != "c":
                mapping.madvise(mmap.MADV_DONTNEED)
            return
        at = getattr(at, "base", None)


class DiskRows:
    """Rows of a memmap by index; pages are given back after every ``budget`` bytes touched.

    The rows of a call are read in the order of the file, so a call for many costs one pass over it, and one for few
    costs a jump a row. Where the file is larger than memory that is the difference between minutes and hours.
    """

    def __init__(self, x: np.ndarray, budget: int = 64 * 2**20):
        self.x, self.budget, self.touched = x, budget, 0
        self.row_bytes = max(1, x.itemsize * int(np.prod(x.shape[1:])))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def at_once(self) -> int:
        """Rows to ask for together where more than one batch is known to come."""
        return max(1, 2 * self.budget // self.row_bytes)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        order = np.argsort(index)  # read forwards, then put back in the order asked for
        rows = np.empty((len(index), *self.x.shape[1:]), self.x.dtype)
        part = index[order] // max(1, self.budget // self.row_bytes)
        for some in np.split(order, np.flatnonzero(np.diff(part)) + 1):
            rows[some] = self.x[index[some]]
            self.touched += min(len(some) * (_PAGE_CLUSTER + self.row_bytes), self.budget + _PAGE_CLUSTER)
            if self.touched > self.budget:
                release(self.x)
                self.touched = 0
        return rows


def rows_of(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """``x[index]``, of a memmap without keeping what is read around the rows."""
    if not is_on_disk(x):
        return np.asanyarray(x[index])
    try:
        return DiskRows(x)[index]
    finally:
        release(x)
