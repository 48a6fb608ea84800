"""OCAN: stages, losses against NumPy, sequences."""

import numpy as np
import pytest
import torch

from ganad import OCAN

from ..samples import normal, small
from .steps import fake, losses, real


def test_stages_and_threshold_of_the_density():
    model = small(OCAN, representation="dense").fit(normal("table"))
    assert [row["stage"] for row in model.history_] == ["encoder", "target", "gan"]
    codes = model.scaled(model.represent(model.input_.to_network(torch.from_numpy(normal("table")))))
    assert codes.abs().max() <= 1 + 1e-5
    with torch.no_grad():
        density = torch.sigmoid(model.nets_.target(codes))
    assert abs((density < model.epsilon_).float().mean() - 0.05) < 0.02


def test_a_table_is_learnt_as_it_is_unless_it_is_wide():
    narrow, wide, image = (OCAN().build(shape) for shape in ((100,), (101,), (1, 8, 8)))
    assert "autoencoder" not in narrow and "autoencoder" in wide and "autoencoder" in image
    assert next(small(OCAN).fit(normal("table")).nets_.target.parameters()).shape[1] == 6


def test_generator_terms_against_numpy():
    model = small(OCAN, representation="none").fit(normal("table"))
    D, T = model.nets_.discriminator.eval(), model.nets_.target.eval()
    v, fake = torch.randn(16, 6), torch.randn(16, 6)
    with torch.no_grad():
        terms = {k: float(t) for k, t in model.complementary(fake, v).items()}
        f, g, p = D.features(fake).numpy(), D.features(v).numpy(), torch.sigmoid(T(fake)).numpy()
    unit = f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12)
    assert np.isclose(terms["pt"], ((unit @ unit.T) ** 2)[~np.eye(16, dtype=bool)].mean(), atol=1e-4)
    assert np.isclose(terms["density"], (np.log(p) * (p >= model.epsilon_)).mean(), rtol=1e-4)
    assert np.isclose(terms["fm"], ((f.mean(0) - g.mean(0)) ** 2).sum(), rtol=1e-3)


def test_published_networks_of_the_codes():
    def counts(preset, d):
        nets = OCAN.preset(preset).build((d,))
        return [sum(p.numel() for p in nets[k].parameters()) for k in ("generator", "discriminator", "autoencoder")]

    def gan(d):
        return [51 * 100 + 101 * d, (d + 1) * 100 + 101 * 50 + 51]

    dense = 31 * 100 + 101 * 50 + 51 * 50 + 51 * 30
    assert counts("credit-card-codes", 30) == counts("credit-card-codes-as-described", 30) == [*gan(50), dense]
    for preset, features in {"wiki-code": 8, "wiki-as-described": 4}.items():
        lstms = 4 * 200 * (features + 200 + 2) + 4 * 200 * (200 + 200 + 2)
        assert counts(preset, 50 * features) == [*gan(200), lstms + 201 * features]


def test_sequences():
    x = np.random.default_rng(0).normal(size=(60, 5 * 2)).cumsum(1)
    model = small(OCAN, representation="lstm", sequence_shape=(5, 2), code_dim=6).fit(x)
    assert np.isfinite(model.anomaly_score(x)).all()
    assert model.represent(torch.randn(3, 10)).shape == (3, 6)


@pytest.mark.parametrize("reading", ["paper", "code"])
def test_losses_of_the_discriminators_and_both_entropies(reading):
    model = small(OCAN, representation="none", reading=reading, w_entropy=1.85).fit(normal("table"))
    v, z = torch.rand(200, 6) * 2 - 1, torch.rand(200, 4) * 2 - 1
    model.uniform = lambda n: z
    nets = model.nets_.eval()
    with torch.no_grad():
        drawn, regular = nets.generator(z), nets.target_generator(z)
        logit = nets.discriminator(v)
    p = 1 / (1 + np.exp(-logit.double().numpy()))
    entropy = -p * np.log(p) - (reading == "code") * (1 - p) * np.log(1 - p)
    expected = dict(real=real(logit), fake=fake(nets.discriminator(drawn)), entropy=1.85 * entropy.mean())
    assert dict(losses(model, v, "gan_step"))["discriminator"] == pytest.approx(expected, rel=1e-4)
    target = dict(losses(model, v, "target_step"))
    assert target["target"] == pytest.approx(dict(real=real(nets.target(v)), fake=fake(nets.target(regular))), rel=1e-4)
    assert target["target_generator"] == pytest.approx(dict(adv=real(nets.target(regular))), rel=1e-4)


def test_generator_terms_of_the_code_against_numpy():
    model = small(OCAN, representation="none", reading="code").fit(normal("table"))
    D, T = model.nets_.discriminator.eval(), model.nets_.target.eval()
    v, drawn = torch.randn(16, 6), torch.randn(16, 6)
    with torch.no_grad():
        terms = {k: float(t) for k, t in model.complementary(drawn, v).items()}
        f, not_benign = T.features(drawn).double().numpy(), 1 / (1 + np.exp(T(drawn).double().numpy()))
        fm = np.abs((D(v) - D(drawn)).numpy()).mean()
    unit = f / np.maximum(np.linalg.norm(f, axis=1, keepdims=True), 1e-12)
    pt = ((unit @ unit.T) ** 2)[~np.eye(16, dtype=bool)].mean()
    dense = not_benign > (not_benign.max() + not_benign.min()) / 2
    assert 0 < dense.sum() < 16
    assert terms == pytest.approx(dict(pt=pt, density=(np.log(not_benign) * dense).mean(), fm=fm), rel=1e-3)
