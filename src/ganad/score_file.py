"""Scores as a table file with one row per sample. It is written in parts and replaces the old file when complete."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from . import calibrate
from .atomic import replacing
from .display import shown
from .errors import InputError

if TYPE_CHECKING:
    from .data import Samples
    from .detector import Detector
    from .photos import Region


_WHOLE_NUMBERS = ("x", "y", "width", "height", "area")
_REGIONS = pyarrow.list_(
    pyarrow.struct([*((name, pyarrow.int32()) for name in _WHOLE_NUMBERS), ("score", pyarrow.float64())])
)


class ScoreFile:
    """scores.csv or scores.parquet of the samples of one detector.

    path: ends in .csv or .parquet. fdr: adds the column ``selected``; on average at most this share of the selected
    samples is normal. The rows then wait for the last part, because a selection depends on all p-values.

    Raises InputError for another ending, a share outside (0, 1), and ``fdr`` without a calibrated detector.
    """

    def __init__(self, path: str | Path, detector: Detector, fdr: float | None = None):
        self.path, self.detector, self.fdr, self.selected = Path(path), detector, fdr, 0
        if self.path.suffix not in (".csv", ".parquet"):
            raise InputError(f"{path}: scores are written as .csv or .parquet; use one of these endings")
        if fdr is not None:
            calibrate.check_fdr(fdr)
        self.calibration: np.ndarray | None = getattr(detector, "calibration_", None)
        if fdr is not None and self.calibration is None:
            raise InputError("a selection needs a calibrated model; fit it with a false-alarm rate")
        self.warned: list[str] = []  #: warnings about the selection
        self._place = contextlib.ExitStack()
        self._writer: Any = None
        self._waiting: list[pyarrow.Table] = []

    def __enter__(self) -> ScoreFile:
        self._temporary = self._place.enter_context(replacing(self.path))
        return self

    def add(
        self,
        samples: Samples,
        scores: np.ndarray,
        labels: np.ndarray | None = None,
        regions: Sequence[Sequence[Region]] | None = None,
    ) -> None:
        """Write a part; see ``table_of``."""
        table = table_of(self.detector, samples, scores, labels, regions)
        if self.fdr is None:
            self._write(table)
        else:
            self._waiting.append(table)

    def _write(self, table: pyarrow.Table) -> None:
        is_csv = self.path.suffix == ".csv"
        if is_csv:  # a spreadsheet would run a file's name that looks like a formula, a terminal what follows an escape
            names = pyarrow.array([_harmless(name) for name in table["name"].to_pylist()], pyarrow.string())
            names = pyarrow.compute.replace_substring_regex(names, r"^([=+\-@\t\r])", r"'\1")
            table = table.set_column(0, "name", names)
            if "regions" in table.column_names:
                text = [json.dumps(own) for own in table["regions"].to_pylist()]
                table = table.set_column(table.column_names.index("regions"), "regions", pyarrow.array(text))
        if self._writer is None:
            kind = pyarrow.csv.CSVWriter if is_csv else pyarrow.parquet.ParquetWriter
            self._writer = kind(self._temporary, table.schema)
        self._writer.write_table(table)

    def _write_selected(self, fdr: float, calibration: np.ndarray) -> None:
        """The rows that waited, with the column ``selected``."""
        table = pyarrow.concat_tables(self._waiting)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", calibrate.SmallCalibrationSet)
            chosen = calibrate.select(table["p_value"].to_numpy(), fdr, len(calibration))
        self.warned = [str(warning.message) for warning in caught]
        self.selected = int(chosen.sum())
        self._write(table.append_column("selected", pyarrow.array(chosen)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self.fdr is not None and self.calibration is not None:
                self._write_selected(self.fdr, self.calibration)
        except BaseException as failed:
            kind, error, trace = type(failed), failed, failed.__traceback__
            raise
        finally:
            if self._writer is not None:
                self._writer.close()
            self._place.__exit__(kind, error, trace)


def table_of(
    detector: Detector,
    samples: Samples,
    scores: np.ndarray,
    labels: np.ndarray | None = None,
    regions: Sequence[Sequence[Region]] | None = None,
) -> pyarrow.Table:
    """The rows of some samples: name, score, p-value (calibrated models), verdict, and known labels and regions.

    scores: ``(n,)``; labels: ``(n,)`` with 1 for anomalies, 0 for normal samples and -1 for unknown ones; regions:
    those of each photo that stand out, as a list in Parquet and as JSON in CSV.
    """
    # a file's name may hold bytes that are not UTF-8
    given = samples.names or map(str, range(len(scores)))
    names = [name.encode(errors="backslashreplace").decode() for name in given]
    columns: dict[str, Any] = {"name": pyarrow.array(names, pyarrow.string()), "score": scores}
    calibration = getattr(detector, "calibration_", None)
    if calibration is not None:
        columns["p_value"] = calibrate.p_values(scores, calibration)
    verdicts = np.where(scores > detector.threshold_, "anomaly", "normal")
    columns["verdict"] = pyarrow.array(verdicts, pyarrow.string())
    if labels is not None:
        columns["label"] = pyarrow.array(labels, mask=labels < 0)
    if regions is not None:
        columns["regions"] = pyarrow.array([[asdict(r) for r in own] for own in regions], _REGIONS)
    return pyarrow.table(columns)


def _harmless(name: str) -> str:
    """A name without control characters; tabs stay."""
    return "\t".join(shown(part, 4096) for part in name.split("\t"))
