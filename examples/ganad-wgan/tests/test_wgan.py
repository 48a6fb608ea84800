from ganad_wgan import WGAN

from ganad.testing import parametrize_with_checks


@parametrize_with_checks([WGAN()], trained={WGAN: dict(epochs=200)})
def test_contract(detector, check):
    check(detector)
