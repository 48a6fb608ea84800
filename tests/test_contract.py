"""What holds for every detector, on tables and on images: the checks that ganad.testing ships."""

import pytest

from ganad import ADGAN, DETECTORS, EGBAD, IGMMGAN, FAnoGAN, FenceGAN, IsolationForest
from ganad.testing import KINDS, contract, parametrize_with_checks

from .samples import TRAINED, anomalous, fitted

#: Methods that find planted anomalies long before the others, and one whose search of every sample takes most time.
SOONER = {cls: dict(epochs=20) for cls in (EGBAD, FAnoGAN, FenceGAN, IGMMGAN)}
SOONER |= {ADGAN: dict(epochs=20, search_steps=5, n_seeds=2)}
CHECKED = [ADGAN(search_steps=2) if detector is ADGAN else detector() for detector in DETECTORS]
each = pytest.mark.parametrize("detector", CHECKED, ids=lambda d: type(d).__name__)


def cases():
    """Arguments of the checks; photos of 128 x 128 are slow, and those of half the side have a test of their own."""
    names, params = parametrize_with_checks(CHECKED, trained=TRAINED | SOONER).args
    slow = [pytest.param(*p.values, id=p.id, marks=[pytest.mark.slow] * p.id.endswith("128x128x3")) for p in params]
    assert sum(bool(p.marks) for p in slow) == len(CHECKED)
    return names, slow


@pytest.mark.parametrize(*cases())
def test_contract(detector, check):
    check(detector)


@each
def test_photos_of_64_pixels(detector):
    contract.check_samples_of_any_shape(detector, "images", shape=(64, 64, 3))


@pytest.mark.parametrize("kind", KINDS)
@each
def test_only_a_score_in_steps_is_explained_by_zeros(detector, kind):
    assert fitted(detector, kind).explain(anomalous(kind)).any() == (not isinstance(detector, IsolationForest))
