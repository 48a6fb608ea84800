"""OCAN, one-class adversarial nets.

P. Zheng et al., "One-Class Adversarial Nets for Fraud Detection", AAAI 2019, arXiv 1803.01798;
code PanpanZheng/OCAN (TensorFlow 1).

First an autoencoder turns a sample into a vector v. Then a complementary GAN is trained. Its generator is pushed out of
the dense regions of the data but stays in the same feature space, so its samples take the place of anomalies. The
discriminator learns to tell v from them and is the detector. The density comes from the discriminator T of a regular
GAN, which is trained before and then frozen.

    generator      L_PT + mean of log T(v') 1[T(v') >= epsilon] + ||mean f(v') - mean f(v)||^2, v' = G(z)
    discriminator  H(1, D(v)) + H(0, D(v')) + w_entropy entropy of D(v)
    score          -logit D(v)

L_PT is the pull-away term: the mean squared cosine between features f (D's last hidden layer) of different v'. epsilon
is the ``density_quantile`` of T on the training vectors.

Differs from the official code (``reading="code"`` has its losses):
- T is trained. In the code it takes one gradient step with one class, and the density term reads its other output.
- Features are matched by the squared distance of batch means. The code matches the logits of samples paired at random.
- The entropy has weight 1 and is -D log D, as printed. The code has 1.85 and the full binary entropy.
- Vectors are scaled to [-1, 1] by the training data alone. The code scales each row by itself, then scales columns
  together with test rows.
- Sequences are table rows of T x d cells, ``sequence_shape=(T, d)``, and all have the same length. The code masks
  padding; here there is no padding. The decoder is an LSTM as wide as the code with a linear layer, not an LSTM of 8
  units.
- The autoencoder trains by Adam on the GAN's batches, and its output is linear. The official code has Adadelta on
  batches of 256 and an L1 penalty on activities.
- The generator's cube has twice the side of the data's box (``reach``). In the paper it is the box itself, so nothing
  complementary can be drawn beyond the largest value of a column. One of fourteen development tables was upside down so
  (AUROC .17, with .98 for the median detector). The presets keep the box.
- A table of up to a hundred columns is learnt as it is, as the paper learns its card data. Fifty ReLU codes of nine
  columns are mostly constant, and the mean over the tables is .72 with codes and .75 without; with twice the batches,
  now the default, it is .78. No label is in either rule.
- The preset "wiki" has the code's batch and features with the paper's losses. "wiki-code" takes both
  from the code, "wiki-as-described" both from the paper.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ..detector import Batches, GenerativeDetector, Updates
from ..losses import bce, pull_away
from ..migrations import Change
from ..nets import Critic, Layer, he_normal, mlp
from ..settings import Count
from ..training import Adam, TrainingSet

_WIDE = 100  # columns of a table beyond which "auto" learns codes: the generator fills little of so wide a space
_STAGES = dict(encoder_epochs=20, target_epochs=20)  # of all presets
_CARD = dict(**_STAGES, representation="none", reach=1.0, batch_size=70, epochs=200)
_CARD_CODES = dict(**_STAGES, representation="dense", reach=1.0, code_dim=50, batch_size=70, epochs=200)
_WIKI = dict(
    **_STAGES, representation="lstm", reach=1.0, sequence_shape=(50, 8), code_dim=200, batch_size=100, epochs=50
)
_DESCRIBED = dict(batch_size=32, epochs=50)  # what the paper says of its card data
_CODE = dict(reading="code", w_entropy=1.85, discriminator_optimizer="sgd", discriminator_lr=1e-3)


class OCAN(GenerativeDetector):
    """A representation, and a GAN whose generator draws samples unlike the data."""

    reading: Literal["paper", "code"] = "paper"  #: whose losses to use
    representation: Literal["auto", "none", "dense", "lstm"] = "auto"  #: autoencoder first; auto: images, wide tables
    sequence_shape: tuple[int, ...] = ()  #: (length, features) of a table row that is a sequence (lstm)
    code_dim: Count = 50  #: size of the representation
    density_quantile: float = 0.05  #: share of the training vectors that counts as not dense
    w_entropy: float = 1.0  #: weight of the entropy on real vectors (1.85 in the code)
    latent_dim: Count = 50  #: size of z, uniform on (-1, 1)
    hidden: tuple[int, ...] = (100, 50)  #: widths of the discriminator's hidden layers
    generator_hidden: Count = 100  #: width of the generator's hidden layer
    reach: float = 2.0  #: half the side of the generator's cube, in units of half the side of the data's box
    encoder_epochs: int | None = None  #: passes over the training set of the autoencoder; None: 2/5 of the GAN's
    target_epochs: int | None = None  #: passes of the regular GAN whose discriminator is the density; None: 2/5
    updates: Count = 1000  #: batches of the complementary GAN where ``epochs`` is None
    lr: float = 1e-3  #: step size of generator and autoencoder
    betas: tuple[float, float] = (0.9, 0.999)  #: decay rates of Adam's two moments
    discriminator_lr: float = 2e-4  #: step size of the discriminators
    discriminator_optimizer: Literal["adam", "sgd"] = "adam"  #: SGD in the code
    scaling: Literal["auto", "minmax", "standard", "none", "contrast"] = "minmax"  #: of the input

    LEAST_EPOCHS = (5, 50)
    CHANGES = (Change("0.2", added=dict(reach=1.0)),)
    PRESETS = {
        "credit-card": _CARD | _CODE,
        "credit-card-as-described": _CARD | _DESCRIBED,
        "credit-card-codes": _CARD_CODES | _CODE,
        "credit-card-codes-as-described": _CARD_CODES | _DESCRIBED,
        "wiki-code": _WIKI | _CODE,
        "wiki-as-described": _WIKI | dict(sequence_shape=(50, 4), batch_size=32),
        "wiki": _WIKI,
    }
    LEARNS = {"code_shift_": "torch.float32[d]", "code_scale_": "torch.float32[d]", "epsilon_": "float"}

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        flat = int(torch.Size(shape).numel())
        front = self.front_for(shape)
        d = flat if front == "none" else self.code_dim
        players: dict[str, nn.Module] = dict(self.gan(d))
        players["target"] = self.critic(d)
        players["target_generator"] = mlp(self.latent_dim, self.generator_hidden, d, last=nn.Tanh())
        for net in players.values():
            net.apply(he_normal)
        if front == "lstm":
            players["autoencoder"] = SequenceAutoEncoder(self.sequence_shape or (1, flat), self.code_dim)
        elif front == "dense":
            players["autoencoder"] = DenseAutoEncoder(flat, self.code_dim)
        return players

    def front_for(self, shape: tuple[int, ...]) -> str:
        """The autoencoder in front of samples of this shape: "none", "dense" or "lstm"."""
        if self.representation != "auto":
            return self.representation
        return "dense" if len(shape) > 1 or shape[0] > _WIDE else "none"

    def gan(self, d: int) -> dict[str, nn.Module]:
        """Generator and discriminator for vectors of size ``d``."""
        generator = mlp(self.latent_dim, self.generator_hidden, d, last=nn.Tanh())
        return dict(generator=generator, discriminator=self.critic(d))

    def critic(self, d: int) -> Critic:
        return Critic(mlp(d, *self.hidden, last=nn.ReLU()), nn.Linear(self.hidden[-1], 1))

    def optimizer(self, player: str, params: list[nn.Parameter]) -> torch.optim.Optimizer:
        if player not in ("discriminator", "target"):
            return super().optimizer(player, params)
        if self.discriminator_optimizer == "sgd":
            return torch.optim.SGD(params, self.discriminator_lr)
        return Adam(params, self.discriminator_lr, self.betas)

    def train(self, x: TrainingSet) -> None:
        some = round(0.4 * self.passes)
        if "autoencoder" in self.nets_:
            epochs = some if self.encoder_epochs is None else self.encoder_epochs
            self.run(self.encoder_step, x, update=("autoencoder",), epochs=epochs, early_stopping=False)
        codes = self.map_batches(self.represent, x)
        low, high = codes.amin(0), codes.amax(0)
        self.code_shift_ = ((low + high) / 2).cpu()
        self.code_scale_ = self.reach * ((high - low) / 2).where(high > low, torch.ones_like(high)).cpu()
        codes = self.scaled(codes)
        self.run(
            self.target_step,
            codes,
            update=("target", "target_generator"),
            epochs=some if self.target_epochs is None else self.target_epochs,
            early_stopping=False,
        )
        self.epsilon_ = float(torch.sigmoid(self.map_batches(self.nets_.target, codes)).quantile(self.density_quantile))
        self.run(self.gan_step, codes, update=("generator", "discriminator"))

    def represent(self, x: Tensor) -> Tensor:
        """Vectors ``(n, d)`` of samples, not yet scaled."""
        return self.nets_.autoencoder.encode(x.flatten(1)) if "autoencoder" in self.nets_ else x.flatten(1)

    def scaled(self, codes: Tensor) -> Tensor:
        return (codes.float() - self.code_shift_.to(codes.device)) / self.code_scale_.to(codes.device)

    def uniform(self, n: int) -> Tensor:
        return torch.empty(n, self.latent_dim, device=self.device_).uniform_(-1, 1)

    def encoder_step(self, batches: Batches) -> Updates:
        x = next(batches).flatten(1)
        yield "autoencoder", dict(rec=(x - self.nets_.autoencoder(x)).float().square().mean())

    def target_step(self, batches: Batches) -> Updates:
        T, v = self.nets_.target, next(batches)
        fake = self.nets_.target_generator(self.uniform(len(v)))
        yield "target", dict(real=bce(T(v), 1.0), fake=bce(T(fake.detach()), 0.0))
        yield "target_generator", dict(adv=bce(T(fake), 1.0))

    def gan_step(self, batches: Batches) -> Updates:
        G, D = self.nets_.generator, self.nets_.discriminator
        v = next(batches)
        with torch.no_grad():
            fake = G(self.uniform(len(v)))
        logit = D(v)
        entropy = self.w_entropy * self.entropy(logit)
        yield "discriminator", dict(real=bce(logit, 1.0), fake=bce(D(fake), 0.0), entropy=entropy)
        yield "generator", self.complementary(G(self.uniform(len(v))), v)

    def entropy(self, logit: Tensor) -> Tensor:
        """-D log D on real vectors, as printed, or the full binary entropy ("code")."""
        p = torch.sigmoid(logit.float())
        half = -(p * logsigmoid(logit.float())).mean()
        return half if self.reading == "paper" else half - ((1 - p) * logsigmoid(-logit.float())).mean()

    def complementary(self, fake: Tensor, v: Tensor) -> dict[str, Tensor]:
        """The generator's three terms."""
        D, T = self.nets_.discriminator, self.nets_.target
        if self.reading != "code":
            f_fake, f_real = D.features(fake).float(), D.features(v).float()
            log_p = logsigmoid(T(fake).float())
            density = (log_p * (log_p.exp() >= self.epsilon_)).mean()
            return dict(pt=pull_away(f_fake), density=density, fm=(f_fake.mean(0) - f_real.mean(0)).square().sum())
        p = torch.sigmoid(-T(fake).float())  # the code's column 1: not benign
        mask = p > (p.max() + p.min()) / 2
        return dict(
            pt=pull_away(T.features(fake).float()),
            density=(p.log() * mask.detach()).mean(),
            fm=(D(v).detach() - D(fake)).float().abs().mean(),
        )

    def score_batch(self, x: Tensor) -> Tensor:
        return -self.nets_.discriminator(self.scaled(self.represent(x)))


class DenseAutoEncoder(nn.Module):
    """The code's autoencoder for vectors: tanh 100, ReLU codes, tanh 50."""

    encode: Layer
    decode: Layer

    def __init__(self, d: int, code_dim: int):
        super().__init__()
        self.encode = mlp(d, 100, code_dim, activation=nn.Tanh, last=nn.ReLU())
        self.decode = mlp(code_dim, 50, d, activation=nn.Tanh)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class SequenceAutoEncoder(nn.Module):
    """An LSTM whose last state is the code, and an LSTM that writes the sequence backwards from it."""

    def __init__(self, shape: tuple[int, ...], code_dim: int):
        super().__init__()
        self.shape = shape
        self.reader = nn.LSTM(shape[1], code_dim, batch_first=True)
        self.writer = nn.LSTM(code_dim, code_dim, batch_first=True)
        self.out = nn.Linear(code_dim, shape[1])

    def encode(self, x: Tensor) -> Tensor:
        _, (state, _) = self.reader(x.view(-1, *self.shape))
        last: Tensor = state[-1]
        return last

    def forward(self, x: Tensor) -> Tensor:
        repeated = self.encode(x)[:, None].expand(-1, self.shape[0], -1)
        backwards: Tensor = self.out(self.writer(repeated)[0])
        return backwards.flip(1).flatten(1)
