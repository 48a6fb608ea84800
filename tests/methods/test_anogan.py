"""AnoGAN: the search moves the code, and what it minimises is the score."""

import numpy as np
import pytest
import torch

from ganad import AnoGAN

from ..samples import normal, small, trained
from .steps import fake, fixed_noise, inputs, losses, real


def test_the_search_lowers_its_loss_by_half_and_scores_what_it_ends_with():
    x = normal("table")
    model = trained(AnoGAN, n_starts=1, search_steps=200, search_lr=0.05).fit(x)
    batch = model.input_.to_network(torch.from_numpy(x[:64]))
    D = model.nets_.discriminator
    with torch.no_grad():
        start = model.distance(batch, D.features(batch), model.starts_.repeat(64, 1))
    z, scores = model.search(batch)
    assert scores.mean() < 0.5 * start.mean()
    assert not torch.allclose(z, model.starts_)
    with torch.no_grad():
        drawn = model.nets_.generator(z)
        pixels = np.abs((batch - drawn).numpy()).sum(1)
        features = np.abs((D.features(batch) - D.features(drawn)).numpy()).sum(1)
    assert np.allclose(scores.numpy(), 0.9 * pixels + 0.1 * features, rtol=1e-4)


def test_more_starts_never_score_higher_and_the_first_is_among_them():
    x = normal("table")
    one = trained(AnoGAN, epochs=5, n_starts=1).fit(x)
    many = trained(AnoGAN, epochs=5, n_starts=1).fit(x)
    many.n_starts, many.starts_ = 3, torch.cat([one.starts_, torch.randn(2, 8)])
    assert (many.anomaly_score(x[:50]) <= one.anomaly_score(x[:50]) * (1 + 1e-5)).all()


def test_published_layer_tables():
    mnist = AnoGAN.preset("mnist").build((1, 28, 28))
    assert mnist["discriminator"].features[0].weight.shape == (64, 1, 4, 4)
    assert mnist["discriminator"].head.in_features == 1024
    cifar = AnoGAN.preset("cifar10").build((3, 32, 32))
    assert cifar["generator"][1].weight.shape == (100, 512, 4, 4)
    assert cifar["discriminator"].head.weight.shape == (1, 512, 4, 4)


def test_published_parameter_counts():
    def counts(preset, shape):
        return [sum(p.numel() for p in net.parameters()) for net in AnoGAN.preset(preset).build(shape).values()]

    assert counts("arrhythmia", (274,)) == [65 * 128 + 129 * 256 + 257 * 274, 275 * 256 + 257 * 128 + 129]
    hidden = 25 * (512 * 256 + 256 * 128 + 128 * 64)
    assert counts("oct", (1, 64, 64)) == [
        100 * 8192 + hidden + 25 * 64 + 2 * (512 + 256 + 128 + 64),
        25 * 64 + hidden + 8192 + 2 * (128 + 256 + 512),
    ]
    slopes = [
        m.negative_slope
        for m in AnoGAN.preset("arrhythmia").build((274,))["discriminator"].modules()
        if isinstance(m, torch.nn.LeakyReLU)
    ]
    assert slopes == [0.2, 0.2]


def test_the_discriminator_alone_scores_without_a_search():
    x = normal("table")
    model = small(AnoGAN, variant="discriminator", prior="uniform").fit(x)
    batch = model.input_.to_network(torch.from_numpy(x))
    model.search = None
    with torch.no_grad():
        assert np.allclose(model.anomaly_score(x), -model.nets_.discriminator(batch).numpy(), atol=1e-5)
    codes = model.draw(1000)
    assert codes.abs().max() <= 1 and abs(codes.var() - 1 / 3) < 0.03


@pytest.mark.parametrize("kind", ["table", "images"])
def test_losses(kind):
    model = small(AnoGAN).fit(normal(kind))
    x, z = inputs(model, normal(kind)), fixed_noise(model, len(normal(kind)))
    got, D = dict(losses(model, x)), model.nets_.discriminator
    drawn = D(model.nets_.generator(z))
    assert got["discriminator"] == pytest.approx(dict(real=real(D(x)), fake=fake(drawn)), rel=1e-4)
    assert got["generator"] == pytest.approx(dict(adv=real(drawn)), rel=1e-4)


def test_the_search_by_cross_entropy_scores_what_it_ends_with_and_lowers_it():
    X = normal("table")[:30]
    model = trained(AnoGAN, epochs=5, variant="cross-entropy", w_feature=0.4, n_starts=1, search_lr=0.05).fit(
        normal("table")
    )
    x = inputs(model, X)
    z, scores = model.search(x)

    def by_formula(codes):
        with torch.no_grad():
            drawn = model.nets_.generator(codes)
            logit = model.nets_.discriminator(drawn).numpy()
        return 0.6 * np.abs((x - drawn).numpy()).sum(1) + 0.4 * np.logaddexp(0, -logit)

    assert np.allclose(scores, by_formula(z), rtol=1e-4)
    assert np.allclose(model.anomaly_score(X), scores, rtol=1e-4)
    assert scores.mean() < 0.9 * by_formula(model.starts_.repeat(30, 1)).mean()


def test_a_search_is_that_of_the_settings_or_of_the_kind():
    assert AnoGAN().search_for((9,)) == (4, 50, 0.1)
    assert AnoGAN(n_starts=1, search_lr=0.01).search_for((9,)) == (1, 200, 0.01)  # as files from before have it
    assert AnoGAN().search_for((1, 28, 28)) == (1, 500, 0.01)
    assert AnoGAN(n_starts=3, search_steps=7, search_lr=0.2).search_for((1, 28, 28)) == (3, 7, 0.2)
    assert AnoGAN.preset("kddcup99").search_for((9,)) == (1, 200, 0.01)
