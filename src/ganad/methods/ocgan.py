"""OCGAN.

P. Perera, R. Nallapati, B. Xiang, "OCGAN: One-class Novelty Detection Using GANs with Constrained Latent
Representations", CVPR 2019, arXiv 1903.08550; code PramuPerera/OCGAN (MXNet).

A denoising autoencoder whose codes are bound to the cube (-1, 1)^d. A latent discriminator makes the codes of the
class fill the cube, a visual one makes every point of the cube decode to the class, and a classifier finds the points
that still do not: the decoder is trained on those.

    l1 = E(x + n), l2 uniform on the cube, x' = G(l1)
    classifier     H(1, C(x')) + H(0, C(G(l2)))
    disc_latent    H(0, D_l(l1)) + H(1, D_l(l2))
    disc_visual    H(1, D_v(x)) + H(0, D_v(G(l2)))
    mining         l2 moves, in mine_steps steps, to where C is surest that G(l2) is not of the class
    autoencoder    w_rec mean (x - x')^2 + w_latent H(1, D_l(l1)) + w_visual H(1, D_v(G(l2 mined)))
    score          mean (x - G(E(x)))^2

Differs from the released code, which does not run to the end of an epoch and whose encoder is not bounded:
- The paper's weights 10, 1, 1; the preset "mxnet" has those of the code, 5, 10, 1.
- Five mining steps, clamped to the cube, after three quarters of the epochs; the code takes one.
- Noise is drawn anew for every batch, and none is added when scoring.
- Samples for the discriminators and for the visual term are decoded in inference mode, so batch norm's running
  statistics, which scoring uses, are those of reconstructions alone.
- Native size instead of 61 x 61 x 3. The networks for tables are ours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus

from ..detector import Batches, Detector, Updates
from ..losses import bce
from ..nets import Critic, SameConv2d, SameDeconv2d, dcgan_init, mlp, pyramid


class OCGAN(Detector):
    """An autoencoder whose whole code cube decodes to the class; hard negatives are mined."""

    w_rec: float = 10.0  #: weight of the reconstruction error
    w_latent: float = 1.0  #: weight of the latent discriminator
    w_visual: float = 1.0  #: weight of the visual discriminator
    noise_sd: float = 0.2  #: standard deviation of the noise on the input while training
    mine_from: float = 0.75  #: share of the epochs after which negatives are mined
    mine_steps: int = 5  #: steps of the mining
    mine_lr: float = 0.5  #: step size of the mining, on each code
    latent_dim: int = 64  #: size of the code
    width: int = 64  #: channels of the first layer of autoencoder and classifier (tables: hidden units)
    visual_width: int = 12  #: channels of the first layer of the visual discriminator
    batch_size: int = 128  #: samples a training step draws
    epochs: int = 50  #: passes over the training set

    PRESETS = {
        "mnist": dict(latent_dim=64, batch_size=512, epochs=200),
        "cifar10": dict(latent_dim=512, batch_size=512, epochs=200),
        "mxnet": dict(
            image_size=61,
            latent_dim=512,
            batch_size=512,
            epochs=200,
            w_rec=5.0,
            w_latent=10.0,
            mine_steps=1,
            mine_lr=2.0,
        ),
    }

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        latent = nn.Sequential(
            *[nn.Linear(self.latent_dim, 128), nn.ReLU(), nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU()],
            *[nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)],
        )
        if len(shape) == 1:
            d, h = shape[0], self.width
            networks: dict[str, nn.Module] = dict(
                encoder=mlp(d, 2 * h, h, self.latent_dim, activation=_leaky, last=nn.Tanh()),
                decoder=mlp(self.latent_dim, h, 2 * h, d),
            )
            visual, classifier = (
                Critic(mlp(d, h, h, activation=_leaky, last=_leaky()), nn.Linear(h, 1)) for _ in range(2)
            )
        else:
            networks = autoencoder(shape, self.width, self.latent_dim)
            visual, classifier = critic(shape, self.visual_width), critic(shape, self.width)
            latent.apply(dcgan_init)
        return dict(
            autoencoder=nn.ModuleDict(networks), disc_latent=latent, disc_visual=visual, classifier=classifier
        )

    def training_step(self, batches: Batches) -> Updates:
        encoder, decoder = self.nets_.autoencoder["encoder"], self.nets_.autoencoder["decoder"]
        D_l, D_v, C = self.nets_.disc_latent, self.nets_.disc_visual, self.nets_.classifier
        x = next(batches)
        noisy = x + self.noise_sd * torch.randn_like(x)
        l2 = torch.empty(len(x), self.latent_dim, device=x.device).uniform_(-1, 1)
        with torch.no_grad():
            self.nets_.autoencoder.eval()
            l1 = encoder(noisy)
            x_hat, drawn = decoder(l1), decoder(l2)
            self.nets_.autoencoder.train()
        yield "classifier", dict(rec=bce(C(x_hat), 1.0), drawn=bce(C(drawn), 0.0))
        yield "disc_latent", dict(code=bce(D_l(l1), 0.0), uniform=bce(D_l(l2), 1.0))
        yield "disc_visual", dict(real=bce(D_v(x), 1.0), drawn=bce(D_v(drawn), 0.0))
        if batches.progress >= self.mine_from * self.epochs:
            l2 = self.mine(l2)
        decoder.eval()
        drawn = decoder(l2)
        decoder.train()
        l1 = encoder(noisy)
        yield (
            "autoencoder",
            dict(
                rec=self.w_rec * mse_loss(decoder(l1).float(), x),
                latent=self.w_latent * bce(D_l(l1), 1.0),
                visual=self.w_visual * bce(D_v(drawn), 1.0),
            ),
        )

    def mine(self, l2: Tensor) -> Tensor:
        """Codes near ``l2`` that the classifier is surer do not decode to the class; no network moves."""
        decoder, C = self.nets_.autoencoder["decoder"], self.nets_.classifier
        decoder.eval()
        C.eval()
        for _ in range(self.mine_steps):
            l2 = l2.detach().requires_grad_()
            loss = softplus(C(decoder(l2)).float()).sum()  # H(0, C), summed: each code has a step of its own
            l2 = (l2 - self.mine_lr * torch.autograd.grad(loss, l2)[0]).clamp(-1, 1)
        decoder.train()
        C.train()
        return l2.detach()

    def score_batch(self, x: Tensor) -> Tensor:
        return (x - self.reconstruct_batch(x)).flatten(1).square().mean(1)

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return self.nets_.autoencoder["decoder"](self.nets_.autoencoder["encoder"](x))

    def sample_batch(self, n: int) -> Tensor:
        codes = torch.empty(n, self.latent_dim, device=self.device_).uniform_(-1, 1)
        return self.nets_.autoencoder["decoder"](codes)


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)


def autoencoder(shape: tuple[int, ...], width: int, latent_dim: int) -> dict[str, nn.Module]:
    """5 x 5 convolutions of stride 2 down to 4 x 4 or less, one over the whole map, tanh; and the way back."""
    sizes = pyramid((shape[1], shape[2]), until=4)
    down: list[nn.Module] = [SameConv2d(shape[0], width, 5, 2), _leaky()]
    c = width
    for _ in sizes[2:]:
        down += [SameConv2d(c, 2 * c, 5, 2, bias=False), nn.BatchNorm2d(2 * c), _leaky()]
        c *= 2
    encoder = nn.Sequential(
        *[*down, nn.Conv2d(c, latent_dim, sizes[-1], bias=False), nn.BatchNorm2d(latent_dim), nn.Tanh(), nn.Flatten()]
    )
    up: list[nn.Module] = [
        *[nn.Unflatten(1, (latent_dim, 1, 1)), nn.ConvTranspose2d(latent_dim, c, sizes[-1], bias=False)],
        *[nn.BatchNorm2d(c), nn.ReLU()],
    ]
    for size in sizes[-2:0:-1]:
        up += [SameDeconv2d(c, c // 2, 5, 2, size, bias=False), nn.BatchNorm2d(c // 2), nn.ReLU()]
        c //= 2
    up.insert(-1, nn.Dropout(0.5))
    decoder = nn.Sequential(*up, SameDeconv2d(c, shape[0], 5, 2, sizes[0]), nn.Tanh())
    return dict(encoder=encoder.apply(dcgan_init), decoder=decoder.apply(dcgan_init))


def critic(shape: tuple[int, ...], width: int) -> Critic:
    """The visual discriminator (width 12) and the classifier (width 64)."""
    sizes = pyramid((shape[1], shape[2]), until=4)
    layers: list[nn.Module] = [SameConv2d(shape[0], width, 5, 2), _leaky()]
    for _ in sizes[2:]:
        layers += [SameConv2d(width, 2 * width, 5, 2, bias=False), nn.BatchNorm2d(2 * width), _leaky()]
        width *= 2
    return Critic(nn.Sequential(*layers), nn.Conv2d(width, 1, sizes[-1])).apply(dcgan_init)
