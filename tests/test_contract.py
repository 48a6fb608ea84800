"""What holds for every detector, on tables and on images: the checks that ganad.testing ships."""

import pytest

from ganad import DETECTORS, IsolationForest
from ganad.testing import KINDS, parametrize_with_checks

from .samples import TRAINED, anomalous, fitted


@parametrize_with_checks([detector() for detector in DETECTORS], trained=TRAINED)
def test_contract(detector, check):
    check(detector)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_only_a_score_in_steps_is_explained_by_zeros(detector, kind):
    assert fitted(detector, kind).explain(anomalous(kind)).any() == (detector is not IsolationForest)
