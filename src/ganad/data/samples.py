"""What every source returns: samples, what is known of them, and how to read more of the same kind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import InputError

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Unreadable:
    """An input that could not be read; nothing is dropped without one."""

    path: str
    reason: str


@dataclass
class Samples:
    """Samples of one kind."""

    x: np.ndarray  #: images uint8 (n, H, W) or (n, H, W, 3), perhaps a memmap, or a table float64 (n, d)
    y: np.ndarray | None = None  #: the class of each sample, (n,), where the source knows it
    names: list[str] | None = None  #: file name or row of each sample
    columns: list[str] | None = None  #: names of a table's d columns, after encoding
    unreadable: list[Unreadable] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)  #: JSON: how to read new data the same way
    gaps: np.ndarray | None = None  #: of an imputed table: True (n, d) where a cell was missing

    def subset(self, index: np.ndarray) -> Samples:
        """The samples at ``index``, a mask ``(n,)`` or row numbers."""
        rows = np.flatnonzero(index) if index.dtype == bool else index
        # neighbours stay a view, so that a class of a large mapped folder does not move into memory
        together = len(rows) > 0 and bool((np.diff(rows) == 1).all()) and rows[0] >= 0
        return Samples(
            x=self.x[int(rows[0]) : int(rows[-1]) + 1] if together else self.x[rows],
            y=None if self.y is None else self.y[rows],
            names=None if self.names is None else [self.names[i] for i in rows],
            columns=self.columns,
            unreadable=self.unreadable,
            source=self.source,
            gaps=None if self.gaps is None else self.gaps[rows],
        )

    def hash(self) -> str:
        """16 hexadecimal digits of what is measured on: the samples and their classes, in their order."""
        digest = hashlib.sha256(f"{self.x.shape}{self.x.dtype}".encode())
        for start in range(0, len(self.x), 1024):  # the pixels of a large folder are a file, not memory
            digest.update(np.ascontiguousarray(self.x[start : start + 1024]).tobytes())
        digest.update("|".join(map(str, self.y if self.y is not None else ())).encode())
        return digest.hexdigest()[:16]


def choose_normal(
    samples: Samples, *, normal: Sequence[str] | None = None, anomaly: Sequence[str] | None = None
) -> np.ndarray:
    """Mask ``(n,)`` of the normal samples: those of the ``normal`` classes, or those not of the ``anomaly`` ones.

    Raises InputError when the source knows no classes or a named class does not occur, or is in both lists.
    """
    if samples.y is None:
        raise InputError("--normal and --anomaly need classes: subfolders of images, or --label COLUMN for a table")
    classes = samples.y.astype(str)
    known = sorted(set(classes))
    for name in [*(normal or ()), *(anomaly or ())]:
        if name not in known:
            named = [c for c in known if c]  # images beside the subfolders have no class
            some = ", ".join(named[:20]) + (", ..." if len(named) > 20 else "")
            raise InputError(f"no class {name!r} in the data; it has {some}")
    if both := set(normal or ()) & set(anomaly or ()):
        raise InputError(f"class {min(both)!r} is named as normal and as an anomaly; leave it in one of the lists")
    mask = np.isin(classes, list(normal)) if normal else np.ones(len(classes), bool)
    return mask & ~np.isin(classes, list(anomaly or ()))
