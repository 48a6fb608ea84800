"""UCI arrhythmia, as DAGMM and ALAD use it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..fetch import fetch
from ..samples import Samples, numeric_table

#: Of the file. SciPy's reader of MATLAB files can crash on a damaged one, so it sees no other.
SHA256 = "e4d47e499591ae31e5d7f0cd983367092353eac240f48e14c9b36457edb3460d"


def arrhythmia(split: str = "all", *, data_dir: Any = None, **_: Any) -> Samples:
    """452 patients, 274 features, 66 anomalies; InputError for a missing or damaged file."""
    x, y = read(fetch("arrhythmia", "arrhythmia.mat", data_dir))
    return numeric_table(x, np.where(y == 1, "anomaly", "normal"))


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features ``(452, 274)`` and labels ``(452,)``; InputError for any other file."""
    from scipy.io import loadmat

    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise InputError(f"{path}: not the file with SHA-256 {SHA256}, or damaged; get it again")
    data = loadmat(io.BytesIO(content), variable_names=["X", "y"])
    x, y = (np.asarray(data[name], np.float64) for name in ("X", "y"))
    return x, y.ravel()
