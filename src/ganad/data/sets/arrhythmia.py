"""UCI arrhythmia, as DAGMM and ALAD use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..fetch import fetch
from ..samples import Samples, numeric_table


def arrhythmia(split: str = "all", *, data_dir: Any = None, **_: Any) -> Samples:
    """452 patients, 274 features, 66 anomalies; InputError for a missing or damaged file."""
    x, y = read(fetch("arrhythmia", "arrhythmia.mat", data_dir))
    return numeric_table(x, np.where(y == 1, "anomaly", "normal"))


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features ``(452, 274)`` and labels ``(452,)``; InputError for a damaged file or another table."""
    from scipy.io import loadmat

    try:
        data = loadmat(path, variable_names=["X", "y"])
        x, y = (np.asarray(data[name], np.float64) for name in ("X", "y"))
    except Exception as error:  # scipy raises a dozen types for a damaged file
        raise InputError(f"{path}: not a MATLAB file or damaged ({error}); get it again") from error
    if x.shape != (452, 274) or y.size != 452 or not np.isfinite(x).all():
        raise InputError(f"{path}: not the table of 452 rows and 274 columns with its labels; get it again")
    return x, y.ravel()
