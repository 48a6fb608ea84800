"""The covariance of rows, shrunk so that it has an inverse with fewer rows than columns.

The shrinkage is that of Y. Chen et al., "Shrinkage algorithms for MMSE covariance estimation", IEEE Transactions on
Signal Processing 58, 2010 (OAS):

    Sigma   (1 - r) S + r tr(S) / d I; S: the covariance, r: from S, n and d alone
"""

from __future__ import annotations

import numpy as np
from sklearn.covariance import OAS

_LEAST = 1e-6  # variance, of columns of variance 1; else what is constant in training would count without bound


def shrunk_covariance(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spread ``(d,)`` of the columns of rows ``(n, d)``, and the covariance ``(d, d)`` of the rows in these units.

    z: two rows or more, with columns in comparable units: a variance below 1e-6 counts as 1e-6.
    """
    spread = np.sqrt(z.var(0) + _LEAST)
    found = OAS(store_precision=False).fit((z - z.mean(0)) / spread)
    sigma = found.covariance_
    if not 0 <= found.shrinkage_ <= 1:  # of white columns r is 0 / 0, and rounding alone decides: all of it is shrunk
        sigma = np.eye(len(sigma)) * float((((z - z.mean(0)) / spread) ** 2).mean())
    return spread, sigma + _LEAST * np.eye(len(sigma))
