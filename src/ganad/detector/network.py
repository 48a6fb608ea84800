"""Detectors with networks that the loop trains, and detectors that draw samples from codes."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self, TypedDict, Unpack

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .. import devices
from ..errors import InputError, NotSupported
from ..migrations import Change
from ..seeds import isolated_rng, rng_state, set_rng_state
from ..settings import Bound, Count, Positive, Share
from ..training import Adam, Run, Step, Stream, TrainingSet
from .base import Detector
from .fitting import Fit, RunEnd
from .input import InputSpec

Batches = Stream
Updates = Iterator[tuple[str, dict[str, Tensor]]]
Decays = Annotated[tuple[float, float], Bound(0, 1, open_high=True)]


class RunOptions(TypedDict, total=False):
    """Options of one run of the training loop; ``NetworkDetector.make_run`` explains them."""

    update: tuple[str, ...] | None
    epochs: int | None
    iterations: int | None
    batch_size: int | None
    early_stopping: bool


class NetworkDetector(Detector):
    """Base of the detectors with trained networks. A method writes ``build``, ``training_step`` and ``score_batch``."""

    epochs: int | None = None  #: passes over the training set; None: as many as ``updates`` batches need, or a few more
    updates: Count = 1000  #: batches that a fit trains on where ``epochs`` is None, so that it also learns small data
    batch_size: Annotated[int, Bound(0, 2**20, open_low=True)] = 64  #: samples a training step draws
    lr: Positive | None = 2e-4  #: step size of Adam, shared by all players; None: 1e-3 for tables, 2e-4 for images
    betas: Decays = (0.5, 0.999)  #: decay rates of Adam's two moments
    ema: Share = 0.0  #: decay of the weight average that is used after training; 0: use the last weights
    clip_norm: Positive | None = None  #: largest norm of a player's gradient
    patience: int | None = None  #: stop after more epochs than this without a better held-out loss, keep the best
    validation_fraction: Share = 0.1  #: share of the (normal) training data held out when patience is set
    precision: Literal["auto", "fp32", "bf16"] = "auto"  #: of training; scores are float32 unless you choose bf16

    CHANGES = (Change("0.2", added=dict(updates=1000)),)  # files of 0.1 name their epochs, so they do not use it
    #: Step size of Adam where ``lr`` is None, for a table and for images.
    STEP_SIZES: ClassVar[tuple[float, float]] = (1e-3, 2e-4)
    #: Fewest passes where ``epochs`` is None, over a table and over images: a fit sees large data several times.
    LEAST_EPOCHS: ClassVar[tuple[int, int]] = (5, 20)

    # -- what a method writes -----------------------------------------------------------------------------

    def training_step(self, batches: Batches) -> Updates:
        """Draw ``x = next(batches)`` and yield ``player, {term: loss}``.

        Each yield makes that player step on the sum of its terms. The lines after it see the new weights.
        """
        raise NotImplementedError(f"{type(self).__name__} must define training_step(batches)")

    def train(self, x: TrainingSet) -> None:
        """The training procedure. Override it to add stages, or a fit after the networks are trained."""
        self.run(self.training_step, x)

    def optimizer(self, player: str, params: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of one player. Override it if the paper uses another."""
        return Adam(params, lr=self.step_size, betas=self.betas)

    def lr_factor(self, player: str, epoch: float, iteration: int) -> float:
        """Factor of the player's step size. It is a pure function, so that a resumed fit follows it exactly."""
        return 1.0

    def validation_batch(self, x: Tensor) -> Tensor:
        """Loss ``(n,)`` of held-out normal samples, for early stopping; by default the score."""
        return self.score_batch(x)

    # -- going on -----------------------------------------------------------------------------------------

    def continue_fit(self, X: Any, y: Any = None, **how: Any) -> Self:
        """Go on training with new normal samples: a fit that begins with these weights and not with random ones.

        X, how: as in ``fit``. The scaling of the input stays that of the first fit, so that a sample means the same to
        the networks. All the rest is a fit of its own: it trains for as long as the settings say, with new optimisers,
        on ``X`` alone; what follows training, thresholds and calibration among it, comes from ``X``. What ``X`` does
        not show may be forgotten, so give samples of the old kind as well where they still come. The further fits of
        ``threshold_fits`` begin with random weights, because these weights may know the samples that they leave out.
        With ``hold_out`` this detector must not have learnt any of ``X`` before; else ``calibrate`` with other samples.

        Raises InputError for samples of another kind than fitted on, and for settings that ask for other networks.
        """
        check_is_fitted(self, "nets_")
        x = self._checked(X)
        source, columns = getattr(self, "source_", None), getattr(self, "columns_", None)
        self._start = Start(self.input_, copies(self.nets_))
        try:
            self.fit(x, **how)
        finally:
            del self._start
        if source is not None:
            self.remember_source(source, columns)
        return self

    @property
    def begun(self) -> Start | None:
        """Where this fit began, if it goes on from an earlier one; a method then sets no weights of its own."""
        return vars(self).get("_start")

    def _fingerprint(self, x: np.ndarray) -> str:
        return super()._fingerprint(x) + (self.begun.digest() if self.begun else "")

    def _spec(self, x: np.ndarray, names: tuple[str, ...] | None) -> InputSpec:
        return self.begun.spec if self.begun else super()._spec(x, names)

    def assemble(self, spec: InputSpec, device: torch.device) -> None:
        super().assemble(spec, device)
        if self.begun:
            self.begun.take(self.nets_, type(self).__name__)

    def _anew(self, x: np.ndarray) -> tuple[Self, InputSpec]:
        """As in the base class. In a fit that goes on it begins with random weights, and takes as long as a first one.

        The scaling stays that of the first fit, so that its scores have this detector's scale.
        """
        twin, spec = super()._anew(x)
        vars(twin).pop("_start", None)
        if self.begun and self.epochs is not None and self.epochs * self._batches(len(x)) < self.updates:
            twin.epochs = None
        return twin, spec

    # -- what a method calls ------------------------------------------------------------------------------

    @property
    def passes(self) -> int:
        """Passes over the training set that this fit makes: ``epochs``, or as many as ``updates`` needs."""
        return self.epochs if self.epochs is not None else self.passes_for(self.updates)

    def passes_for(self, updates: int) -> int:
        """Passes over this fit's training set that give ``updates`` batches, but at least LEAST_EPOCHS."""
        return max(self.LEAST_EPOCHS[self.input_.is_image], math.ceil(updates / self._batches(self._fit.n_train)))

    def _batches(self, n: int) -> int:
        """Batches of a pass over ``n`` samples."""
        return math.ceil(n / min(self.batch_size, n))

    @property
    def step_size(self) -> float:
        """Step size of Adam: ``lr``, or the one of STEP_SIZES."""
        return self.lr if self.lr is not None else self.STEP_SIZES[self.input_.is_image]

    def run(self, step: Step, x: TrainingSet | Tensor, **options: Unpack[RunOptions]) -> None:
        """Train with ``step`` on ``x``. The options are those of ``make_run``."""
        fit, earlier = self._fit, self.history_
        if fit.runs < len(fit.replay):
            end = fit.replay[fit.runs]
            self.nets_.load_state_dict(end.weights)
            set_rng_state(end.rng, self.device_)
            self.history_ = earlier + end.history
            fit.runs += 1
            return
        if fit.replay:
            raise NotSupported(f"{type(self).__name__} trains again after its run {fit.runs}, which has not ended yet")
        run = self.make_run(step, x, **options)
        if watch := fit.on_epoch:

            def show(run: Run) -> None:
                self.history_ = earlier + run.history
                watch(self)

            run.on_epoch, run.due = show, getattr(watch, "due", None)
        history = run.train(fit.checkpoint, fit.runs)
        self.history_ = earlier + history
        fit.runs += 1
        if fit.ends is not None:
            fit.ends.append(RunEnd(copies(self.nets_), rng_state(self.device_), history))

    def make_run(
        self,
        step: Step,
        x: TrainingSet | Tensor,
        *,
        update: tuple[str, ...] | None = None,
        epochs: int | None = None,
        iterations: int | None = None,
        batch_size: int | None = None,
        early_stopping: bool = True,
    ) -> Run:
        """Build the run that ``run`` trains.

        update: the players to train (default: all); the others stay in eval mode. epochs: passes over ``x`` (default:
        ``passes``). iterations: calls of ``step``, in place of epochs. batch_size: default, the setting of this name.
        early_stopping: stop as ``patience`` says, if it is set.
        """
        fit = self._fit
        names = update or tuple(self.nets_.keys())
        for name, net in self.nets_.items():
            net.train(name in names)
        data = x if isinstance(x, TrainingSet) else TrainingSet(x, self.device_)
        early_stopping = early_stopping and fit.held_out is not None
        return Run(
            name=fit.stage + step.__name__.removesuffix("_step"),
            step=step,
            # not by the runs of other members, so that a member learns what it would learn alone
            stream=Stream(data, batch_size or self.batch_size, f"{fit.seed}/{fit.runs - fit.first}"),
            nets=self.nets_,
            optimizers={k: self.optimizer(k, list(self.nets_[k].parameters())) for k in names},
            epochs=self.passes if epochs is None else epochs,
            iterations=iterations,
            dtype=self.dtype_,
            ema=self.ema,
            clip_norm=self.clip_norm,
            patience=self.patience if early_stopping else None,
            validate=self._validation_loss if early_stopping else None,
            lr_factor=None if type(self).lr_factor is NetworkDetector.lr_factor else self.lr_factor,
            on_progress=self._show,
        )

    def as_if_ended(self, x: np.ndarray) -> Self:
        """A copy of this detector as if its run ended now, for ``on_epoch`` of a fit to the samples ``x``.

        What a method computes after its networks' training, such as a mixture of codes, is computed for the copy. The
        fit goes on to the same bits. Raises NotSupported for a method with several runs.
        """
        fit = self._fit
        if fit.runs:
            raise NotSupported(f"{type(self).__name__} has several runs, of which only the last one could end")
        end = RunEnd(copies(self.nets_), rng_state(self.device_), self.history_)
        copied: Self = clone(self)
        copied.fit_part(x, self.input_.names, self.device_, Fit(fit.seed, fit.bar, replay=[end]))
        return copied

    # -- between ------------------------------------------------------------------------------------------

    @property
    def dtype_(self) -> torch.dtype:
        """The number format of matrix products in training."""
        return devices.choose_dtype(self.precision, self.device_, is_image=self.input_.is_image)

    def _bf16(self) -> bool:
        return self.precision == "bf16"

    def _show(self, run: Run) -> None:
        if run.iterations is not None:
            done, total = run.iteration, run.iterations
        else:
            done, total = run.stream.epoch, run.epochs or 0
        last = run.history[-1] if run.history else {}
        note = "  ".join(f"{k} {v:.4g}" for k, v in last.items() if isinstance(v, float) and k != "seconds")
        self.progress(done, total, note, run.name)

    def _training_set(self, x: np.ndarray) -> TrainingSet:
        """The samples to train on, without those held out for ``patience``."""
        self._fit.n_train = len(x)
        if self.patience is None:
            return super()._training_set(x)
        n = max(1, round(self.validation_fraction * len(x)))
        if len(x) - n < 2:
            raise InputError(f"{len(x)} samples are too few to hold {n} out; set patience=None")
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self._fit.seed))
        self._fit.n_train = len(x) - n
        whole = super()._training_set(x)
        self._fit.held_out = whole.part(order[:n].sort().values)
        return whole.part(order[n:])

    def _validation_loss(self) -> float:
        """Mean loss of the held-out samples. The random state of training stays as it was."""
        held_out = self._fit.held_out
        assert held_out is not None
        with isolated_rng(0, self.device_):
            return self.map_batches(self.validation_batch, held_out).mean().item()


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a fit begins that continues another one."""

    spec: InputSpec
    weights: dict[str, Tensor]

    def take(self, nets: nn.Module, owner: str) -> None:
        """Give the networks these weights; InputError where they are others."""
        try:
            nets.load_state_dict(self.weights)
        except RuntimeError as error:
            raise InputError(
                f"{owner}: the settings ask for other networks than those that were trained; change only settings of "
                "training, such as epochs and lr"
            ) from error

    def digest(self) -> str:
        """SHA-256 of the weights."""
        found = hashlib.sha256()
        for name, value in self.weights.items():
            found.update(name.encode() + value.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return found.hexdigest()


def copies(nets: nn.Module) -> dict[str, Tensor]:
    """The networks' weights as they are now."""
    return {name: value.detach().clone() for name, value in nets.state_dict().items()}


class GenerativeDetector(NetworkDetector):
    """Base of the detectors with a generator: a network that turns codes into samples."""

    latent_dim: Count | None = 100  #: size of z; None: half of a table's columns, 2 to 32, and 100 for images

    #: Size of z for images where ``latent_dim`` is None.
    IMAGE_CODE: ClassVar[int] = 100

    @property
    def code_size(self) -> int:
        """Size of z in this fit."""
        return self.code_size_for(self.input_.shape)

    def code_size_for(self, shape: tuple[int, ...]) -> int:
        """Size of z for samples ``(d,)`` or ``(C, H, W)``.

        Rows of d columns cannot fill a normal distribution of more than d dimensions, so an encoder could not match it.
        """
        if self.latent_dim is not None:
            return self.latent_dim
        return self.IMAGE_CODE if len(shape) == 3 else max(2, min(32, math.ceil(shape[0] / 2)))

    def noise(self, n: int) -> Tensor:
        """``(n, code_size)`` standard normal codes on the device."""
        return torch.randn(n, self.code_size, device=self.device_)

    def sample_batch(self, n: int) -> Tensor:
        drawn: Tensor = self.generator()(self.noise(n))
        return drawn

    def supports(self, part: str) -> bool:
        own = type(self).generator is not Detector.generator
        return super().supports(part) or (part == "sample" and own)


class BidirectionalDetector(GenerativeDetector):
    """Base of the detectors whose encoder reverses the generator. They encode, reconstruct and sample."""

    def codec(self) -> tuple[nn.Module, nn.Module]:
        """Encoder and generator. Override it if the players have other names."""
        return self.nets_["encoder"], self.nets_["generator"]

    def generator(self) -> nn.Module:
        return self.codec()[1]

    def encode_batch(self, x: Tensor) -> Tensor:
        encoder, _ = self.codec()
        codes: Tensor = encoder(x)
        return codes

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        encoder, generator = self.codec()
        x_hat: Tensor = generator(encoder(x))
        return x_hat

    def supports(self, part: str) -> bool:
        return True
