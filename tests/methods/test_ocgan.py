"""OCGAN: codes stay in the cube, and mining finds worse ones without touching a network."""

import copy

import torch

from ganad import OCGAN

from ..samples import normal, trained


def test_mined_codes_look_less_like_the_class_and_stay_in_the_cube():
    model = trained(OCGAN, epochs=10).fit(normal("images"))
    before = copy.deepcopy(model.nets_.state_dict())
    l2 = torch.empty(64, model.latent_dim).uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    mined = model.mine(l2)
    model.nets_.eval()
    decode, classify = model.nets_.autoencoder["decoder"], model.nets_.classifier
    with torch.no_grad():
        change = classify(decode(mined)) - classify(decode(l2))
    assert change.mean() < 0
    assert (change <= 1e-4).float().mean() > 0.9
    assert mined.abs().max() <= 1
    assert all(torch.equal(v, before[k]) for k, v in model.nets_.state_dict().items())


def test_codes_are_bounded():
    model = trained(OCGAN, epochs=2).fit(normal("table"))
    with torch.no_grad():
        codes = model.nets_.autoencoder["encoder"](100 * torch.randn(50, 6))
    assert codes.abs().max() <= 1


def test_running_statistics_are_those_of_reconstructions_alone():
    model = trained(OCGAN, epochs=1, mine_from=0.0).fit(normal("images"))
    norms = [m for m in model.nets_.autoencoder["decoder"].modules() if isinstance(m, torch.nn.BatchNorm2d)]
    batches = 4  # of 50 in 200 images: one update a step, though the decoder runs four times
    assert [int(m.num_batches_tracked) for m in norms] == [batches] * len(norms)
