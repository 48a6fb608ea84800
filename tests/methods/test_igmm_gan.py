"""IGMM-GAN: scores are the mixture's distances, and the published network."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from torch import nn

import ganad
from ganad import IGMMGAN

from ..samples import normal, small


@pytest.mark.parametrize("kind", ["table", "images"])
def test_score_is_the_distance_to_the_nearest_cluster(kind, tmp_path):
    detector = small(IGMMGAN, min_cluster_size=5, prior_scale=0.1).fit(normal(kind))
    codes = detector.encode(normal(kind))
    np.testing.assert_allclose(detector.anomaly_score(normal(kind)), detector.mixture_.mahalanobis(codes), rtol=1e-5)
    detector.save(tmp_path / "model")
    again = ganad.load(tmp_path / "model")
    np.testing.assert_array_equal(again.mixture_.labels_, detector.mixture_.labels_)
    assert len(detector.mixture_.labels_) == len(normal(kind))


def test_gaussian_variant():
    detector = small(IGMMGAN).fit(normal("table")).set_params(variant="gaussian")  # variants need no new fit
    codes = detector.encode(normal("table")).astype(float)
    inverse = np.linalg.inv(np.cov(codes, rowvar=False))
    expected = [mahalanobis(z, codes.mean(0), inverse) for z in codes[:20]]
    np.testing.assert_allclose(detector.anomaly_score(normal("table")[:20]), expected, rtol=1e-3)


def test_step_size_halves_four_times():
    detector = IGMMGAN.preset("mnist")
    factors = [detector.lr_factor("coder", 0, i) for i in (0, 9_999, 10_000, 39_999, 40_000, 90_000)]
    assert factors == [1, 1, 0.5, 0.125, 0.0625, 0.0625]


def test_published_discriminator():
    """26 x 27 and 24 x 27 maps of 64 channels, then 41,984 inputs of a dense layer of 1024."""
    D = IGMMGAN.preset("mnist").build((1, 28, 28))["discriminator"]
    dense = next(m for m in D.joint if isinstance(m, nn.Linear))
    assert (dense.in_features, dense.out_features) == (41_984, 1024)
