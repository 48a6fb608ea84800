"""Tables as a program has them: frames of pandas, polars or Arrow with text, dates and gaps, and what was read before.

A frame whose cells all are numbers is an array with names, which scikit-learn's rules hold for. Any other one is read
as the command line reads a file, by the recipe that the model keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow
from sklearn.utils.validation import check_is_fitted

from ..data import Samples
from ..data.frames import frame_table, is_frame, is_plain
from ..data.notation import Notation
from ..data.table import INDEX, encode
from ..data.table_options import FRAME, UNKNOWN, Place
from ..display import shown
from ..errors import InputError
from .input import InputSpec

_FRAME = Place(FRAME)


class Reader:
    """What a detector knows of how its data were read."""

    input_: InputSpec
    source_: dict[str, Any]
    columns_: list[str] | None

    def remember_source(self, source: dict[str, Any], columns: list[str] | None = None) -> None:
        """Keep how the data were read, so that new data are read the same way; saved with the model."""
        self.source_, self.columns_ = source, columns

    def _remember(self, X: Any, samples: Samples | None) -> None:
        """Keep how the training data were read, where they say so."""
        if samples is not None:
            self.remember_source(samples.source, samples.columns)
        elif self.input_.names is not None and is_frame(X) and len(set(self.input_.names)) == len(self.input_.names):
            self.remember_source(_source_of(frame_table(X), self.input_.names), list(self.input_.names))

    def _read(self, X: Any) -> Samples | None:
        """New samples by the recipe of the training data; None for what is an array, with names or without."""
        check_is_fitted(self, "nets_")
        if isinstance(X, Samples):
            known = getattr(self, "columns_", None)
            if known is not None and X.columns is not None and list(known) != list(X.columns):
                raise InputError(
                    f"the samples have columns {_few(X.columns)}, and the model learnt {_few(known)}; read them as its "
                    f"training data: ganad.data.load(..., source=detector.source_)"
                )
            return X
        if not is_frame(X):
            return None
        table, source = frame_table(X), getattr(self, "source_", None)
        if _is_array(table) and (self.input_.names is not None or source is None):
            return None
        if source is None or source.get("kind") != "table":
            raise InputError(f"{type(self).__name__} was fitted on an array of numbers, and this frame holds more")
        return encode(table, _FRAME, source=source)

    def _checked(self, X: Any) -> np.ndarray:
        """New samples as an array ``(n, *sample_shape)``; InputError if they are not of the kind fitted on."""
        samples = self._read(X)
        return self.input_.check(X if samples is None else samples.x, type(self).__name__)


def _few(names: Sequence[str]) -> str:
    return shown(", ".join(names[:4]), 80) + (", ..." if len(names) > 4 else "")


def read_to_learn(X: Any) -> Samples | None:
    """A frame with more than numbers as training samples, or samples as they are; None for anything else."""
    if isinstance(X, Samples):
        return X
    if not is_frame(X):
        return None
    table = frame_table(X)
    return None if _is_array(table) else encode(table, _FRAME)


def _source_of(table: pyarrow.Table, names: tuple[str, ...]) -> dict[str, Any]:
    """The recipe of a frame of numbers, by which files with the same columns can be scored."""
    kinds = ["boolean" if pyarrow.types.is_boolean(kind) else "numeric" for kind in table.schema.types]
    columns = [{"name": name, "fill": None, "kind": kind} for name, kind in zip(names, kinds)]
    text = Notation().to_source()
    return {"kind": "table", "columns": columns, "label": None, "text": text, "unknown": UNKNOWN[0]}


def _is_array(table: pyarrow.Table) -> bool:
    """Whether there is nothing to read in it; a first column that may count the rows has to be looked at."""
    return is_plain(table) and not (table.num_columns and table.column_names[0] in INDEX)
