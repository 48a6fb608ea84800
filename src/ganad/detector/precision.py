"""What a table's numbers lose on their way into networks, which calculate in 32 bits."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch

from ..arrays import chunks, rows_of
from ..errors import InputError
from .input import InputSpec

_LOG = logging.getLogger("ganad")
_LARGEST = 1e150  # squares of larger numbers are infinite
_CELLS, _ROWS = 1_000_000, 10_000  # looked at, at most
_KEPT = 0.9  # share of the different values that must stay different
_LISTED = 5  # columns that a line names


def refuse_huge(x: np.ndarray, names: Sequence[str] | None) -> None:
    """Raise InputError naming a column of the table ``(n, d)`` whose numbers are too large to be scaled."""
    if x.ndim > 2 or (x.dtype.kind == "f" and x.dtype.itemsize < 8):  # 32 bits hold no such number
        return
    largest = np.max([np.maximum(part.max(axis=0), -part.min(axis=0)) for part in chunks(x)], axis=0)
    if (largest > _LARGEST).any():
        column = int(largest.argmax())
        row = int(np.abs(x[:, column]).argmax())
        raise InputError(
            f"{_called(column, names)}, row {row}: {x[row, column]:g} is too large to calculate with; repair that "
            f"cell, or take logarithms"
        )


def tell_lost(x: np.ndarray, spec: InputSpec, names: Sequence[str] | None) -> None:
    """Log the columns of a table ``(n, d)`` in which different values become equal once they are scaled to 32 bits."""
    if x.ndim > 2:
        return
    rows = rows_of(x, np.arange(0, len(x), max(1, -(-len(x) // _ROWS), -(-x.size // _CELLS))))
    before, after = (_different(part) for part in (rows, spec.to_network(torch.from_numpy(np.array(rows))).numpy()))
    lost = np.flatnonzero(after < _KEPT * before)
    for column in lost[:_LISTED]:
        far = float(rows[np.abs(rows[:, column] - np.median(rows[:, column])).argmax(), column])
        _LOG.warning(
            "%s: of %s different values %s are left in the 32 bits that models calculate in, because the column goes "
            "as far as %g; take out what is far away, take logarithms, or leave the column out",
            _called(int(column), names),
            f"{before[column]:,}",
            f"{after[column]:,}",
            far,
        )
    if len(lost) > _LISTED:
        _LOG.warning("and %s more columns", len(lost) - _LISTED)


def _different(x: np.ndarray) -> np.ndarray:
    """The number of different values in each column ``(d,)``."""
    return np.asarray((np.diff(np.sort(x, axis=0), axis=0) > 0).sum(axis=0) + 1)


def _called(column: int, names: Sequence[str] | None) -> str:
    return f"column {column}" if names is None else f"column {names[column]!r}"
