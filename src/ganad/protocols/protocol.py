"""Protocols, splits, and how a protocol makes a split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..data.samples import Samples
from ..errors import InputError

Class = str | int | Sequence[str] | None


@dataclass(frozen=True, eq=False)
class Split:
    """The training and the test samples. Positions ascend, so classes are mixed and a memmap is read forwards."""

    protocol: str
    cls: str | None  #: the anomalous class, the normal class or a fold, depending on the protocol; None if it has none
    seed: int
    train: np.ndarray  #: positions, int64 (n_train,)
    test: np.ndarray  #: positions, int64 (n_test,)
    y_test: np.ndarray  #: 1 for anomalies and 0 for normal samples, int8 (n_test,)
    n_train_cap: int | None = None  #: set if training samples were left out; not comparable with published figures
    n_test_cap: int | None = None  #: set when test samples were left out
    hash: str = field(init=False)  #: first 16 hex digits of a SHA-256 over all fields above except class and seed

    def __post_init__(self) -> None:
        digest = hashlib.sha256(f"{self.protocol}|{self.n_train_cap}|{self.n_test_cap}".encode())
        for part, kind in ((self.train, "<i8"), (self.test, "<i8"), (self.y_test, "i1")):
            digest.update(f"|{len(part)}|".encode() + part.astype(kind).tobytes())
        object.__setattr__(self, "hash", digest.hexdigest()[:16])

    def take(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``x_train, x_test``, copied from ``x`` of shape (n, ...), which may be a memmap."""
        return x[self.train], x[self.test]


class Parts(NamedTuple):
    train: np.ndarray  # positions in any order
    test: np.ndarray  # positions in any order
    anomaly: np.ndarray  # mask over all n samples


Rule = Callable[[np.ndarray, list[str], np.random.RandomState], Parts]


@dataclass(frozen=True)
class Protocol:
    """A protocol and its description."""

    id: str
    dataset: str  #: name for ``ganad.data.load``; "" for the user's own
    rule: Rule = field(repr=False)
    classes: tuple[str, ...]  #: the trials of one table row; empty if there is a single trial
    role: str  #: what the class is: "anomaly", "normal" or "fold"; "" if there is none
    metrics: tuple[str, ...]  #: what the papers print
    runs: int  #: seeds that a table row averages over; the paper's number if it gives one
    note: str  #: leaks, traps and ambiguities
    n: int | None = None  #: samples that the data set must have
    rate: float | None = None  #: share of the test set that thresholded metrics flag
    fixed: bool = False  #: the split is the same for every seed, which then changes the training only
    published_as: str | None = ""  #: id of the papers' figures, if not ``id``; None: none are comparable

    def split(
        self,
        samples: Samples | np.ndarray,
        cls: Class = None,
        seed: int = 0,
        *,
        n_train: int | None = None,
        n_test: int | None = None,
    ) -> Split:
        """Split of ``samples``, or of their labels (n,), for one class and seed.

        n_train: keep at most this many training samples, drawn at random, for quick runs (usually 12,000).
        n_test: the same for the test set; ADGAN's paper draws 5,000. Both are part of the hash if they cut something.

        Raises InputError for a wrong number of samples, an unknown class or a seed outside 0 .. 2^32 - 1.
        """
        y = samples if isinstance(samples, np.ndarray) else samples.y
        if y is None:
            raise InputError(f"{self.id} needs the class of every sample, and these have none")
        y = np.asarray(y).astype(str)
        if y.ndim != 1 or self.n not in (None, len(y)):
            raise InputError(
                f"{self.id} is defined on the {self.n or 'n'} labels of {self.dataset or 'a labelled set'}, training "
                f"part first; these have shape {y.shape}"
            )
        if not 0 <= seed < 2**32:
            raise InputError(f"seed {seed} must lie in 0 .. 2^32 - 1")
        names = self._names(cls, y)
        parts = self.rule(y, names, np.random.RandomState(seed))
        train, train_cap = _cap(parts.train, n_train, [seed, 1], "n_train")
        test, test_cap = _cap(parts.test, n_test, [seed, 2], "n_test")
        y_test = parts.anomaly[test].astype(np.int8)
        if not len(train) or y_test.min() == y_test.max():
            raise InputError(
                f"{self.id}: too few samples for a split: {len(train)} train, {y_test.sum()} of {len(test)} that test "
                f"are anomalies"
            )
        return Split(self.id, "+".join(names) or None, seed, train, test, y_test, train_cap, test_cap)

    def _names(self, cls: Class, y: np.ndarray) -> list[str]:
        """The requested class or classes, as the labels spell them."""
        if not self.role:
            if cls not in (None, ""):
                raise InputError(f"{self.id} takes no class, but {cls!r} was given; leave it out")
            return []
        if cls is None and len(self.classes) != 1:
            raise InputError(f"{self.id} needs a class, the {self.role} one: {', '.join(self.classes)}")
        given = self.classes[0] if cls is None else cls
        names = [str(c) for c in given] if isinstance(given, Sequence) and not isinstance(given, str) else [str(given)]
        known = self.classes if self.role == "fold" else np.unique(y)
        for name in names:
            if name not in known:
                raise InputError(f"{self.id}: no class {name!r}; there are {', '.join(known[:20])}")
        return names


def _cap(index: np.ndarray, most: int | None, seed: list[int], name: str) -> tuple[np.ndarray, int | None]:
    """At most ``most`` of the positions, ascending, and the cap if it removed any."""
    if most is None or most >= len(index):
        return np.sort(index), None
    if most < 1:
        raise InputError(f"{name}={most} must be at least 1")
    index = np.sort(index)
    return np.sort(np.random.RandomState([*seed, most]).permutation(index)[:most]), most
