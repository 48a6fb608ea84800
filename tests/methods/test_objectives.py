"""The objective of every step, and every score, of the methods whose own files do not hold them, against NumPy.

The networks stand still in eval mode and the noise is fixed, so that a step's terms are functions of a few outputs.
"""

import copy

import numpy as np
import pytest
import torch

from ganad import ADGAN, DAGMM, EGBAD, IGMMGAN, MMOCGAN, OCAN, AnoGAN, AutoEncoder, FAnoGAN, FenceGAN, GANomaly
from ganad.losses import gradient_penalty
from ganad.methods.dagmm import energy, mixture, whitener

from ..samples import fitted, normal

N = 12


def values(t):
    """A network's output as an array."""
    return t.detach().double().numpy()


class Batch:
    """A stream that gives one batch for ever."""

    batch_size = N

    def __init__(self, x):
        self.x = x

    def __next__(self):
        return self.x

    sample = __next__


def still(detector, **settings):
    """A fitted detector whose noise is fixed, a batch as its networks see it, and the noise."""
    model = copy.deepcopy(fitted(detector, "table")).set_params(**settings)
    x = model.to_network(torch.from_numpy(normal("table")[:N]))
    z = torch.randn(N, model.latent_dim, generator=torch.Generator().manual_seed(0))
    model.noise = model.uniform = lambda n: z
    return model, x, z


def steps(model, step, x):
    """Player and terms of each update that a step asks for; nothing is updated."""
    torch.manual_seed(0)
    return [
        (player, {k: float(v.detach()) for k, v in terms.items()}) for player, terms in getattr(model, step)(Batch(x))
    ]


def same(found, *expected):
    assert [player for player, _ in found] == [player for player, _ in expected]
    for (_, ours), (player, theirs) in zip(found, expected):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name] == pytest.approx(float(value), rel=1e-4, abs=1e-6), (player, name)


def ce(logit, target):
    """Cross-entropy of sigmoid(logit) against the target."""
    p = 1 / (1 + np.exp(-values(logit)))
    return np.mean(-target * np.log(p) - (1 - target) * np.log(1 - p))


def test_anogan():
    model, x, z = still(AnoGAN)
    G, D = model.nets_.generator, model.nets_.discriminator
    same(
        steps(model, "training_step", x),
        ("discriminator", dict(real=ce(D(x), 1), fake=ce(D(G(z)), 0))),
        ("generator", dict(adv=ce(D(G(z)), 1))),
    )
    residual = np.abs(values(x - G(z))).sum(1)
    features = np.abs(values(D.features(x) - D.features(G(z)))).sum(1)
    distance = model.distance(x, D.features(x), z)
    assert np.allclose(values(distance), 0.9 * residual + 0.1 * features, rtol=1e-4)
    model.set_params(variant="cross-entropy", w_feature=0.3)
    expected = 0.7 * residual + 0.3 * np.log1p(np.exp(-values(D(G(z)))))
    assert np.allclose(values(model.distance(x, x, z)), expected, rtol=1e-4)


def test_egbad():
    model, x, z = still(EGBAD, alpha=0.8)
    G, E, D = model.nets_.generator, model.nets_.encoder, model.nets_.discriminator
    same(
        steps(model, "training_step", x),
        ("discriminator", dict(encoded=ce(D(x, E(x)), 1), generated=ce(D(G(z), z), 0))),
        ("generator", dict(adv=ce(D(G(z), z), 1))),
        ("encoder", dict(adv=ce(D(x, E(x)), 0))),
    )
    code, redrawn = E(x), G(E(x))
    terms = dict(
        fm=np.abs(values(D.features(x, code) - D.features(redrawn, code))).sum(1),
        sigma=np.log1p(np.exp(-values(D(x, code)))),
        sigma_rec=np.log1p(np.exp(-values(D(redrawn, code)))),
    )
    for variant, term in terms.items():
        expected = 0.8 * np.abs(values(x - redrawn)).sum(1) + 0.2 * term
        found = model.set_params(variant=variant).anomaly_score(normal("table")[:N])
        assert np.allclose(found, expected, rtol=1e-4), variant


def test_ganomaly():
    model, x, _ = still(GANomaly, w_adv=1.0, w_con=50.0, w_enc=2.0)
    G, D = model.nets_.generator, model.nets_.discriminator
    code = G["encoder"](x)
    redrawn = G["decoder"](code)
    again = G["encoder2"](redrawn)
    rest = dict(con=50 * np.abs(values(x - redrawn)).mean(), enc=2 * (values(code - again) ** 2).mean())
    discriminator = ("discriminator", dict(real=ce(D(x), 1) / 2, fake=ce(D(redrawn), 0) / 2))
    features = (values(D.features(x) - D.features(redrawn)) ** 2).mean()
    same(steps(model, "training_step", x), ("generator", dict(adv=features) | rest), discriminator)
    model.set_params(adversarial="bce")
    same(steps(model, "training_step", x), ("generator", dict(adv=ce(D(redrawn), 1)) | rest), discriminator)
    for variant, expected in (("l2", (values(code - again) ** 2).mean(1)), ("l1", np.abs(values(code - again)).sum(1))):
        found = model.set_params(variant=variant).anomaly_score(normal("table")[:N])
        assert np.allclose(found, expected, rtol=1e-4), variant


def test_ganomaly_has_the_published_parameter_counts():
    def counts(preset, shape):
        return [sum(p.numel() for p in net.parameters()) for net in GANomaly.preset(preset).build(shape).values()]

    assert counts("mnist", (1, 32, 32)) == [3_200_384, 661_248]
    assert counts("cifar10", (3, 32, 32))[0] > counts("mnist", (1, 32, 32))[0]


def test_igmm_gan():
    model, x, z = still(IGMMGAN, w_rec=0.7, alpha=0.6)
    coder, D = model.nets_.coder, model.nets_.discriminator
    E, G = coder["encoder"], coder["generator"]
    same(
        steps(model, "training_step", x),
        ("discriminator", dict(encoded=ce(D(x, E(x)), 1))),
        ("discriminator", dict(generated=ce(D(G(z), z), 0))),
        (
            "coder",
            dict(
                generated=ce(D(G(z), z), 1),
                encoded=ce(D(x, E(x)), 0),
                reconstruction=0.7 * (values(x - G(E(x))) ** 2).mean(),
            ),
        ),
    )
    model.nets_.eval()
    error = np.linalg.norm(values(x - G(E(x))), axis=1)
    expected = 0.6 * error + 0.4 * np.log1p(np.exp(-values(D(x, E(x)))))
    assert np.allclose(model.set_params(variant="sigma").anomaly_score(normal("table")[:N]), expected, rtol=1e-4)


def test_fence_gan():
    model, x, z = still(FenceGAN, alpha=0.3, gamma=0.2, beta=15.0, latent_sd=2.0)
    G, D = model.nets_.generator, model.nets_.discriminator
    fence = G(2 * z)
    crowding = 15 / np.linalg.norm(values(fence - fence.mean(0)), axis=1).mean()
    generator = ("generator", dict(encirclement=ce(D(fence), 0.3), dispersion=crowding))
    real, fake = dict(real=ce(D(x), 1)), dict(fence=0.2 * ce(D(fence), 0))
    same(steps(model, "training_step", x), ("discriminator", real | fake), generator)
    same(steps(model, "pretrain_step", x), ("discriminator", real | fake))
    model.set_params(separate_steps=True, encirclement="log")
    printed = np.log(np.abs(0.3 - 1 / (1 + np.exp(-values(D(fence)))))).mean()
    same(
        steps(model, "training_step", x),
        ("discriminator", real),
        ("discriminator", fake),
        ("generator", dict(encirclement=printed, dispersion=crowding)),
    )


def test_f_anogan():
    model, x, z = still(FAnoGAN, kappa=0.5, n_critic=2)
    G, E, D = model.nets_.generator, model.nets_.encoder, model.nets_.critic
    found = steps(model, "gan_step", x)
    for _, terms in found[1:]:
        assert terms.pop("gp") >= 0
    critic = ("critic", dict(real=-values(D(x)).mean(), fake=values(D(G(z))).mean()))
    same(found, ("generator", dict(adv=-values(D(G(z))).mean())), critic, critic)
    residual = (values(x - G(E(x))) ** 2).mean()
    feature = (values(D.features(x) - D.features(G(E(x)))) ** 2).mean()
    latent = (values(z - E(G(z))) ** 2).mean()
    for loss, terms in (
        ("izi_f", dict(residual=residual, feature=0.5 * feature)),
        ("izi", dict(residual=residual)),
        ("ziz", dict(latent=latent)),
    ):
        same(steps(model.set_params(encoder_loss=loss), "encoder_step", x), ("encoder", terms))
    expected = (values(E(x) - E(G(E(x)))) ** 2).mean(1)
    assert np.allclose(model.set_params(variant="latent").anomaly_score(normal("table")[:N]), expected, rtol=1e-4)


def test_adgan():
    model, x, z = still(ADGAN, n_critic=1, w_gp=10.0)
    G, D = model.nets_.generator, model.nets_.critic
    torch.manual_seed(0)
    penalty = 10 * float(gradient_penalty(D, x, G(z).detach()).detach())
    critic = dict(real=-values(D(x)).mean(), fake=values(D(G(z))).mean())
    generator = ("generator", dict(adv=-values(D(G(z))).mean()))
    same(steps(model, "training_step", x), ("critic", critic | dict(gp=penalty)), generator)
    rows = normal("table")[:N]
    assert np.allclose(model.set_params(variant="critic").anomaly_score(rows), -values(D(x)), rtol=1e-4)
    codes = model.search(x)[1].detach().numpy()
    expected = (codes**2).sum(2).mean(1) / 2
    assert np.allclose(model.set_params(variant="prior").anomaly_score(rows), expected, rtol=1e-4)
    still_generator = model.set_params(variant="search", moving="none", search_steps=0).anomaly_score(rows)
    drawn = values(G(model.starts_))
    expected = ((values(x)[:, None] - drawn) ** 2).sum(2).mean(1)
    assert np.allclose(still_generator, expected, rtol=1e-4)
    same(steps(model.set_params(lipschitz="clip", clip=0.01), "training_step", x)[:1], ("critic", critic))
    assert max(float(p.detach().abs().max()) for p in D.parameters()) == pytest.approx(0.01)


@pytest.mark.parametrize("reading", ["paper", "code"])
def test_ocan(reading):
    model, x, z = still(OCAN, reading=reading, w_entropy=1.5)
    G, D, T = model.nets_.generator, model.nets_.discriminator, model.nets_.target
    v = model.scaled(model.represent(x)).detach()
    p = 1 / (1 + np.exp(-values(D(v))))
    entropy = -(p * np.log(p)).mean() - (((1 - p) * np.log(1 - p)).mean() if reading == "code" else 0)
    (player, terms), (_, generator) = steps(model, "gan_step", v)
    same([(player, terms)], ("discriminator", dict(real=ce(D(v), 1), fake=ce(D(G(z)), 0), entropy=1.5 * entropy)))
    if reading == "code":
        f = values(T.features(G(z)))
        cosine = f @ f.T / np.outer(*[np.maximum(np.linalg.norm(f, axis=1), 1e-12)] * 2)
        off = 1 / (1 + np.exp(values(T(G(z)))))  # the density's other output
        density = (np.log(off) * (off > (off.max() + off.min()) / 2)).mean()
        matched = np.abs(values(D(v) - D(G(z)))).mean()
        pt = (cosine**2)[~np.eye(N, dtype=bool)].mean()
        same([("generator", generator)], ("generator", dict(pt=pt, density=density, fm=matched)))
    same(
        steps(model, "target_step", v),
        ("target", dict(real=ce(T(v), 1), fake=ce(T(model.nets_.target_generator(z)), 0))),
        ("target_generator", dict(adv=ce(T(model.nets_.target_generator(z)), 1))),
    )
    assert np.allclose(model.anomaly_score(normal("table")[:N]), -values(D(v)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("reading", "sign"), [("consistent", 1), ("printed", -1)])
def test_mmoc_gan(reading, sign):
    model, x, z = still(MMOCGAN, reading=reading, w_entropy=1.5)
    G, D = model.nets_.generator, model.nets_.discriminator
    v = model.scaled(model.represent(x)).detach()
    (_, discriminator), (_, generator) = steps(model, "gan_step", v)
    shares = torch.softmax(D.codes(v), 1)
    torch.manual_seed(0)
    codes = torch.multinomial(shares, 1).flatten()
    fake = G(z, codes)
    p, usage = 1 / (1 + np.exp(-values(D(v)))), values(shares).mean(0)
    q = values(torch.softmax(D.codes(fake), 1))[np.arange(N), codes]
    expected = dict(
        real=ce(D(v), 1),
        fake=ce(D(fake), 0),
        entropy=-sign * 1.5 * (p * np.log(p) + (1 - p) * np.log(1 - p)).mean(),
        code=-np.log(q).mean(),
        usage=(usage * np.log(usage)).sum(),
    )
    same([("discriminator", discriminator)], ("discriminator", expected))
    density = model.complementary(fake, v)["density"]
    assert generator["density"] == pytest.approx(sign * float(density), rel=1e-4)
    assert generator["code"] == pytest.approx(-np.log(q).mean(), rel=1e-4)


def test_dagmm():
    model, x, _ = still(DAGMM, w_energy=0.1, w_diag=0.005)
    net = model.nets_.model
    code, redrawn = net["encoder"](x), net["decoder"](net["encoder"](x))
    z, logit, _ = model.features(x)
    a, b = values(x), values(redrawn)
    size, other = (np.sqrt((v**2).mean(1) + 1e-4) for v in (a, b))  # a floor for samples of zeros
    relative, cosine = np.sqrt(((a - b) ** 2).mean(1)) / size, (a * b).mean(1) / size / other
    assert np.allclose(values(z), np.column_stack([values(code), relative, cosine]), rtol=1e-4, atol=1e-5)
    log_phi, mu, sigma = mixture(z, logit, model.jitter)
    expected = dict(
        reconstruction=((a - b) ** 2).sum(1).mean(),
        energy=0.1 * values(energy(z, log_phi, mu, whitener(sigma))).mean(),
        diag=0.005 * (1 / values(sigma.diagonal(dim1=1, dim2=2))).sum(),
    )
    same(steps(model, "training_step", x), ("model", expected))


def test_autoencoder():
    model, x, _ = still(AutoEncoder)
    rest = values(x - model.nets_.autoencoder(x))
    ((_, terms),) = steps(model, "training_step", x)
    assert terms["reconstruction"] == pytest.approx((rest**2).sum(1).mean(), rel=1e-4)
    for variant, expected in (
        ("sum_sq", (rest**2).sum(1)),
        ("mean_sq", (rest**2).mean(1)),
        ("l1", np.abs(rest).sum(1)),
    ):
        found = model.set_params(variant=variant).anomaly_score(normal("table")[:N])
        assert np.allclose(found, expected, rtol=1e-4), variant
