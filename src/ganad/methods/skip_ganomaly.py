"""Skip-GANomaly.

S. Akcay, A. Atapour-Abarghouei, T. P. Breckon, "Skip-GANomaly: Skip Connected and Adversarially Trained
Encoder-Decoder Anomaly Detection", IJCNN 2019, arXiv 1901.08954; code samet-akcay/skip-ganomaly (PyTorch).

Skip-GANomaly replaces GANomaly's autoencoder by a U-Net, whose skips carry detail. It has no second encoder: it
compares the discriminator's features of the image and of the reconstruction.

    generator      w_adv H(1, D(x')) + w_con mean |x - x'| + w_lat mean (f(x) - f(x'))^2, x' = G(x)
    discriminator  H(1, D(x)) + H(0, D(x')), f: D's last convolution before the classifier
    score          w_score mean (x - x')^2 + (1 - w_score) mean (f(x) - f(x'))^2

Differs from the official code:
- Scores are taken in eval mode and returned raw. In the code each test batch has one class and is normalised by its own
  statistics. The code keeps the best epoch by test AUROC and scales scores by the extremes of the test set.
- The discriminator does not minimise the feature distance. ``discriminator_matches=True`` adds that term on the
  detached x', which is the nearest form that current PyTorch runs.
- ``w_con`` is the code's 50; the paper is quoted with 40. ``w_score`` 1 and 0 give the two errors alone.
- The noise that the code adds is a buffer that is never filled. Here it is ``noise_sd``, which is zero by default.
- Inputs are in [-1, 1], which the tanh can reach. The code's MNIST range ends at 2.82.
- The side of 64 for the X-ray sets ("uba", "ffob", not public) is unverified. Their other settings are the code's.
- Images may have any size: the U-Net ends at 1 x 1. The dense U-Net for tables is ours.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ..detector import Batches, NetworkDetector, Updates
from ..losses import bce, mean_square
from ..nets import Critic, Layer, SameConv2d, SameDeconv2d, dcgan_init, leaky_fifth, mlp, pyramid, start_anew
from ..settings import Count
from ..training import ranks


class SkipGANomaly(NetworkDetector):
    """A U-Net redraws the sample; pixels and a discriminator's features measure the error."""

    w_adv: float = 1.0  #: weight of the adversarial term
    w_con: float = 50.0  #: weight of the pixel term
    w_lat: float = 1.0  #: weight of the feature term
    w_score: float = 0.9  #: weight of the pixel error in the score; the features have 1 - w_score
    discriminator_matches: bool = False  #: the discriminator also minimises the feature distance, as in the code
    noise_sd: float = 0.0  #: noise on the generator's input while training
    n_features: Count = 100  #: size of the discriminator's features
    width: Count = 64  #: channels of the first layer (tables: hidden units)

    LEAST_EPOCHS = (5, 15)
    PRESETS = {
        "cifar10": dict(epochs=25),
        "mnist": dict(image_size=32, epochs=15),
        "uba": dict(image_size=64, epochs=15),
        "ffob": dict(image_size=64, epochs=15),
    }

    def build_table(self, d: int) -> dict[str, nn.Module]:
        body = mlp(d, 2 * self.width, self.n_features, activation=leaky_fifth)
        return dict(generator=DenseUNet(d, self.width), discriminator=Critic(body, nn.Linear(self.n_features, 1)))

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        generator = UNet(shape, self.width).apply(dcgan_init)
        return dict(generator=generator, discriminator=image_critic(shape, self.width, self.n_features))

    def training_step(self, batches: Batches) -> Updates:
        G, D = self.nets_.generator, self.nets_.discriminator
        x = next(batches)
        x_hat = G(x + self.noise_sd * torch.randn_like(x) if self.noise_sd else x)
        f, f_hat = D.features(x), D.features(x_hat)
        yield (
            "generator",
            dict(
                adv=self.w_adv * bce(D.head(f_hat), 1.0),
                con=self.w_con * l1_loss(x_hat.float(), x),
                lat=self.w_lat * mean_square(f - f_hat).mean(),
            ),
        )
        f, f_hat = D.features(x), D.features(x_hat.detach())
        terms = dict(real=bce(D.head(f), 1.0), fake=bce(D.head(f_hat), 0.0))
        total = terms["real"] + terms["fake"]
        if self.discriminator_matches:
            terms["lat"] = mean_square(f - f_hat).mean()
        yield "discriminator", terms
        if ranks().agreed(float(total.detach())) < 1e-5:  # it has won, so it is started anew, as in the official code
            D.apply(start_anew)

    def score_batch(self, x: Tensor) -> Tensor:
        f, x_hat = self.nets_.discriminator.features, self.nets_.generator(x)
        return self.w_score * mean_square(x - x_hat) + (1 - self.w_score) * mean_square(f(x) - f(x_hat))

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return self.nets_.generator(x)


class UNet(nn.Module):
    """Down to 1 x 1 and up again. A skip carries the activated map, because the code's ReLU works in place."""

    last: Layer

    def __init__(self, shape: tuple[int, ...], width: int):
        super().__init__()
        sizes = pyramid((shape[1], shape[2]), until=1)
        widths = [min(width * 2**i, 8 * width) for i in range(len(sizes) - 1)]
        self.first = SameConv2d(shape[0], width, 4, 2, bias=False)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (a, b) in enumerate(pairwise(widths)):
            norm = [nn.BatchNorm2d(b)] if i < len(widths) - 2 else []
            self.down.append(nn.Sequential(SameConv2d(a, b, 4, 2, bias=False), *norm))
        for i in range(len(widths) - 1, 0, -1):
            c_in = widths[i] if i == len(widths) - 1 else 2 * widths[i]
            deconv = SameDeconv2d(c_in, widths[i - 1], 4, 2, sizes[i], bias=False)
            self.up.append(nn.Sequential(nn.ReLU(), deconv, nn.BatchNorm2d(widths[i - 1])))
        self.last = nn.Sequential(nn.ReLU(), SameDeconv2d(2 * width, shape[0], 4, 2, sizes[0]), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        skips = [self.first(x)]
        for layer in self.down:
            skips[-1] = nn.functional.leaky_relu(skips[-1], 0.2)
            skips.append(layer(skips[-1]))
        h = skips.pop()
        for layer in self.up:
            h = torch.cat([skips.pop(), layer(h)], 1)
        return self.last(h)


class DenseUNet(nn.Module):
    """The same idea for table rows."""

    last: Layer

    def __init__(self, d: int, width: int):
        super().__init__()
        self.down = nn.ModuleList([nn.Linear(d, 2 * width), nn.Linear(2 * width, width)])
        self.code = nn.Linear(width, max(2, width // 2))
        self.up = nn.ModuleList([nn.Linear(max(2, width // 2), width), nn.Linear(2 * width, 2 * width)])
        self.last = nn.Linear(4 * width, d)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for layer in self.down:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            skips.append(x)
        x = self.code(x)
        for layer in self.up:
            x = torch.cat([skips.pop(), layer(x.relu())], 1)
        return self.last(x.relu())


def image_critic(shape: tuple[int, ...], width: int, n_features: int) -> Critic:
    """Halvings to 4 x 4, a convolution over the whole map for the features, and a 3 x 3 convolution as classifier."""
    sizes = pyramid((shape[1], shape[2]), until=4)
    layers: list[nn.Module] = [SameConv2d(shape[0], width, 4, 2, bias=False), leaky_fifth()]
    for _ in sizes[2:]:
        layers += [SameConv2d(width, 2 * width, 4, 2, bias=False), nn.BatchNorm2d(2 * width), leaky_fifth()]
        width *= 2
    layers.append(nn.Conv2d(width, n_features, sizes[-1], bias=False))
    return Critic(nn.Sequential(*layers), nn.Conv2d(n_features, 1, 3, padding=1, bias=False)).apply(dcgan_init)
