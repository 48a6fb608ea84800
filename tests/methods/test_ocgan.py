"""OCGAN: codes stay in the cube, and mining finds worse ones without touching a network."""

import copy

import numpy as np
import torch

from ganad import OCGAN
from ganad.training import Stream, TrainingSet

from ..samples import normal, small, trained


def test_losses_and_scores():
    model = small(OCGAN, noise_sd=0.0, mine_from=0.0).fit(normal("table"))
    x = model.input_.to_network(torch.from_numpy(normal("table")))
    codes = []
    model.mine = lambda l2: codes.append(l2) or l2  # leaves them where they are, and shows them
    steps = dict(model.training_step(Stream(TrainingSet(x, x.device), len(x), "")))
    n, E, G = model.nets_, model.nets_.autoencoder["encoder"], model.nets_.autoencoder["decoder"]
    with torch.no_grad():
        l1, l2 = E(x), codes[0]
        x_hat, drawn, mse = G(l1), G(l2), (x - G(l1)).square().mean(1).numpy()
        C, C_drawn, D_l1, D_l2 = n.classifier(x_hat), n.classifier(drawn), n.disc_latent(l1), n.disc_latent(l2)
        logits = [C, C_drawn, D_l1, D_l2, n.disc_visual(x), n.disc_visual(drawn)]
        yes, no = ([np.logaddexp(0, sign * d.numpy()).mean() for d in logits] for sign in (-1, 1))
        scores = dict(reconstruction=mse, input=-logits[4], visual=-n.disc_visual(x_hat), classifier=-C)
    expected = dict(classifier=[yes[0], no[1]], disc_latent=[no[2], yes[3]], disc_visual=[yes[4], no[5]])
    for player, losses in (expected | dict(autoencoder=[10 * mse.mean(), yes[2], yes[5]])).items():
        assert np.allclose([t.item() for t in steps[player].values()], losses, rtol=1e-4), player
    for variant, values in scores.items():
        assert np.allclose(model.set_params(variant=variant).anomaly_score(normal("table")), values, atol=1e-4)


def test_published_parameter_counts_and_noise_that_depends_on_nothing():
    nets = OCGAN.preset("mxnet").build((3, 61, 61))
    nets = {**nets["autoencoder"], "visual": nets["disc_visual"], "classifier": nets["classifier"]}
    assert [sum(p.numel() for p in m.parameters()) for m in nets.values()] == [4_307_456, 4_306_499, 38_257, 1_036_033]
    x = normal("images")
    model = small(OCGAN, score_noise_sd=0.2, padding="none").fit(x)
    assert np.array_equal(model.anomaly_score(x)[50:53], model.anomaly_score(x[50:53]))
    assert not np.array_equal(model.anomaly_score(x), model.set_params(score_noise_sd=0.0).anomaly_score(x))


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


def test_the_printed_target_and_the_codes_tanh():
    model = small(OCGAN, mine_steps=1, mine_lr=2.0).fit(normal("table"))
    l2 = torch.empty(64, model.latent_dim).uniform_(-1, 1).requires_grad_()
    model.nets_.eval()
    logit = model.nets_.classifier(model.nets_.autoencoder["decoder"](l2))
    d = 1 / (1 + np.exp(-logit.detach().numpy()[:, None]))
    slope = torch.autograd.grad(logit.sum(), l2)[0].numpy()
    start = l2.detach().numpy()
    for sort, step in dict(outside=d, inside=d - 1).items():
        moved = start - 2.0 * step * slope  # the slope of H(t, C) is sigma(C) - t
        for bound, expected in dict(clamp=np.clip(moved, -1, 1), tanh=np.tanh(moved)).items():
            mined = model.set_params(mine_for=sort, mine_bound=bound).mine(l2.detach())
            assert np.allclose(mined.numpy(), expected, atol=1e-5), (sort, bound)


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
