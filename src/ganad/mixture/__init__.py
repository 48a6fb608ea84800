"""The infinite Gaussian mixture: an independent scikit-learn estimator, useful without the rest of the library."""

from .estimator import InfiniteGaussianMixture
from .tune import TuneResult, table_ii, tune

__all__ = ["InfiniteGaussianMixture", "TuneResult", "table_ii", "tune"]
