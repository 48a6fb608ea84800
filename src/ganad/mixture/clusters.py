"""The collapsed sampler's state as plain arrays, shared by ``kernels.py`` (Numba) and ``fallback.py`` (NumPy)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: if removing a point takes Ψ_n below this share of its determinant, half of the digits are lost; it is rebuilt then
SAFE = 1e-8


class Clusters(NamedTuple):
    """Points, labels and cluster slots; x is centred so that μ0 = 0.

    A slot is in use if it is among the first ``size[0]`` entries of ``active``; the others are free. Deleting a cluster
    swaps two entries of ``active`` instead of relabelling points.
    """

    x: np.ndarray  # (N, d)
    z: np.ndarray  # (N,) slot of each point, or -1
    active: np.ndarray  # (capacity,) a permutation of the slots
    size: np.ndarray  # (1,) number of clusters K
    counts: np.ndarray  # (capacity,)
    mean: np.ndarray  # (capacity, d) μ_n
    factor: np.ndarray  # (capacity, d, d) U; the fallback keeps Ψ_n here
    aux: np.ndarray  # (capacity, d, d) unused here; the fallback keeps L⁻¹
    diag: np.ndarray  # (capacity, d) 1/U_jj
    log_det: np.ndarray  # (capacity,) log|Ψ_n|
    psi: np.ndarray  # (d, d) Ψ0; the next three are an empty slot's
    empty_factor: np.ndarray  # (d, d)
    empty_diag: np.ndarray  # (d,)
    empty_log_det: float
    log_t0: np.ndarray  # (N,) prior predictive, which never changes
    constants: np.ndarray  # (N + 2,) NIW.predictive_constants
    kappa: float
    m: float
