"""The loop's Adam against torch's."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from ganad.training import Adam


def gradients(net: nn.Module, seed: int) -> None:
    """Random gradients; the third parameter has none in odd steps, and the last never has one."""
    generator = torch.Generator().manual_seed(seed)
    parameters = list(net.parameters())
    for i, p in enumerate(parameters):
        left_out = i == len(parameters) - 1 or (i == 2 and seed % 2)
        p.grad = None if left_out else torch.randn(p.shape, generator=generator)


def made() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last), nn.Linear(7, 3), nn.Linear(3, 1))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_steps_like_torchs_fused_adam_to_the_bit_and_goes_on_from_its_state(decay):
    mine, theirs = made(), made()
    ours = Adam(mine.parameters(), 3e-3, (0.5, 0.9), weight_decay=decay)
    torchs = torch.optim.Adam(theirs.parameters(), 3e-3, (0.5, 0.9), weight_decay=decay, fused=True)
    for step in range(7):
        for net, optimizer in ((mine, ours), (theirs, torchs)):
            gradients(net, step)
            optimizer.param_groups[0]["lr"] = 3e-3 / (1 + step)
            optimizer.step()
        if step == 3:  # a checkpoint of either serves the other
            kept = copy.deepcopy(torchs.state_dict())
            assert ours.state_dict()["state"].keys() == kept["state"].keys()
            torchs.load_state_dict(kept | {"state": copy.deepcopy(ours.state_dict()["state"])})
            ours = Adam(mine.parameters(), 3e-3, (0.5, 0.9), weight_decay=decay)
            ours.load_state_dict(kept)
    assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters()))
    for number, slots in torchs.state_dict()["state"].items():
        assert all(torch.equal(value, ours.state_dict()["state"][number][slot]) for slot, value in slots.items())


def test_without_any_gradient_nothing_moves():
    net = made()
    before = copy.deepcopy(net.state_dict())
    optimizer = Adam(net.parameters(), 1.0)
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert optimizer.state_dict()["state"] == {}


@pytest.mark.parametrize("wrong", [dict(lr=-1.0), dict(betas=(0.5, 1.0)), dict(weight_decay=-0.1)])
def test_impossible_rates_are_refused(wrong):
    with pytest.raises(ValueError, match="Adam cannot step with"):
        Adam(made().parameters(), **wrong)


def test_parameters_of_two_types_are_refused():
    with pytest.raises(ValueError, match="one type"):
        Adam([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, dtype=torch.float64))])


def test_a_fit_does_not_import_torchs_compiler():
    code = (
        "import sys, numpy as np, ganad\n"
        "ganad.VAE(epochs=1, verbose=0, device='cpu').fit(np.random.default_rng(0).normal(size=(64, 4)))\n"
        "print([m for m in ('torch._dynamo', 'sympy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
