"""scikit-learn's part of a detector, with types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:

    class Estimator:
        """The methods that scikit-learn adds, with types. Without them the base would be Any, which hides typos."""

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def __getstate__(self) -> dict[str, Any]: ...

else:
    from sklearn.base import BaseEstimator, OutlierMixin

    class Estimator(OutlierMixin, BaseEstimator):
        """scikit-learn's outlier detector."""
