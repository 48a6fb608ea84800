"""MMOC-GAN, a multimodal one-class GAN.

Anonymous, "A multimodal one-class generative adversarial network model for anomaly detection", ICLR 2019 submission.
No code; its data are private.

OCAN for data with several modes. The generator gets a discrete code c in addition to its noise, and a head Q on the
discriminator's trunk reads the code back. The code for a generated sample is drawn from Q(c | x) of a real one, so
that the complementary samples lie around every mode.

    injection      "cat": [z, onehot(c)]; "mix": mu_c + sigma_c z, mu and sigma learnt
    generator      OCAN's three terms + H(Q(. | x'), c) [+ w_sigma mean (1 - sigma)^2 for "mix"], c ~ Q(. | x)
    discriminator  H(1, D(x)) + H(0, D(x')) + entropy of D(x) + H(Q(. | x'), c) - entropy of the mean of Q(. | x)
    score          -logit D(x)

Differs from the paper:
- The printed signs contradict the text beside them: the density term draws the generator to dense regions, and the
  entropy makes the discriminator unsure. ``reading="printed"`` has both signs as printed.
- The printed mutual information samples the code from Q itself, so Q is not tied to the code that was put in. The
  default is InfoGAN's bound; ``information="printed"`` has the printed form.
- ``matching="printed"`` has the distance of mean features without its square.
- The entropy of Q's mean over the real batch keeps Q from using one code for everything.
- epsilon is the 0.5th percentile of the target on real data. The printed 99.5th (``density_quantile=0.995``) would
  switch the term off.

The generator ends in a tanh. If the data fill its cube, it cannot draw a row outside the data's box, so samples out
there look normal: the AUROC is .01 on a development table whose anomalies have large values, and .99 with ``reach=2``.
So by default the data take the middle of the cube, half its side. The presets have ``reach=1``. A table of 1,555
columns stays below one half (.45). The next paragraph gives a likely reason.

Many columns need a representation in front (``representation="dense"``, OCAN's). Complementary samples fill little of a
space of 64 pixels, and the discriminator knows the outside only where they are. On scikit-learn's digits without the 0
(60 passes, three seeds) the AUROC is .94, .84, .87 on codes and .35, .51, .93 on pixels. On codes it is .92, .79, .95
with the printed signs and .93, .93, .94 with one code for all, so neither makes a difference there (`ganad bench
readings`).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from ..detector import Batches, Updates
from ..losses import bce
from ..nets import Critic, Layer, mlp
from ..settings import Count
from .ocan import OCAN

_PRODUCTION: dict[str, Any] = dict(epochs=1000, encoder_epochs=20, target_epochs=20, reach=1.0)
_PRODUCTION |= dict(discriminator_optimizer="sgd", discriminator_lr=1e-3)


class MMOCGAN(OCAN):
    """OCAN with a discrete code for every mode of the data."""

    reading: Literal["consistent", "printed"] = "consistent"  # type: ignore[assignment]  #: signs of density and entropy
    information: Literal["infogan", "printed"] = "infogan"  #: Q must read the code put in; printed: a code drawn from Q
    matching: Literal["squared", "printed"] = "squared"  #: distance of mean features; printed: not squared
    injection: Literal["cat", "mix"] = "cat"  #: how the code enters the generator
    reach: float = 2.0  #: half the side of the generator's cube, in units of half the side of the data's box
    n_codes: Count = 10  #: number of codes
    w_sigma: float = 0.03  #: weight of the term that keeps the spreads of "mix" near one
    representation: Literal["none", "dense", "lstm"] = "none"  #: autoencoder in front of the GAN
    density_quantile: float = 0.005  #: share of the training vectors that counts as not dense
    hidden: tuple[int, ...] = (128, 128)  #: widths of the discriminator's hidden layers
    generator_hidden: Count = 128  #: width of the generator's hidden layer
    batch_size: int = 100  #: samples a training step draws
    updates: Count = 500  #: batches of the complementary GAN where ``epochs`` is None

    LEAST_EPOCHS = (5, 100)
    PRESETS = {"production": _PRODUCTION, "production-mix": _PRODUCTION | dict(injection="mix")}

    def gan(self, d: int) -> dict[str, nn.Module]:
        generator = CodedGenerator(self.injection, self.n_codes, self.latent_dim, self.generator_hidden, d)
        body = mlp(d, *self.hidden, last=nn.ReLU())
        return dict(generator=generator, discriminator=CodedCritic(body, self.hidden[-1], self.n_codes))

    def gan_step(self, batches: Batches) -> Updates:
        G, D = self.nets_.generator, self.nets_.discriminator
        v = next(batches)
        with torch.no_grad():
            codes = drawn(D.codes(v).float().softmax(1))
            fake = G(self.draw(len(v)), codes)
        logit = D(v)
        usage = D.codes(v).float().softmax(1).mean(0)
        sign = 1.0 if self.reading == "consistent" else -1.0
        yield (
            "discriminator",
            dict(
                real=bce(logit, 1.0),
                fake=bce(D(fake), 0.0),
                entropy=sign * self.w_entropy * self.entropy(logit),
                code=self.mutual(D.codes(fake), codes),
                usage=(usage * (usage + 1e-8).log()).sum(),
            ),
        )
        fake = G(self.draw(len(v)), codes)
        terms = self.complementary(fake, v)
        terms["density"] = sign * terms["density"]
        if self.matching == "printed":
            terms["fm"] = (terms["fm"] + 1e-12).sqrt()  # the root's slope is infinite at zero
        terms["code"] = self.mutual(D.codes(fake), codes)
        if self.injection == "mix":
            terms["sigma"] = self.w_sigma * (1 - G.sigma).square().mean()
        yield "generator", terms

    def mutual(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Cross-entropy of Q(. | x') with the code that made x'; "printed": with a code drawn from Q(. | x')."""
        if self.information == "printed":
            codes = drawn(logits.detach().float().softmax(1))
        return cross_entropy(logits.float(), codes)

    def draw(self, n: int) -> Tensor:
        """Noise ``(n, latent_dim)``: uniform for "cat", normal for "mix", whose modes are then Gaussians."""
        return self.uniform(n) if self.injection == "cat" else self.noise(n)

    def entropy(self, logit: Tensor) -> Tensor:
        p = torch.sigmoid(logit.float())
        return -(p * logsigmoid(logit.float()) + (1 - p) * logsigmoid(-logit.float())).mean()


class CodedGenerator(nn.Module):
    """A generator of noise and a code."""

    body: Layer

    def __init__(self, injection: str, n_codes: int, latent_dim: int, hidden: int, d: int):
        super().__init__()
        self.injection, self.n_codes = injection, n_codes
        extra = n_codes if injection == "cat" else 0
        self.body = mlp(latent_dim + extra, hidden, d, last=nn.Tanh())
        if injection == "mix":  # DeLiGAN's start
            self.mu = nn.Parameter(torch.empty(n_codes, latent_dim).uniform_(-1, 1))
            self.sigma = nn.Parameter(torch.full((n_codes, latent_dim), 0.2))

    def forward(self, z: Tensor, codes: Tensor) -> Tensor:
        if self.injection == "cat":
            one_hot = codes[:, None] == torch.arange(self.n_codes, device=codes.device)  # torch's waits for the device
            return self.body(torch.cat([z, one_hot.to(z.dtype)], 1))
        return self.body(self.mu[codes] + self.sigma[codes] * z)


class CodedCritic(Critic):
    """A critic with a second head: logits of the codes."""

    code_head: Layer

    def __init__(self, body: nn.Module, width: int, n_codes: int):
        super().__init__(body, nn.Linear(width, 1))
        self.code_head = nn.Linear(width, n_codes)

    def codes(self, x: Tensor) -> Tensor:
        return self.code_head(self.features(x))


def drawn(p: Tensor) -> Tensor:
    """An index ``(n,)`` drawn with the probabilities ``(n, k)`` of each row.

    The same bits as torch.multinomial, but a fit on several processes can draw its slice, and a GPU does not wait.
    """
    return (p / torch.empty_like(p).exponential_()).argmax(1)
