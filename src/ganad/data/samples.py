"""Samples: what every data source returns, with classes, names and how to read more of the same kind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Unreadable:
    """An input that could not be read. Every dropped input has one."""

    path: str
    reason: str


@dataclass(frozen=True)
class Unseen:
    """A cell of a table whose text did not occur in training."""

    row: int  #: of its samples
    column: str
    value: str
    is_anomaly: bool  #: whether that alone makes the row an anomaly


@dataclass
class Samples:
    """Samples of one kind."""

    x: np.ndarray  #: images uint8 (n, H, W) or (n, H, W, 3), perhaps a memmap, or a table float64 (n, d)
    y: np.ndarray | None = None  #: the class of each sample, (n,), if the source knows it
    names: list[str] | None = None  #: file name or row of each sample
    columns: list[str] | None = None  #: names of a table's d columns, after encoding
    unreadable: list[Unreadable] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)  #: JSON: how to read new data the same way
    gaps: np.ndarray | None = None  #: of an imputed table: True (n, d) where a cell was missing
    unseen: list[Unseen] = field(default_factory=list)  #: of a new table
    ignored: list[str] = field(default_factory=list)  #: columns of a new table that the model does not know
    masks: list[Path | None] | None = None  #: of photos, where masks are known: the file of each one's, or None

    def judged(self, scores: np.ndarray) -> np.ndarray:
        """Scores ``(n,)`` with infinity for the rows that a text that training did not have makes anomalies."""
        rows = [cell.row for cell in self.unseen if cell.is_anomaly]
        if rows:
            scores = scores.astype(np.float64)
            scores[rows] = np.inf
        return scores

    def subset(self, index: np.ndarray) -> Samples:
        """The samples at ``index``, a mask ``(n,)`` or row numbers."""
        rows = np.flatnonzero(index) if index.dtype == bool else index
        # adjacent rows stay a view, so that one class of a large mapped folder does not move into memory
        unseen: dict[int, list[Unseen]] = {}
        for cell in self.unseen:
            unseen.setdefault(cell.row, []).append(cell)
        together = len(rows) > 0 and bool((np.diff(rows) == 1).all()) and rows[0] >= 0
        return Samples(
            x=self.x[int(rows[0]) : int(rows[-1]) + 1] if together else self.x[rows],
            y=None if self.y is None else self.y[rows],
            names=None if self.names is None else [self.names[i] for i in rows],
            columns=self.columns,
            unreadable=self.unreadable,
            source=self.source,
            gaps=None if self.gaps is None else self.gaps[rows],
            unseen=[replace(cell, row=i) for i, row in enumerate(rows) for cell in unseen.get(int(row), ())],
            masks=None if self.masks is None else [self.masks[i] for i in rows],
        )

    def hash(self) -> str:
        """16 hexadecimal digits of a hash of the samples and their classes, in their order."""
        alike = isinstance(self.x, np.ndarray)
        digest = hashlib.sha256(f"{self.x.shape}{self.x.dtype}".encode() if alike else b"photos")
        for start in range(0, len(self.x), 1024):  # the pixels of a large folder are on disk
            part = self.x[start : start + 1024]
            for pixels in [part] if alike else part:  # photos of their own size come one at a time
                digest.update(b"" if alike else f"{pixels.shape}".encode())
                digest.update(np.ascontiguousarray(pixels).tobytes())
        classes = "|".join(map(str, self.y if self.y is not None else ()))
        digest.update(classes.encode("utf-8", "surrogateescape"))  # the name of a folder may be no UTF-8
        return digest.hexdigest()[:16]


def image_set(x: np.ndarray, y: np.ndarray, name: str) -> Samples:
    """Samples of images ``(n, H, W)`` or ``(n, H, W, 3)`` with classes ``y``, called ``name`` and a number."""
    source = image_source(x.shape[1], x.shape[2], "RGB" if x.ndim == 4 else "L")
    return Samples(x, y, [f"{name}-{i:05d}" for i in range(len(x))], source=source)


def numeric_table(x: np.ndarray, y: np.ndarray, columns: list[str] | None = None) -> Samples:
    """Samples of a table of numbers ``(n, d)`` with classes ``y``; without names the columns are f0, f1, ..."""
    columns = columns or [f"f{i}" for i in range(x.shape[1])]
    source = {"kind": "table", "columns": [{"name": c, "kind": "numeric"} for c in columns], "label": None}
    return Samples(x, y, [str(i) for i in range(len(x))], columns, source=source)


def image_source(height: int, width: int, mode: str, depth: int | None = None) -> dict[str, Any]:
    """The recipe for reading more images in the same way. depth: bits that images of 16 bits use, where it was said."""
    return {"kind": "images", "size": [height, width], "mode": mode} | ({} if depth is None else {"depth": depth})
