"""DSEBM: the reconstruction written out is the gradient of the energy."""

import numpy as np
import pytest
import torch

from ganad import DSEBM
from ganad.seeds import isolated_rng

from ..samples import fitted, normal


@pytest.mark.parametrize("kind", ["table", "images"])
def test_reconstruction_is_x_minus_the_energys_gradient(kind):
    detector = fitted(DSEBM, kind)
    x = detector.input_.to_network(torch.from_numpy(normal(kind)[:5])).requires_grad_()
    energy, x_hat = detector.nets_.energy(x)
    (gradient,) = torch.autograd.grad(energy.sum(), x)
    np.testing.assert_allclose(x_hat.detach(), (x - gradient).detach(), atol=1e-5)


@pytest.mark.parametrize("side", [8, 9])
def test_the_same_holds_where_maps_are_pooled(side):
    energy = DSEBM(network="alad", width=5, latent_dim=7).build((2, side, side))["energy"]
    x = torch.randn(3, 2, side, side, requires_grad=True)
    value, x_hat = energy(x)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    np.testing.assert_allclose(x_hat.detach(), (x - gradient).detach(), atol=1e-5)


def test_parameter_count_of_alads_images():
    energy = DSEBM.preset("cifar10-alad").build((3, 32, 32))["energy"]
    assert sum(p.numel() for p in energy.parameters()) == 28 * 64 + (64 * 8 * 8 + 1) * 128 + 3 * 32 * 32


def test_energy_of_a_table():
    detector = fitted(DSEBM, "table")
    net, x = detector.nets_.energy, torch.randn(7, 6)
    h = x.numpy()
    for layer in net.layers:
        h = np.logaddexp(0, h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())
    expected = np.square(x.numpy() - net.visible.detach().numpy()).sum(1) / 2 - h.sum(1)
    np.testing.assert_allclose(net(x)[0].detach(), expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["table", "images"])
def test_the_loss_is_denoising_score_matching(kind):
    """||x - f(x + n)||^2 is ||grad E(x + n) - n||^2: the gradient is to point back along the noise."""
    detector = fitted(DSEBM, kind)
    x = detector.input_.to_network(torch.from_numpy(normal(kind)[:5]))
    with isolated_rng(3, detector.device_):
        loss = detector.denoising(x)
    with isolated_rng(3, detector.device_):
        noise = (1.0 if kind == "table" else 0.5) * torch.randn_like(x)
    noisy = (x + noise).requires_grad_()
    (gradient,) = torch.autograd.grad(detector.nets_.energy(noisy)[0].sum(), noisy)
    np.testing.assert_allclose(loss.detach(), (gradient - noise).square().flatten(1).sum(1), rtol=1e-4)
