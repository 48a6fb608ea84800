"""AnoGAN: the search moves the code, and what it minimises is the score."""

import numpy as np
import torch

from ganad import AnoGAN

from ..samples import normal, trained


def test_the_search_lowers_its_loss_by_half_and_scores_what_it_ends_with():
    x = normal("table")
    model = trained(AnoGAN, search_steps=200, search_lr=0.05).fit(x)
    batch = model.to_network(torch.from_numpy(x[:64]))
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
    one = trained(AnoGAN, epochs=5).fit(x)
    many = trained(AnoGAN, epochs=5).fit(x)
    many.n_starts, many.starts_ = 3, torch.cat([one.starts_, torch.randn(2, 8)])
    assert (many.anomaly_score(x[:50]) <= one.anomaly_score(x[:50]) * (1 + 1e-5)).all()


def test_published_layer_tables():
    mnist = AnoGAN.preset("mnist").build((1, 28, 28))
    assert mnist["discriminator"].features[0].weight.shape == (64, 1, 4, 4)
    assert mnist["discriminator"].head.in_features == 1024
    cifar = AnoGAN.preset("cifar10").build((3, 32, 32))
    assert cifar["generator"][1].weight.shape == (100, 512, 4, 4)
    assert cifar["discriminator"].head.weight.shape == (1, 512, 4, 4)
