"""ADGAN: private copies, bounded memory, other detectors' generators."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

import ganad
from ganad import ADGAN, DETECTORS, OCGAN, AnoGAN, FenceGAN, InputError
from ganad.nets.per_sample import FewPerWeight

from ..samples import fitted, normal, small
from .steps import fixed_noise, inputs, losses


def by_hand(model: ADGAN, x: torch.Tensor) -> float:
    """The paper's procedure for one sample: a copy of the generator and fresh optimisers for every start."""
    errors = []
    for start in model.starts_:
        G, z = copy.deepcopy(model.nets_.generator).eval().requires_grad_(), start[None].clone().requires_grad_()
        groups = [{"params": [z], "lr": model.search_lr}, {"params": G.parameters(), "lr": model.weight_lr}]
        adam = torch.optim.Adam(groups, betas=(0.5, 0.999))
        for _ in range(model.search_steps):
            adam.zero_grad()
            (x - G(z)).square().sum().backward()
            adam.step()
        errors.append((x - G(z)).square().sum().item())
    return float(np.mean(errors))


@pytest.mark.parametrize("kind", ["table", "images"])
def test_scores_are_those_of_the_search_done_one_by_one(kind):
    model = small(ADGAN, search_steps=5, n_seeds=3, weight_lr=1e-3).fit(normal(kind))
    x = normal(kind)[:4]
    expected = [by_hand(model, row[None]) for row in model.input_.to_network(torch.from_numpy(x))]
    assert np.allclose(model.anomaly_score(x), expected, rtol=1e-3)


@pytest.mark.parametrize("options", [(1, 0), (2, 1), ((2, 3), (1, 0), (1, 2))])
def test_products_are_the_transposed_convolution(options):
    x, weight, bias = torch.randn(3, 4, 5, 6), torch.randn(4, 2, 3, 4), torch.randn(2)
    expected = torch.nn.functional.conv_transpose2d(x, weight, bias, *options)
    with FewPerWeight():
        drawn = torch.nn.functional.conv_transpose2d(x, weight, bias, *options)
    assert not torch.equal(drawn, expected)  # the mode took it over
    assert torch.allclose(drawn, expected, atol=1e-4)


def test_a_smaller_memory_budget_changes_nothing():
    model = fitted(ADGAN, "table")
    bounded = copy.deepcopy(model)
    bounded.memory_budget_mb = 1
    assert np.allclose(bounded.anomaly_score(normal("table")), model.anomaly_score(normal("table")), rtol=1e-5)


@pytest.mark.parametrize("moving", ["sample", "none"])
def test_one_generator_for_all_starts_of_a_sample_or_none_that_moves(moving):
    model = small(ADGAN, moving=moving, search_steps=5, n_seeds=3, weight_lr=1e-3).fit(normal("table"))
    x, errors, priors = inputs(model, normal("table")[:4]), [], []
    for row in x:
        G, z = copy.deepcopy(model.nets_.generator).requires_grad_(), model.starts_.clone().requires_grad_()
        groups = [{"params": [z], "lr": 0.25}, {"params": G.parameters(), "lr": 1e-3 if moving == "sample" else 0.0}]
        adam = torch.optim.Adam(groups, betas=(0.5, 0.999))
        for _ in range(5):
            adam.zero_grad()
            (row - G(z)).square().sum().backward()
            adam.step()
        errors.append((row - G(z)).square().sum(1).mean().item())
        priors.append(np.mean([-multivariate_normal(np.zeros(4)).logpdf(code) for code in z.detach().numpy()]))
    assert np.allclose(model.anomaly_score(normal("table")[:4]), errors, rtol=1e-3)
    constant = 4 / 2 * np.log(2 * np.pi)  # of the density, left out
    scores = model.set_params(variant="prior").anomaly_score(normal("table")[:4])
    assert np.allclose(scores, np.array(priors) - constant, rtol=1e-3)


@pytest.mark.parametrize("lipschitz", ["penalty", "clip"])
def test_losses_clipping_and_the_critic_as_score(lipschitz):
    model = small(ADGAN, lipschitz=lipschitz, n_critic=2, variant="critic").fit(normal("table"))
    x, z, D = inputs(model, normal("table")), fixed_noise(model, len(normal("table"))), model.nets_.critic
    with torch.no_grad():
        on_real, on_fake = D(x).numpy(), D(model.nets_.generator(z)).numpy()
    assert np.allclose(model.anomaly_score(normal("table")), -on_real, rtol=1e-4, atol=1e-6)
    (*critic, (last, generator)), bound = losses(model, x), max(p.detach().abs().max() for p in D.parameters())
    assert [player for player, _ in critic] == ["critic"] * 2 and last == "generator"
    assert critic[0][1]["real"] == pytest.approx(-on_real.mean(), rel=1e-4)
    assert critic[0][1]["fake"] == pytest.approx(on_fake.mean(), rel=1e-4)
    assert generator == pytest.approx(dict(adv=-on_fake.mean()), rel=1e-4)
    assert (critic[0][1].get("gp", -1) >= 0) == (lipschitz == "penalty") == (bound > 0.0101)


DRAW = "ADGAN AnoGAN FAnoGAN EGBAD ALAD IGMMGAN FenceGAN RGAN OCGAN VAE".split()


@pytest.mark.parametrize("kind", ["table", "images"])
@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_searches_what_any_detector_of_the_library_draws_or_says_that_it_draws_nothing(detector, kind, tmp_path):
    x, other = normal(kind)[:6], fitted(detector, kind)
    if detector.__name__ not in DRAW:
        with pytest.raises(InputError, match=f"{detector.__name__} does not draw samples from codes; give ADGAN"):
            ADGAN.from_detector(other)
        return
    model = ADGAN.from_detector(other, n_seeds=2, search_steps=2, search_lr=0.1, random_state=0)
    assert np.array_equal(model.sample(5, random_state=1), other.sample(5, random_state=1))
    expected = [by_hand(model, row[None]) for row in model.input_.to_network(torch.from_numpy(x))]
    assert np.allclose(model.anomaly_score(x), expected, rtol=1e-3)
    model.save(tmp_path / "m.safetensors")
    assert np.array_equal(ganad.load(tmp_path / "m.safetensors").anomaly_score(x), model.anomaly_score(x))


def test_codes_of_another_detector_follow_its_own_law():
    z = torch.randn(20, 4)
    fence, cube = small(FenceGAN, latent_sd=8.0).fit(normal("table")), fitted(OCGAN, "table")
    with torch.no_grad():
        drawn = [ADGAN.from_detector(d).nets_.generator(z) for d in (fence, cube)]
        assert torch.equal(drawn[0], fence.nets_.generator(8 * z))
        uniform = torch.tensor(2 * norm.cdf(z.numpy()) - 1)
        assert torch.allclose(drawn[1], cube.nets_.autoencoder["decoder"](uniform.float()), atol=1e-5)


def test_without_a_critic_of_its_own_and_after_a_fit():
    model = ADGAN.from_detector(fitted(AnoGAN, "images"), n_seeds=2, search_steps=2, random_state=0)
    model.calibrate(normal("images")[:50], false_alarm_rate=0.1)
    assert 0 < (model.predict(normal("images")) == -1).mean() < 0.3
    with pytest.raises(InputError, match="from_detector has no critic"):
        model.set_params(variant="critic").anomaly_score(normal("images"))
    assert not hasattr(model.set_params(epochs=1, width=8, n_critic=1).fit(normal("images")), "generator_of_")


def test_published_parameter_counts():
    nets = ADGAN.preset("paper").build((1, 32, 32))
    assert [sum(p.numel() for p in net.parameters()) for net in nets.values()] == [1_705_856, 661_248]


def test_a_fit_in_bfloat16_is_searched_in_32_bits():
    model = small(ADGAN, precision="bf16", search_steps=3, n_seeds=2, weight_lr=1e-3).fit(normal("images"))
    x = normal("images")[:3]
    expected = [by_hand(model, row[None]) for row in model.input_.to_network(torch.from_numpy(x))]
    assert np.allclose(model.anomaly_score(x), expected, rtol=1e-3)
