"""A file that landed, as the samples that a model takes: read as its training data were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..data import TABLES, Samples, iter_table
from ..data.decode import SUFFIXES, UNSUPPORTED, decode, reason, refuse_small, strict
from ..detector import Detector
from ..errors import InputError

ROWS = 1024  #: of a table, read and kept at a time
_PICTURES = SUFFIXES | UNSUPPORTED | {""}


class Reader:
    """Reads what one detector takes. Raises InputError for a model that does not know how its data were read."""

    def __init__(self, detector: Detector):
        source: dict[str, Any] | None = getattr(detector, "source_", None)
        if not source:
            raise InputError(
                "this model does not know how its training data were read, so no file can be read alike; fit it with "
                "ganad fit, or call remember_source before save"
            )
        self.is_table = source["kind"] == "table"
        self._source = source | {"label": None} if self.is_table else source
        self._shape = None if source["kind"] == "photos" else detector.input_.sample_shape
        self._size = tuple(source["size"]) if source["kind"] == "images" else None

    @property
    def suffixes(self) -> set[str]:
        """Endings of the files that concern the model."""
        return TABLES if self.is_table else _PICTURES

    def picture(self, path: Path, top: Path) -> np.ndarray:
        """A picture as the model takes it; InputError, in words, for one that cannot be read."""
        try:
            if not _is_below(os.path.realpath(path), os.path.realpath(top)):
                raise ValueError("a link that leads out of the folder")
            with strict():
                pixels = decode(path, self._size, self._source["mode"], self._source.get("depth"))
                if self._size is None:
                    refuse_small(pixels, self._source.get("least"))
        except Exception as error:
            raise InputError(reason(error, path)) from error
        return pixels if self._shape is None else pixels.reshape(self._shape)

    def table(self, path: Path) -> Iterator[Samples]:
        """The rows of a table, some at a time; InputError for what cannot be read."""
        return iter_table(path, self._source, rows=ROWS)


def is_open_ended(path: Path) -> bool:
    """Whether a CSV file has no end of line at its end, so that its last row may be half of one."""
    if path.suffix.lower() != ".csv" or not (size := path.stat().st_size):
        return False
    with open(path, "rb") as file:
        file.seek(size - 1)
        return file.read(1) not in b"\r\n"


def _is_below(path: str, top: str) -> bool:
    return path.startswith(top.rstrip(os.sep) + os.sep)
