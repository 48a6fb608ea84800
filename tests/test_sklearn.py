"""scikit-learn's own checks on every detector; no failure is expected, so none is listed."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from ganad import DETECTORS

from .samples import small


@parametrize_with_checks([small(detector) for detector in DETECTORS])
def test_estimator_check(estimator, check):
    check(estimator)
