"""ADGAN.

L. Deecke et al., "Image Anomaly Detection with Generative Adversarial Networks", ECML PKDD 2018. No official code.

A Wasserstein GAN learns to draw normal samples. To score a sample, a search starts at many random codes. From each
start, a few steps of Adam move the code AND a private copy of the generator's weights, so that small misfits of a weak
generator do not count against the sample. The copies are thrown away.

    critic     mean D(G(z)) - mean D(x), weights clipped to [-clip, clip], or a gradient penalty
    generator  -mean D(G(z))
    score      mean over n_seeds starts of ||x - G_j(z_j)||^2 after search_steps steps from z_j ~ N(0, I), G_j = G

``variant="critic"`` (-D(x)) and ``variant="prior"`` (-log p(z) of the codes found) are the paper's ablations.

Differs from the paper:
- The paper does not say how it keeps the critic Lipschitz. The default is a gradient penalty and a critic without batch
  norm. The preset "paper" clips weights, as the WGAN that the paper cites does. That code also makes 100 critic steps,
  and not 5, for each of the first 25 generator steps and for every 500th; here there are always ``n_critic``.
- The starts are drawn once and saved, so a score does not change from call to call.
- Batch norm is in eval mode during the search; its scale and shift are among the weights that move.
- ``moving="sample"`` shares one moving generator among the starts of a sample, and ``moving="none"`` moves only codes.
  Both need a fraction of the memory traffic. They are not the default because they are other methods.
- Tables use at most 8 starts, images 64: a table of few rows may have to score thousands.
- MNIST is resized to 32 x 32, not padded. The networks for tables are ours.

The search finds only what the generator can nearly draw, and a weak generator misses normal samples as well. On
scikit-learn's digits without the 0, 780 generator steps give an AUROC below .6 with two critic steps each, and .87 with
five (one seed). A short benchmark row of this method therefore mostly shows how long it was trained.

So the step size of images is 3e-4. With 1e-4, as the presets have but "paper", the default's 250 steps of the generator
leave it a fifth of the variance of these digits; with 3e-4, at the same cost, it has all of it. No label has to say so.
With 0, 3 and 8 held out, the AUROC is then .63, .46 and .64 and was .21, .31 and .29; four times as many steps of 2e-4
give .91, .35 and .78 (``benchmarks/adgan.py``, one seed, eight starts). The default is an inexpensive first answer.

Tables show the same. On a development table of 64 columns, 250 generator steps give .54 with a step size of 1e-4
and .65 with 1e-3 (one seed). The distance to the mean has .57 there, the nearest neighbour .92. So
tables use larger steps, and the search still says little more than the distance from the data's middle.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.func import functional_call, vmap

from .._version import __version__
from ..detector import Batches, Detector, GenerativeDetector, Updates
from ..display import shown
from ..errors import InputError, NotSupported
from ..losses import gradient_penalty, per_sample
from ..migrations import upgraded
from ..nets import Critic, dcgan_critic, dcgan_generator, leaky_fifth, mlp
from ..nets.per_sample import FewPerWeight
from ..nets.players import Players
from ..registry import find, target_of
from ..seeds import isolated_rng
from ..settings import Bound, Count, Positive


class ADGAN(GenerativeDetector):
    """Search, from many starts, over codes and private copies of the generator."""

    variant: Literal["search", "critic", "prior"] = "search"  #: the score
    n_seeds: Annotated[int, Bound(1, 65_536)] | None = None  #: starts; None: 64 for images, 2 to 8 for tables
    search_steps: Annotated[int, Bound(0, 10_000)] = 5  #: steps of Adam from each start
    search_lr: float = 0.25  #: step size on the code
    weight_lr: float = 5e-5  #: step size on the generator's weights
    moving: Literal["seed", "sample", "none"] = "seed"  #: what gets a private copy of the generator
    memory_budget_mb: Count = 128  #: memory for the copies searched at once: about a CPU's cache; raise it on a GPU
    lipschitz: Literal["penalty", "clip"] = "penalty"  #: how the critic is kept smooth
    clip: float = 0.01  #: bound of the critic's weights under "clip"
    w_gp: float = 10.0  #: weight of the gradient penalty
    n_critic: Count = 5  #: critic steps per generator step
    latent_dim: Count | None = None  #: size of z; None: half of a table's columns, 2 to 32, and 256 for images
    width: Count = 64  #: channels of the DCGAN at half the image's size
    lr: Positive | None = None  #: step size; None: 1e-3 for tables, 3e-4 for images
    betas: tuple[float, float] = (0.0, 0.9)  #: decay rates of Adam's two moments
    updates: Count = 1250  #: batches of the critic where ``epochs`` is None
    score_batch_size: int | None = None  #: samples scored at a time; None: 1 image or 64 rows
    threshold_samples: int = 100  #: training samples, at most, whose scores set the threshold; each costs a search

    LEAST_EPOCHS = (5, 50)
    IMAGE_CODE = 256
    STEP_SIZES = (1e-3, 3e-4)
    PRESETS = {
        "paper": dict(image_size=32, lipschitz="clip", lr=5e-5, batch_size=64, epochs=100),
        "mnist": dict(image_size=32, lr=1e-4, epochs=100, batch_size=64),
        "cifar10": dict(lr=1e-4, epochs=200, batch_size=64),
        "lsun": dict(image_size=64, lr=1e-4, epochs=20, batch_size=64),
    }
    NO_FORWARD_PASS: ClassVar[str] = "a score is a search over codes and weights"
    LEARNS = {"starts_": "torch.float32[n_seeds, latent_dim]", "generator_of_": "dict?"}

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        self.starts_ = torch.randn(self.starts_for(shape), self.code_size_for(shape))
        if "generator_of_" in self.__dict__:
            return dict(generator=self._borrowed(shape).generator())
        return super().build(shape)

    def starts_for(self, shape: tuple[int, ...]) -> int:
        """Number of starts for samples of a shape. Each start costs a generator, and a table has thousands of rows."""
        if self.n_seeds is not None:
            return self.n_seeds
        return 64 if len(shape) == 3 else max(2, min(8, 256 // shape[0]))

    def build_table(self, d: int) -> dict[str, nn.Module]:
        critic = Critic(mlp(d, 256, 128, activation=leaky_fifth, last=leaky_fifth()), nn.Linear(128, 1))
        return dict(generator=mlp(self.code_size_for((d,)), 64, 128, d), critic=critic)

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        return dict(
            generator=dcgan_generator(shape, self.code_size_for(shape), self.width),
            critic=dcgan_critic(shape, self.width, batch_norm=self.lipschitz == "clip"),
        )

    def optimizer(self, player: str, params: list[nn.Parameter]) -> torch.optim.Optimizer:
        if self.lipschitz == "clip":
            return torch.optim.RMSprop(params, self.step_size)
        return super().optimizer(player, params)

    def training_step(self, batches: Batches) -> Updates:
        G, D = self.nets_.generator, self.nets_.critic
        for _ in range(self.n_critic):
            x = next(batches)
            with torch.no_grad():
                fake = G(self.noise(len(x))).float()
            terms = dict(real=-D(x).float().mean(), fake=D(fake).float().mean())
            if self.lipschitz == "penalty":
                terms["gp"] = self.w_gp * gradient_penalty(D, x, fake)
            yield "critic", terms
            if self.lipschitz == "clip":
                with torch.no_grad():
                    for p in D.parameters():
                        p.clamp_(-self.clip, self.clip)
        yield "generator", dict(adv=-D(G(self.noise(batches.batch_size))).float().mean())

    def score_batch(self, x: Tensor) -> Tensor:
        if self.variant == "critic":
            if "critic" not in self.nets_:
                raise InputError("ADGAN.from_detector has no critic; set variant to 'search' or 'prior'")
            return -self.nets_.critic(x)
        errors, codes = self.search(x)
        return errors.mean(1) if self.variant == "search" else codes.square().sum(2).mean(1) / 2

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        """The unmoved generator's drawing of the best code."""
        errors, codes = self.search(x)
        return self.nets_.generator(codes[torch.arange(len(x), device=x.device), errors.argmin(1)])

    def search(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Squared errors ``(n, n_seeds)`` and codes ``(n, n_seeds, latent_dim)`` at the end of every search."""
        n_seeds = len(self.starts_)
        shared = 1 if self.moving == "seed" else n_seeds  # starts that one generator serves
        starts = self.starts_.to(x).repeat(len(x), 1)  # the starts of a sample are adjacent
        weights = sum(p.numel() for p in self.nets_.generator.parameters())
        each = 4 * 5 * (weights + 8 * x[0].numel() * shared)  # weights, gradient, two moments, a spare
        rows = shared * max(1, int(self.memory_budget_mb * 2**20 // each))
        wanted = x.repeat_interleave(n_seeds, 0)
        pairs = zip(torch.split(wanted, rows), torch.split(starts, rows))
        with torch.autocast(x.device.type, enabled=False):  # copies of batch norm do not take bfloat16
            parts = [self._search(w, z, shared) for w, z in pairs]
        errors, codes = (torch.cat(part) for part in zip(*parts))
        return errors.view(len(x), -1), codes.view(len(x), n_seeds, -1)

    def _search(self, wanted: Tensor, z: Tensor, shared: int) -> tuple[Tensor, Tensor]:
        """Errors ``(m,)`` and codes ``(m, latent_dim)`` of searches from ``z`` for ``wanted``, sample by sample."""
        G = self.nets_.generator
        own = 0 if self.moving == "none" else len(z) // shared
        z = z.clone().requires_grad_()
        fixed = dict(G.named_buffers())
        if own:
            copies = {k: p.detach().expand(own, *p.shape).clone().requires_grad_() for k, p in G.named_parameters()}
            draw = vmap(lambda w, codes: functional_call(G, {**w, **fixed}, (codes,)))
        else:
            copies = {}
        # Adam's kernels work element by element, so one sample's copies do not affect another's
        groups: list[dict[str, Any]] = [{"params": [z], "lr": self.search_lr}]
        if copies:
            groups.append({"params": list(copies.values()), "lr": self.weight_lr})
        adam = torch.optim.Adam(groups, betas=(0.5, 0.999), fused=True)

        def errors() -> Tensor:
            if not own:
                return per_sample((wanted - G(z)).square())
            with FewPerWeight():
                drawn = draw(copies, z.view(own, shared, -1)).flatten(0, 1)
            return per_sample((wanted - drawn).square())

        for _ in range(self.search_steps):
            adam.zero_grad(set_to_none=True)
            torch.autograd.backward(errors().sum(), inputs=[z, *copies.values()])
            adam.step()
        with torch.no_grad():
            return errors(), z.detach()

    @property
    def _chunk(self) -> int:
        """One image fills the memory by itself. Rows have small networks, which run faster together."""
        return self.score_batch_size or (1 if self.input_.is_image else 64)

    def validation_batch(self, x: Tensor) -> Tensor:
        """Squared distance ``(n,)`` to the nearest drawing of a start: how well the generator covers these samples."""
        drawn = self.nets_.generator(self.starts_.to(x)).float().flatten(1)
        return torch.cdist(x.flatten(1), drawn).square().amin(1)

    def generator(self) -> nn.Module:
        return self.nets_.generator

    def _borrowed(self, shape: tuple[int, ...]) -> Detector:
        """The detector whose generator this one searches with, untrained."""
        described = vars(self)["generator_of_"]
        owner = find(described["class"])
        if owner is None:
            raise InputError(f"the generator belongs to {shown(repr(described['class']))}, which is not known here")
        saved = {k: tuple(v) if isinstance(v, list) else v for k, v in described["settings"].items()}
        other = owner(**upgraded(owner, saved, described.get("ganad", "0.1")))
        other.check_settings()
        other.input_, other.device_ = self.input_, self.device_
        other.nets_ = Players(other.build(shape))
        return other

    @classmethod
    def from_detector(cls, fitted: Detector, **settings: Any) -> Self:
        """An ADGAN that searches with the generator of any fitted detector that has ``sample`` (AnoGAN, VAE, ...).

        Codes are standard normal: OCGAN's are mapped to its cube, and Fence GAN's are spread by ``latent_sd``.
        The result flags nothing until ``calibrate(X, false_alarm_rate=...)`` sets a threshold. It lacks the variant
        "critic". Raises InputError for a detector that cannot draw samples, and for OCAN and MMOC-GAN, which draw
        abnormal ones.
        """
        check_is_fitted(fitted, "nets_")
        try:
            generator = fitted.generator()
        except NotSupported as error:
            raise InputError(f"{error}; give ADGAN.from_detector a method that does, such as AnoGAN or VAE") from error
        own: dict[str, Any] = {"latent_dim": getattr(fitted, "code_size", cls.IMAGE_CODE), "device": fitted.device}
        made = cls(**own | settings)
        made.__dict__.update({k: v for k, v in vars(fitted).items() if k in ("mean_", "source_", "columns_")})
        kept = {"class": target_of(type(fitted)), "settings": fitted.get_params(deep=False), "ganad": __version__}
        made.__dict__["generator_of_"] = kept
        made.offset_ = -float("inf")
        with isolated_rng(made.random_state or 0, fitted.device_):
            made.assemble(fitted.input_, fitted.device_)
        made.nets_.generator.load_state_dict(generator.state_dict())
        made.nets_.eval()
        return made
