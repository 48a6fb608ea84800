"""OC-NN: the loss by formula, and r as its minimiser."""

import numpy as np
import pytest
import torch

from ganad import OCNN

from ..samples import fitted, normal, small


def test_loss_and_score_by_formula():
    detector = fitted(OCNN, "table")
    head = detector.nets_.head
    x = detector.input_.to_network(torch.from_numpy(normal("table")))
    with torch.no_grad():
        phi = detector.on_sphere(detector.features(x)).double().numpy()
        V, w = head.V.double().numpy(), head.w.double().numpy()[0]
        y = (1 / (1 + np.exp(-phi @ V.T))) @ w
        r = float(head.margin)
        np.testing.assert_allclose(
            detector.hinge(detector.output(x)), np.maximum(0, r - y) / detector.share_outside - r, rtol=1e-9
        )
    np.testing.assert_allclose(detector.anomaly_score(normal("table")), r - y, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(phi, axis=1), 1, rtol=1e-6)


def test_the_quantile_minimises_the_loss_in_r():
    detector = fitted(OCNN, "table")
    y = detector.output(detector.input_.to_network(torch.from_numpy(normal("table")))).detach().numpy()
    best = float(detector.nets_.head.margin)

    def loss(r):
        return np.maximum(0, r - y).mean() / detector.share_outside - r

    steps = np.ptp(y) * np.array([-0.5, -0.1, 0.1, 0.5])
    assert all(loss(best) <= loss(best + step) for step in steps)
    assert abs((y < best).mean() - detector.share_outside) < 0.01


def test_the_objective_is_the_papers():
    detector = fitted(OCNN, "table")
    head, x = detector.nets_.head, detector.input_.to_network(torch.from_numpy(normal("table")))
    with torch.no_grad():
        phi = detector.on_sphere(detector.features(x))
        _, terms = next(detector.margin_step(iter([phi])))
        V, w, y, r = head.V.numpy(), head.w.numpy(), head(phi).numpy(), float(head.margin)
    expected = (w**2).sum() / 2 + (V**2).sum() / 2 + np.maximum(0, r - y).mean() / detector.share_outside - r
    np.testing.assert_allclose(float(sum(terms.values())), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["table", "images"])
def test_a_sample_is_judged_by_its_code_and_its_errors(kind):
    model = fitted(OCNN, kind)
    x = model.input_.to_network(torch.from_numpy(normal(kind)))
    with torch.no_grad():
        features = model.features(x)
        code = model.nets_.autoencoder["encoder"](x)
        error = x - model.nets_.autoencoder["decoder"](code)
    np.testing.assert_allclose(features, torch.cat([code, error.flatten(1)], 1), atol=1e-6)
    assert small(OCNN, errors=False).fit(normal(kind)).features(x).shape == code.shape


def test_none_means_what_it_meant_when_it_was_the_default():
    table, images = (small(OCNN, errors=None, nu=None).fit(normal(kind)) for kind in ("table", "images"))
    assert (table.with_errors, table.share_outside) == (True, 0.5)
    assert (images.with_errors, images.share_outside) == (False, 0.1)
