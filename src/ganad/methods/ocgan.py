"""OCGAN.

P. Perera, R. Nallapati, B. Xiang, "OCGAN: One-class Novelty Detection Using GANs with Constrained Latent
Representations", CVPR 2019, arXiv 1903.08550; code PramuPerera/OCGAN (MXNet).

A denoising autoencoder has its codes in the cube (-1, 1)^d. A latent discriminator makes the codes of the class fill
the cube, and a visual discriminator makes every point of the cube decode to the class. A classifier finds points that
still do not, and the decoder is trained on those.

    l1 = E(x + n), l2 uniform on the cube, x' = G(l1)
    classifier     H(1, C(x')) + H(0, C(G(l2)))
    disc_latent    H(0, D_l(l1)) + H(1, D_l(l2))
    disc_visual    H(1, D_v(x)) + H(0, D_v(G(l2)))
    mining         l2 moves in mine_steps steps to where C is surest that G(l2) is not of the class
    autoencoder    w_rec mean (x - x')^2 + w_latent H(1, D_l(l1)) + w_visual H(1, D_v(G(l2 mined)))
    score          "reconstruction": mean (x - x')^2, x' = G(E(x)), the score of the paper's figures
                   "visual": -logit D_v(x'), "input": -logit D_v(x), "classifier": -logit C(x')

Differs from the released code, which does not run to the end of an epoch and whose encoder is not bounded:
- The weights are the paper's: 10, 1, 1. The preset "mxnet" has those of the code: 10 times half the error, 10, 1.
- Mining takes five steps, clamped to the cube, after three quarters of the epochs. The code takes one step, then a
  tanh: preset "mxnet-tanh" (the gradient is taken before the tanh, as in the authors' working copy).
- Mining descends on H(0, C), as text and code say. The target 1 printed in Algorithm 1 (``mine_for="inside"``) finds
  codes that are already good.
- Noise is drawn anew for every batch. Its standard deviation is 0.2, as in the code; the paper calls this a variance.
- Scoring adds no noise. ``score_noise_sd=0.2`` adds it, with one pattern for all samples.
- D_l ends in one logit. The code passes it through two sigmoids, which keeps its probability below .73.
- Samples for the discriminators and for the visual term are decoded in inference mode. So batch norm's running
  statistics, which scoring uses, come from reconstructions alone.
- Images keep their size and convolutions are padded. ``padding="none"`` at 61 x 61 is the published layer table. The
  networks for tables are ours.
- The only code size published for MNIST, Fashion-MNIST and COIL-100 is the 16 of the code's MNIST example (preset
  "mnist-readme"). The 64 and 512 in the other presets are ours; their other settings are those of the run that all data
  sets share.
- The presets keep the epoch with the least error on held-out normal samples, as paper and code do. The defaults take
  the last epoch.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus

from ..detector import Batches, GenerativeDetector, Updates
from ..losses import bce, mean_square
from ..nets import Critic, Cube, dcgan_init, leaky_fifth, mlp
from ..nets.conv import Size
from ..settings import Count

_RUN: dict[str, Any] = dict(batch_size=512, epochs=200, patience=200)
_MXNET = _RUN | dict(latent_dim=512, image_size=61, padding="none", w_rec=5.0, w_latent=10.0)
_MXNET |= dict(mine_steps=1, mine_lr=2.0, score_noise_sd=0.2)


class OCGAN(GenerativeDetector):
    """An autoencoder whose whole cube of codes decodes to the class; hard negatives are mined."""

    variant: Literal["reconstruction", "visual", "input", "classifier"] = "reconstruction"  #: the score
    w_rec: float = 10.0  #: weight of the reconstruction error
    w_latent: float = 1.0  #: weight of the latent discriminator
    w_visual: float = 1.0  #: weight of the visual discriminator
    noise_sd: float = 0.2  #: standard deviation of the noise on the input while training
    score_noise_sd: float = 0.0  #: standard deviation of the noise on the input while scoring
    mine_from: float = 0.75  #: share of the epochs after which negatives are mined
    mine_steps: Count = 5  #: steps of the mining
    mine_lr: float = 0.5  #: step size of the mining, on each code
    mine_for: Literal["outside", "inside"] = "outside"  #: side of the class to mine on; Algorithm 1 prints "inside"
    mine_bound: Literal["clamp", "tanh"] = "clamp"  #: how mined codes are kept in the cube; tanh: as in the code
    latent_dim: Count = 64  #: size of the code
    width: Count = 64  #: channels of the first layer of autoencoder and classifier (tables: hidden units)
    visual_width: Count = 12  #: channels of the first layer of the visual discriminator
    padding: Literal["same", "none"] = "same"  #: of the convolutions; none: as in the code, for 61 x 61
    batch_size: int = 128  #: samples a training step draws

    LEAST_EPOCHS = (5, 50)
    PRESETS = {
        "mnist": _RUN | dict(latent_dim=64),
        "fashion-mnist": _RUN | dict(latent_dim=64),
        "cifar10": _RUN | dict(latent_dim=512),
        "coil-100": _RUN | dict(latent_dim=512, image_size=61, padding="none"),
        "mxnet": _MXNET,
        "mxnet-tanh": _MXNET | dict(mine_bound="tanh"),
        "mnist-readme": _MXNET | dict(latent_dim=16, mine_bound="tanh"),
    }

    def build_table(self, d: int) -> dict[str, nn.Module]:
        latent, h = latent_critic(self.latent_dim), self.width
        networks = dict(
            encoder=mlp(d, 2 * h, h, self.latent_dim, activation=leaky_fifth, last=nn.Tanh()),
            decoder=mlp(self.latent_dim, h, 2 * h, d),
        )
        visual, classifier = (
            Critic(mlp(d, h, h, activation=leaky_fifth, last=leaky_fifth()), nn.Linear(h, 1)) for _ in range(2)
        )
        return dict(autoencoder=nn.ModuleDict(networks), disc_latent=latent, disc_visual=visual, classifier=classifier)

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        latent, sizes = latent_critic(self.latent_dim), halvings((shape[1], shape[2]), self.padding)
        networks = dict(
            encoder=encoder(shape[0], self.width, sizes, self.padding, self.latent_dim),
            decoder=decoder(shape[0], self.width, sizes, self.padding, self.latent_dim),
        )
        visual, classifier = (critic(shape[0], w, sizes, self.padding) for w in (self.visual_width, self.width))
        latent.apply(dcgan_init)
        return dict(autoencoder=nn.ModuleDict(networks), disc_latent=latent, disc_visual=visual, classifier=classifier)

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
        if batches.progress >= self.mine_from * self.passes:
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
        """Move codes ``l2`` to where the classifier is surer that they do not decode to the class. No network moves."""
        decoder, C = self.nets_.autoencoder["decoder"], self.nets_.classifier
        sign = 1.0 if self.mine_for == "outside" else -1.0
        decoder.eval()
        C.eval()
        for _ in range(self.mine_steps):
            l2 = l2.detach().requires_grad_()
            loss = softplus(sign * C(decoder(l2)).float()).sum()  # the sum gives each code its own step
            l2 = l2 - self.mine_lr * torch.autograd.grad(loss, l2)[0]
            l2 = l2.clamp(-1, 1) if self.mine_bound == "clamp" else l2
        decoder.train()
        C.train()
        return (l2.tanh() if self.mine_bound == "tanh" else l2).detach()

    def score_batch(self, x: Tensor) -> Tensor:
        if self.variant == "input":
            return -self.nets_.disc_visual(self._noisy(x))
        x_hat = self.reconstruct_batch(self._noisy(x))
        if self.variant == "reconstruction":
            return mean_square(x - x_hat)
        return -(self.nets_.disc_visual if self.variant == "visual" else self.nets_.classifier)(x_hat)

    def _noisy(self, x: Tensor) -> Tensor:
        """Add the scoring noise, the same for every sample, so that a score depends on its sample alone."""
        if not self.score_noise_sd:
            return x
        noise = torch.randn(x.shape[1:], generator=torch.Generator().manual_seed(0)).to(x)
        return x + self.score_noise_sd * noise

    def validation_batch(self, x: Tensor) -> Tensor:
        return mean_square(x - self.reconstruct_batch(x))

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return self.nets_.autoencoder["decoder"](self.nets_.autoencoder["encoder"](x))

    def encode_batch(self, x: Tensor) -> Tensor:
        return self.nets_.autoencoder["encoder"](x)

    def generator(self) -> nn.Module:
        return nn.Sequential(Cube(), self.nets_.autoencoder["decoder"])


def latent_critic(latent_dim: int) -> nn.Sequential:
    """The discriminator of codes."""
    return nn.Sequential(
        *[nn.Linear(latent_dim, 128), nn.ReLU(), nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU()],
        *[nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)],
    )


def _pads(size: Size, padding: str) -> tuple[int, int]:
    height, width = (0 if padding == "none" and n >= 5 else 2 for n in size)
    return height, width


def halvings(size: Size, padding: str) -> list[Size]:
    """Sizes under 5 x 5 convolutions of stride 2 until one 5 x 5 or smaller: 61, 29, 13, 5 without padding."""
    sizes = [size]
    while max(sizes[-1]) > 5:
        height, width = ((n + 2 * pad - 5) // 2 + 1 for n, pad in zip(sizes[-1], _pads(sizes[-1], padding)))
        sizes.append((height, width))
    return sizes


def _tower(channels: int, width: int, sizes: list[Size], padding: str) -> list[nn.Module]:
    """Strided convolutions with doubling widths down to the last of ``sizes``, all but the first with batch norm."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 5, 2, _pads(sizes[0], padding)), leaky_fifth()]
    for i, size in enumerate(sizes[1:-1]):
        c = width * 2**i
        layers += [nn.Conv2d(c, 2 * c, 5, 2, _pads(size, padding), bias=False), nn.BatchNorm2d(2 * c), leaky_fifth()]
    return layers


def encoder(channels: int, width: int, sizes: list[Size], padding: str, latent_dim: int) -> nn.Module:
    """The tower, then a convolution over the whole last map, batch norm and tanh."""
    c = width * 2 ** (len(sizes) - 2)
    code = [nn.Conv2d(c, latent_dim, sizes[-1], bias=False), nn.BatchNorm2d(latent_dim), nn.Tanh(), nn.Flatten()]
    return nn.Sequential(*_tower(channels, width, sizes, padding), *code).apply(dcgan_init)


def decoder(channels: int, width: int, sizes: list[Size], padding: str, latent_dim: int) -> nn.Module:
    """The encoder's mirror image, with dropout before the last hidden activation."""

    def up(a: int, b: int, small: Size, large: Size, bias: bool = False) -> nn.Module:
        pads = _pads(large, padding)
        rows, columns = (n - (2 * m + 3 - 2 * pad) for m, n, pad in zip(small, large, pads))
        return nn.ConvTranspose2d(a, b, 5, 2, pads, (rows, columns), bias=bias)

    c = width * 2 ** (len(sizes) - 2)
    layers: list[nn.Module] = [nn.Unflatten(1, (latent_dim, 1, 1))]
    layers += [nn.ConvTranspose2d(latent_dim, c, sizes[-1], bias=False), nn.BatchNorm2d(c), nn.ReLU()]
    for small, large in zip(sizes[:1:-1], sizes[-2:0:-1]):
        layers += [up(c, c // 2, small, large), nn.BatchNorm2d(c // 2), nn.ReLU()]
        c //= 2
    layers.insert(-1, nn.Dropout(0.5))
    return nn.Sequential(*layers, up(c, channels, sizes[1], sizes[0], bias=True), nn.Tanh()).apply(dcgan_init)


def critic(channels: int, width: int, sizes: list[Size], padding: str) -> Critic:
    """The visual discriminator (width 12) and the classifier (width 64)."""
    head = nn.Conv2d(width * 2 ** (len(sizes) - 2), 1, sizes[-1])
    return Critic(nn.Sequential(*_tower(channels, width, sizes, padding)), head).apply(dcgan_init)
