"""IGMM-GAN: scores are the mixture's distances, and the published network."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from torch import nn

import ganad
from ganad import IGMMGAN
from ganad.errors import Interrupted

from ..samples import normal, small
from .steps import fake, fixed_noise, inputs, losses, real


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


def test_losses_and_the_score_of_the_network_alone():
    model = small(IGMMGAN, w_rec=3.0, alpha=0.2).fit(normal("table"))
    x, z = inputs(model, normal("table")), fixed_noise(model, len(normal("table")))
    (_, first), (_, second), (_, coder) = steps = losses(model, x)
    model.nets_.eval()
    E, G, D = model.nets_.coder["encoder"], model.nets_.coder["generator"], model.nets_.discriminator
    with torch.no_grad():
        encoded, generated, error = D(x, E(x)), D(G(z), z), (x - G(E(x))).numpy()
    assert [player for player, _ in steps] == ["discriminator", "discriminator", "coder"]
    assert first == pytest.approx(dict(encoded=real(encoded)), rel=1e-4)
    assert second == pytest.approx(dict(generated=fake(generated)), rel=1e-4)
    rec = 3 * (error**2).mean()
    expected = dict(generated=real(generated), encoded=fake(encoded), reconstruction=rec)
    assert coder == pytest.approx(expected, rel=1e-4)
    scores = 0.2 * np.linalg.norm(error, axis=1) + 0.8 * np.logaddexp(0, -encoded.numpy())
    assert np.allclose(model.set_params(variant="sigma").anomaly_score(normal("table")), scores, rtol=1e-4)


def test_a_stop_in_the_sweeps_stops_the_fit(monkeypatch):
    def stop(self, info):
        raise KeyboardInterrupt

    monkeypatch.setattr(IGMMGAN, "_sweep", stop)
    model = small(IGMMGAN)
    with pytest.raises(Interrupted, match="in the sweeps of the mixture"):
        model.fit(normal("table"))
    assert not hasattr(model, "nets_")
