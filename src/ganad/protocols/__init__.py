"""The published evaluation protocols as pure functions from labels, class and seed to training and test samples.

A protocol sees labels, never pixels, and returns positions, so that no large array is copied too early. Positions count
the official training set followed by the official test set, as ``ganad.data.load(name)`` returns them. "lo" leaves one
class out, which is the anomaly; "one" keeps one class, which is normal. A class means opposite things in the two
families, so their figures never share a column.

All draws use ``numpy.random.RandomState``, whose streams are frozen (NEP 19). So a split and its hash are the same in
every version of NumPy. Two published splits use such streams themselves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import data
from ..data.samples import Progress, Samples
from ..errors import InputError
from .catalog import PROTOCOLS
from .protocol import Class, Protocol, Split

__all__ = ["PROTOCOLS", "Class", "Protocol", "Split", "read", "split"]


def split(
    protocol: str,
    samples: Samples | np.ndarray,
    cls: Class = None,
    seed: int = 0,
    *,
    n_train: int | None = None,
    n_test: int | None = None,
) -> Split:
    """``PROTOCOLS[protocol].split(...)``. Raises InputError for an unknown name.

    >>> labels = np.array(["normal"] * 10 + ["scratched"] * 4)
    >>> parts = split("user-holdout", labels, seed=3)
    >>> len(parts.train), len(parts.test), int(parts.y_test.sum())
    (8, 6, 4)
    """
    return _known(protocol).split(samples, cls, seed, n_train=n_train, n_test=n_test)


def read(protocol: str, *, data_dir: str | Path | None = None, progress: Progress | None = None) -> Samples:
    """The data of a protocol, in the order of its positions. Raises InputError if they cannot be read."""
    entry = _known(protocol)
    if not entry.dataset:
        raise InputError(f"{protocol}: no reader for its data; load them with ganad.data.load and pass the samples")
    return data.load(entry.dataset, data_dir=data_dir, progress=progress)


def _known(protocol: str) -> Protocol:
    if protocol not in PROTOCOLS:
        raise InputError(f"no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]
