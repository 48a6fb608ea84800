"""GANomaly.

S. Akcay, A. Atapour-Abarghouei, T. P. Breckon, "GANomaly: Semi-Supervised Anomaly Detection via
Adversarial Training", ACCV 2018, arXiv 1805.06725; code samet-akcay/ganomaly (PyTorch).

An autoencoder reconstructs the sample, and a second encoder encodes the reconstruction. The decoder can only draw what
is normal, so the two codes of an anomaly differ.

    z = E(x), x' = G(z), z' = E'(x')          f: the discriminator's last hidden layer
    generator      w_adv mean (f(x) - f(x'))^2 + w_con mean |x - x'| + w_enc mean (z - z')^2
    discriminator  (H(1, D(x)) + H(0, D(x'))) / 2
    score          mean (z - z')^2

Differs from the paper and the official code:
- Scores are taken in eval mode and returned raw. The official code normalises test batches by their own statistics and
  scales scores by the extremes of the test set, so its scores depend on the other samples.
- Inputs are in [-1, 1], which the decoder's tanh can reach. The code's MNIST range ends at 2.82.
- The last epoch is used, not the one with the best test AUROC.
- Three rules for the discriminator were published under this name. The default is the code's since August 2019.
  ``adversarial="bce"`` was in use when the paper's figures were made. "distance" is the code's from October 2018 on:
  the discriminator minimises mean (f(x) - f(x'))^2, its last layer is never trained, and the generator has to fool that
  layer. So "distance" is not adversarial.
- Under the two older rules the code's discriminator stepped first, its two terms were not halved, and it was started
  anew when either was below 1e-5. Here the generator steps first and the mean of the terms counts, as in the newest
  code.
- The X-ray sets ("uba", "ffob") are not public. Their 25 epochs are quoted from the paper and unverified.
- Images may have any size: the pyramid ends at 4 x 4 or less. The dense network for tables is ours.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from ..detector import Batches, NetworkDetector, Updates
from ..losses import bce
from ..nets import Critic, SameConv2d, SameDeconv2d, dcgan_init, leaky_fifth, mlp, pyramid, start_anew
from ..nets.conv import Size
from ..settings import Count
from ..training import ranks

_XRAY = dict(image_size=64, latent_dim=100, lr=2e-4, batch_size=64, epochs=25)


class GANomaly(NetworkDetector):
    """Encode, decode and encode again; the distance of the two codes is the score."""

    adversarial: Literal["features", "bce", "distance"] = "features"  #: one of the three published rules
    variant: Literal["l2", "l1"] = "l2"  #: distance of the codes: the code's mean square or the paper's L1
    w_adv: float = 1.0  #: weight of the adversarial term
    w_con: float = 50.0  #: weight of the pixel term
    w_enc: float = 1.0  #: weight of the code term
    latent_dim: Count = 100  #: size of the code
    width: Count = 64  #: channels of the first layer (tables: hidden units)

    LEAST_EPOCHS = (5, 15)
    PRESETS = {
        "mnist": dict(image_size=32, latent_dim=100, lr=2e-4, batch_size=64, epochs=15),
        "cifar10": dict(latent_dim=100, lr=2e-4, batch_size=64, epochs=15),
        "uba": _XRAY,
        "ffob": _XRAY,
    }

    def build_table(self, d: int) -> dict[str, nn.Module]:
        h = self.width
        networks = dict(
            encoder=mlp(d, 2 * h, h, self.latent_dim, activation=leaky_fifth),
            decoder=mlp(self.latent_dim, h, 2 * h, d),
            encoder2=mlp(d, 2 * h, h, self.latent_dim, activation=leaky_fifth),
        )
        critic = Critic(mlp(d, 2 * h, h, activation=leaky_fifth, last=leaky_fifth()), nn.Linear(h, 1))
        return dict(generator=nn.ModuleDict(networks), discriminator=critic)

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        channels, height, width = shape
        sizes = pyramid((height, width), until=4)
        networks = dict(
            encoder=encoder(channels, self.width, sizes, self.latent_dim),
            decoder=decoder(channels, self.width, sizes, self.latent_dim),
            encoder2=encoder(channels, self.width, sizes, self.latent_dim),
        )
        *body, head, _ = encoder(channels, self.width, sizes, 1)
        critic = Critic(nn.Sequential(*body), head)
        return dict(generator=nn.ModuleDict(networks).apply(dcgan_init), discriminator=critic.apply(dcgan_init))

    def training_step(self, batches: Batches) -> Updates:
        x = next(batches)
        D = self.nets_.discriminator
        z, x_hat, z_hat = self.cycle(x)
        if self.adversarial == "features":
            adv = mse_loss(D.features(x_hat).float(), D.features(x).detach().float())
        else:
            adv = bce(D(x_hat), 1.0)
        yield (
            "generator",
            dict(
                adv=self.w_adv * adv,
                con=self.w_con * l1_loss(x_hat.float(), x),
                enc=self.w_enc * mse_loss(z_hat.float(), z.float()),
            ),
        )
        if self.adversarial == "distance":
            terms = dict(distance=mse_loss(D.features(x_hat.detach()).float(), D.features(x).float()))
        else:
            terms = dict(real=bce(D(x), 1.0) / 2, fake=bce(D(x_hat.detach()), 0.0) / 2)
        yield "discriminator", terms
        lost = sum(term.detach() for term in terms.values())
        if ranks().agreed(float(lost)) < 1e-5:  # it has won, so it is started anew, as in the official code
            D.apply(start_anew)

    def cycle(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The code, the reconstruction, and the reconstruction's code."""
        G = self.nets_.generator
        z = G["encoder"](x)
        x_hat = G["decoder"](z)
        return z, x_hat, G["encoder2"](x_hat)

    def score_batch(self, x: Tensor) -> Tensor:
        z, _, z_hat = self.cycle(x)
        return (z - z_hat).square().mean(1) if self.variant == "l2" else (z - z_hat).abs().sum(1)

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return self.cycle(x)[1]

    def encode_batch(self, x: Tensor) -> Tensor:
        return self.cycle(x)[0].flatten(1)


def encoder(channels: int, width: int, sizes: list[Size], latent_dim: int) -> nn.Sequential:
    """Convolutions without biases that halve to 4 x 4 with doubling widths, then one over the whole map."""
    layers: list[nn.Module] = [SameConv2d(channels, width, 4, 2, bias=False), leaky_fifth()]
    for _ in sizes[2:]:
        layers += [SameConv2d(width, 2 * width, 4, 2, bias=False), nn.BatchNorm2d(2 * width), leaky_fifth()]
        width *= 2
    return nn.Sequential(*layers, nn.Conv2d(width, latent_dim, sizes[-1], bias=False), nn.Flatten())


def decoder(channels: int, width: int, sizes: list[Size], latent_dim: int) -> nn.Sequential:
    """The encoder's mirror image, from the code to tanh pixels."""
    width *= 2 ** (len(sizes) - 2)
    layers: list[nn.Module] = [
        *[nn.Unflatten(1, (latent_dim, 1, 1)), nn.ConvTranspose2d(latent_dim, width, sizes[-1], bias=False)],
        *[nn.BatchNorm2d(width), nn.ReLU()],
    ]
    for size in sizes[-2:0:-1]:
        layers += [SameDeconv2d(width, width // 2, 4, 2, size, bias=False), nn.BatchNorm2d(width // 2), nn.ReLU()]
        width //= 2
    return nn.Sequential(*layers, SameDeconv2d(width, channels, 4, 2, sizes[0], bias=False), nn.Tanh())
