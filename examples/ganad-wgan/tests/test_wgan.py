from ganad.testing import parametrize_with_checks
from ganad_wgan import WGAN


@parametrize_with_checks([WGAN()], trained={WGAN: dict(epochs=200)})
def test_contract(detector, check):
    check(detector)
