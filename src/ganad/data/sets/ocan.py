"""The arrays that OCAN's authors made from the credit-card data: 2,000 genuine transactions, then 492 frauds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..fetch import fetch
from ..samples import Samples, numeric_table


def credit_card_raw(split: str = "all", *, data_dir: Any = None, **_: Any) -> Samples:
    """2,492 rows of 30 columns, scaled; InputError for a missing or damaged file."""
    return _read("raw_r0", data_dir)


def credit_card_codes(split: str = "all", *, data_dir: Any = None, **_: Any) -> Samples:
    """2,492 rows of the 50 codes that the authors' encoder gives; InputError for a missing or damaged file."""
    return _read("hid_repre_r2", data_dir)


def _read(suffix: str, data_dir: Any) -> Samples:
    genuine, fraud = (_array(fetch("ocan_credit_card", f"{who}_{suffix}.npy", data_dir)) for who in ("ben", "van"))
    return numeric_table(np.concatenate([genuine, fraud]), np.repeat(["normal", "fraud"], [len(genuine), len(fraud)]))


def _array(path: Path) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            # Python 2 wrote these files; NumPy warns and reads them
            warnings.simplefilter("ignore", UserWarning)
            # as a map of the file, which believes no size that the file has not
            array: np.ndarray = np.lib.format.open_memmap(path, mode="r")
            return array.astype(np.float64)
    except Exception as error:  # a header is an expression in Python, and may fail in as many ways
        raise InputError(f"{path}: not a NumPy array or damaged ({error}); copy it again") from error
