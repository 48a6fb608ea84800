"""UCI arrhythmia, as DAGMM and ALAD use it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InputError
from ..fetch import fetch
from ..samples import Samples, numeric_table


def arrhythmia(split: str = "all", *, data_dir: Any = None, **_: Any) -> Samples:
    """452 patients, 274 features, 66 anomalies; InputError for a missing or damaged file."""
    from scipy.io import loadmat

    path = fetch("arrhythmia", "arrhythmia.mat", data_dir)
    try:
        data = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # SciPy raises many types of errors for a damaged file
        raise InputError(f"{path}: not a MATLAB file or damaged ({error}); get it again") from error
    if "X" not in data or "y" not in data or data["X"].shape != (452, 274) or data["y"].size != 452:
        raise InputError(f"{path}: not the table of 452 rows and 274 columns with its labels; get it again")
    return numeric_table(data["X"].astype(np.float64), np.where(data["y"].ravel() == 1, "anomaly", "normal"))
