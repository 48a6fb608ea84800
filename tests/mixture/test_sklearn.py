"""scikit-learn's own checks; no failure is expected, so none is listed."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from ganad.mixture import InfiniteGaussianMixture

SHORT = dict(n_sweeps=12, burn_in=6, thin=3, random_state=0)


@parametrize_with_checks(
    [
        InfiniteGaussianMixture(**SHORT),
        InfiniteGaussianMixture(**SHORT, sampler="subcluster", alpha_prior=(1.0, 1.0), consensus="best"),
    ]
)
def test_estimator_check(estimator, check):
    check(estimator)
