"""Building blocks: TensorFlow's "same" sizes and alignment, and layers that are each other's transpose."""

import pytest
import torch
from torch import nn

from ganad.nets import (
    Critic,
    JointCritic,
    RowLinear,
    SameConv2d,
    SameDeconv2d,
    dcgan_init,
    filled,
    he_normal,
    keras_norm1d,
    keras_norm2d,
    mlp,
    normal_init,
    pyramid,
    row_linear,
    start_anew,
)
from ganad.nets.conv import _same_padding


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (2, 2), (3, 2), (4, 2), (5, 2), (5, 3), (7, 3)])
def test_convolution_halves_rounding_up_and_its_transpose_comes_back(kernel, stride):
    for height, width in [(8, 8), (7, 9), (28, 33), (5, 5)]:
        down = SameConv2d(2, 3, kernel, stride, bias=False)
        up = SameDeconv2d(3, 2, kernel, stride, (height, width), bias=False)
        x = torch.randn(2, 2, height, width)
        y = down(x)
        assert y.shape[2:] == (-(-height // stride), -(-width // stride))
        assert up(y).shape == x.shape
        # <A x, y> = <x, A' y> says that the transposed layer undoes the very same padding
        with torch.no_grad():
            up.weight.copy_(down.weight)
        y = torch.randn_like(y)
        assert torch.allclose((down(x) * y).sum(), (x * up(y)).sum(), atol=1e-3)


def test_same_padding_puts_the_odd_pixel_last():
    assert _same_padding(28, 4, 2) == (1, 1)
    assert _same_padding(32, 5, 2) == (1, 2)
    assert _same_padding(28, 3, 2) == (0, 1)
    assert _same_padding(7, 3, 1) == (1, 1)


def test_pyramid():
    assert pyramid((28, 28), until=8) == [(28, 28), (14, 14), (7, 7)]
    assert pyramid((30, 17), until=4) == [(30, 17), (15, 9), (8, 5), (4, 3)]
    assert pyramid((32, 32), levels=4)[-1] == (2, 2)


def test_a_pyramid_with_both_ends_keeps_the_later_one():
    assert pyramid((6, 5), until=8, levels=1) == [(6, 5), (3, 3)]
    assert pyramid((33, 20), until=8, levels=1) == pyramid((33, 20), until=8)
    for size in [(8, 8), (28, 28), (32, 20), (33, 33), (64, 40)]:
        expected = pyramid(size, until=4) if max(size) > 32 else pyramid(size, levels=3)
        assert pyramid(size, until=4, levels=3) == expected


@pytest.mark.parametrize(("n_in", "n_out"), [(6, 4), (10, 2), (30, 10), (121, 7), (64, 3)])
def test_a_row_comes_out_the_same_wherever_it_lies(n_in, n_out):
    layer, x, order = RowLinear(n_in, n_out).eval(), torch.randn(512, n_in), torch.randperm(512)
    with torch.no_grad():
        assert torch.equal(layer(x)[order], layer(x[order]))
        y, back = torch.randn(512, n_out), layer.weight.T
        assert torch.equal(row_linear(y, back)[order], row_linear(y[order], back))
        assert torch.allclose(layer(x), x @ layer.weight.T + layer.bias, atol=1e-5)
        assert torch.equal(layer.train()(x), nn.functional.linear(x, layer.weight, layer.bias))


def test_critics_return_logits_and_features():
    critic = Critic(mlp(6, 5, 4, last=nn.ReLU()), nn.Linear(4, 1))
    x = torch.randn(3, 6)
    assert critic(x).shape == (3,)
    assert torch.equal(critic(x), critic.head(critic.features(x)).flatten())
    joint = JointCritic(nn.Linear(6, 4), nn.Linear(2, 3), nn.Linear(7, 5), nn.Linear(5, 1))
    assert joint(x, torch.randn(3, 2)).shape == (3,)


def test_initialisations():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(400, 400), nn.BatchNorm1d(400))
    net.apply(normal_init(0.02))
    assert abs(net[0].weight.std() - 0.02) < 1e-3
    assert not net[0].bias.any()
    net.apply(he_normal)
    assert abs(net[0].weight.std() - (2 / 400) ** 0.5) < 1e-3
    net.apply(dcgan_init)
    assert abs(net[1].weight.mean() - 1) < 0.01
    assert abs(net[1].weight.std() - 0.02) < 5e-3


def test_a_network_begins_anew_by_the_rule_it_began_with():
    net = nn.Sequential(nn.Conv2d(3, 200, 5), nn.BatchNorm2d(200), nn.Flatten(), nn.Linear(400, 400))
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    net.apply(start_anew)
    assert abs(net[0].weight.std() - 0.02) < 1e-3
    assert abs(net[1].weight.std() - 0.02) < 5e-3
    assert net[3].weight.abs().max() <= 400**-0.5
    assert net[3].weight.std().item() == pytest.approx((3 * 400) ** -0.5, rel=0.05)


def test_keras_batch_norm_averages_and_divides_as_keras_does():
    x = torch.randn(50, 3)
    flat, maps = keras_norm1d(3), keras_norm2d(3)
    expected = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-3).sqrt()
    assert torch.allclose(flat(x), expected, atol=1e-5)
    assert torch.allclose(maps(x[:, :, None, None]).flatten(1), expected, atol=1e-5)
    assert torch.allclose(flat.running_mean, 0.01 * x.mean(0))
    assert keras_norm2d(3, 0.2).momentum == 0.2


def test_row_linear_refuses_other_widths_and_takes_filled_rows():
    x, weight = torch.ones(3, 10), torch.ones(4, 12)
    with pytest.raises(RuntimeError):
        row_linear(x, weight)
    assert torch.equal(row_linear(filled(x), filled(weight[:, :10])), row_linear(x, weight[:, :10]))
    wide = torch.ones(2, 32)
    assert filled(wide) is wide
