"""The published evaluation protocols as pure functions: (labels, class, seed) -> which samples train and which test.

A protocol sees labels, never pixels, and answers with positions, so that no large array is copied before it must be.
Positions count the official training set followed by the official test set, as ``ganad.data.load(name)`` returns them.
"lo" leaves one class out, which is the anomaly; "one" keeps one class, which is normal. A class means opposite things
in the two families, so their figures never share a column.

All draws come from ``numpy.random.RandomState``, whose streams are frozen (NEP 19): a split and its hash stay the same
in every version of NumPy, and two of the published splits are such streams themselves.
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
    """``PROTOCOLS[protocol].split(...)``; InputError for a name that is none of them.

    >>> labels = np.array(["normal"] * 10 + ["scratched"] * 4)
    >>> parts = split("user-holdout", labels, seed=3)
    >>> len(parts.train), len(parts.test), int(parts.y_test.sum())
    (8, 6, 4)
    """
    return _known(protocol).split(samples, cls, seed, n_train=n_train, n_test=n_test)


def read(protocol: str, *, data_dir: str | Path | None = None, progress: Progress | None = None) -> Samples:
    """The data of a protocol, in the order that its positions count; InputError if they cannot be had."""
    entry = _known(protocol)
    if not entry.dataset:
        raise InputError(f"{protocol}: no reader for its data; load them with ganad.data.load and pass the samples")
    return data.load(entry.dataset, data_dir=data_dir, progress=progress)


def _known(protocol: str) -> Protocol:
    if protocol not in PROTOCOLS:
        raise InputError(f"no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]
