"""Detector: what a method writes, and the scikit-learn face that every method then has."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import numbers
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, dataclass_transform

import numpy as np
import torch
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from . import calibrate, devices, persist
from .arrays import chunks
from .checkpoint import Checkpoint, fingerprint
from .errors import InputError
from .progress import Bar
from .scaling import Scaling
from .training import Players, Run, Step, Stream, TrainingSet, _hash

_UNCALIBRATED = "%(name)s is not calibrated; call calibrate(X) with normal samples that were not trained on"

#: Fitted attributes that describe the input.
_INPUT = ("shape_", "sample_shape_", "n_features_in_", "feature_names_in_")

Batches = Stream
Updates = Iterator[tuple[str, dict[str, Tensor]]]


class Fitted:
    """What ``fit`` leaves behind; annotations of this class are no settings."""

    nets_: Players  #: the networks, by player
    shape_: tuple[int, ...]  #: of one sample as the networks see it, (d,) or (C, H, W)
    sample_shape_: tuple[int, ...]  #: of one sample as the user gives it
    n_features_in_: int  #: values a sample has
    scaling_: Scaling  #: of the input
    history_: list[dict[str, Any]]  #: mean of every loss term, one row an epoch
    offset_: float  #: score_samples below it are anomalies
    mean_: np.ndarray  #: mean training sample as the networks see it
    calibration_: np.ndarray  #: sorted scores of held-out normal samples, after calibrate
    device_: torch.device  #: where the networks are
    dtype_: torch.dtype  #: of matrix products in training
    source_: dict[str, Any]  #: how the data were read, where a data source says so
    columns_: list[str] | None  #: names of the columns of a table, likewise
    _fit: _Fit


@dataclass_transform(kw_only_default=True)
@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Detector(Fitted, OutlierMixin, BaseEstimator):
    """Base of every detector. A method writes ``build``, ``training_step`` and ``score_batch``.

    Fields are the settings: declared once, they are constructor arguments, scikit-learn parameters,
    command-line options and part of the model file.
    """

    epochs: int = 20  #: passes over the training set
    batch_size: int = 64  #: samples a training step draws
    lr: float = 2e-4  #: step size of Adam, shared by all players
    betas: tuple[float, float] = (0.5, 0.999)  #: decay rates of Adam's two moments
    ema: float = 0.0  #: decay of the average of the weights that is used after training; 0: the last weights
    clip_norm: float | None = None  #: largest norm of a player's gradient
    patience: int | None = None  #: stop after this many epochs without a better held-out loss, keep the best
    validation_fraction: float = 0.1  #: share of the (normal) training data held out when patience is set
    contamination: float = 0.01  #: share of the training data that predict() may call anomalous; 0 is legal
    threshold_samples: int = 10_000  #: training samples, at most, whose scores set the threshold
    scaling: Literal["auto", "minmax", "standard", "none"] = "auto"  #: of the input; auto: images to [-1, 1]
    image_size: int | None = None  #: resize images to this side before the networks see them
    score_batch_size: int | None = None  #: samples scored at a time; None: 64 images or 512 rows
    device: str = "auto"  #: auto, cpu, cuda, cuda:1, ...
    precision: Literal["auto", "fp32", "bf16"] = "auto"  #: of training; scores are float32 unless bf16 is forced
    threads: int | None = None  #: CPU threads; None: half of the cores for images, one for tables
    verbose: int = 1  #: 0: no progress bar
    random_state: int | None = None  #: seed; the same seed gives the same weights on one machine

    #: Published settings by data set, as constructor arguments.
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    #: Fitted attributes that a model file leaves out because ``restored`` makes them again.
    TRANSIENT: ClassVar[tuple[str, ...]] = ()
    #: Why a score is more than one forward pass, for methods of which that is true; they cannot be exported.
    NO_FORWARD_PASS: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
        super().__init_subclass__(**kwargs)

    # -- what a method writes -----------------------------------------------------------------------------

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        """Return the players by name: the networks that one optimiser updates together.

        shape: of one sample as the networks see it, ``(d,)`` or ``(C, H, W)``. Unless a method overrides it, tables get
        ``build_table(d)`` and images ``build_image((C, H, W))``.
        """
        if len(shape) == 1:
            return self.build_table(shape[0])
        channels, height, width = shape
        return self.build_image((channels, height, width))

    def build_table(self, d: int) -> dict[str, nn.Module]:
        """The players for rows of ``d`` columns."""
        raise NotImplementedError(f"{type(self).__name__} must define build_table(d), or build(shape)")

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        """The players for images of ``shape``, ``(C, H, W)``."""
        raise NotImplementedError(f"{type(self).__name__} must define build_image(shape), or build(shape)")

    def training_step(self, batches: Batches) -> Updates:
        """Draw ``x = next(batches)`` and yield ``player, {term: loss}``.

        Each yield steps that player on the sum of its terms; the lines after it see the new weights.
        """
        raise NotImplementedError(f"{type(self).__name__} must define training_step(batches)")

    def score_batch(self, x: Tensor) -> Tensor:
        """Anomaly scores ``(n,)`` of samples ``(n, *shape)``, higher is more anomalous.

        Called in eval mode with frozen weights; gradients with respect to inputs are allowed.
        """
        raise NotImplementedError(f"{type(self).__name__} must define score_batch(x)")

    def train(self, x: TrainingSet) -> None:
        """The training procedure; override it to add stages, or a fit after the networks'."""
        self.run(self.training_step, x)

    def optimizer(self, player: str, params: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of one player; override it where the paper uses another."""
        return torch.optim.Adam(params, lr=self.lr, betas=self.betas, fused=True)

    def lr_factor(self, player: str, epoch: float, iteration: int) -> float:
        """Multiplier of the player's step size; a pure function, so that a resumed fit follows it exactly."""
        return 1.0

    def validation_batch(self, x: Tensor) -> Tensor:
        """Loss ``(n,)`` of held-out normal samples, for early stopping; the score unless a method knows better."""
        return self.score_batch(x)

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        """The networks' version of each sample, where the method has one."""
        raise AttributeError(f"{type(self).__name__} does not reconstruct its input")

    def encode_batch(self, x: Tensor) -> Tensor:
        """Codes ``(n, k)`` of samples, where the method has an encoder; pages draw maps of them."""
        raise AttributeError(f"{type(self).__name__} does not encode its input")

    def generator(self) -> nn.Module:
        """The network that turns standard normal codes ``(n, latent_dim)`` into samples, where the method has one."""
        raise AttributeError(f"{type(self).__name__} does not draw samples from codes")

    def sample_batch(self, n: int) -> Tensor:
        """``n`` generated samples, where the method has a generator."""
        generator = self.generator()
        return generator(self.noise(n))

    def restored(self) -> None:
        """Called after loading: make again what ``TRANSIENT`` left out."""

    # -- what a method calls ------------------------------------------------------------------------------

    def run(
        self,
        step: Step,
        x: TrainingSet | Tensor,
        *,
        update: tuple[str, ...] | None = None,
        epochs: int | None = None,
        iterations: int | None = None,
        batch_size: int | None = None,
        early_stopping: bool = True,
    ) -> None:
        """Train the ``update`` players (default: all) with ``step``; the others stay in eval mode.

        ``iterations``, if given, counts calls of ``step`` and takes the place of ``epochs``.
        """
        run = self.make_run(
            step,
            x,
            update=update,
            epochs=epochs,
            iterations=iterations,
            batch_size=batch_size,
            early_stopping=early_stopping,
        )
        fit, earlier = self._fit, self.history_
        if watch := fit.on_epoch:

            def show(run: Run) -> None:
                self.history_ = earlier + run.history
                watch(self)

            run.on_epoch = show
        self.history_ = earlier + run.train(fit.checkpoint, fit.runs)
        fit.runs += 1

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
        """The run that ``run`` trains, ready to start."""
        fit = self._fit
        names = update or tuple(self.nets_.keys())
        for name, net in self.nets_.items():
            net.train(name in names)
        data = x if isinstance(x, TrainingSet) else TrainingSet(x, self.device_)
        early_stopping = early_stopping and fit.held_out is not None
        return Run(
            name=step.__name__.removesuffix("_step"),
            step=step,
            stream=Stream(data, batch_size or self.batch_size, f"{fit.seed}/{fit.runs}"),
            nets=self.nets_,
            optimizers={k: self.optimizer(k, list(self.nets_[k].parameters())) for k in names},
            epochs=self.epochs if epochs is None else epochs,
            iterations=iterations,
            dtype=self.dtype_,
            ema=self.ema,
            clip_norm=self.clip_norm,
            patience=self.patience if early_stopping else None,
            validate=self._validation_loss if early_stopping else None,
            lr_factor=None if type(self).lr_factor is Detector.lr_factor else self.lr_factor,
            on_progress=fit.show,
        )

    def noise(self, n: int) -> Tensor:
        """``(n, latent_dim)`` standard normal codes on the device."""
        return torch.randn(n, self.latent_dim, device=self.device_)

    def map_batches(self, fn: Callable[[Tensor], Tensor], x: TrainingSet | Tensor) -> Tensor:
        """Apply ``fn`` to all of ``x`` in order, batch by batch, with the networks frozen."""
        data = x if isinstance(x, TrainingSet) else TrainingSet(x, self.device_)
        with frozen(self.nets_):
            return torch.cat([fn(data.batch(i)).detach() for i in torch.arange(len(data)).split(self._chunk)])

    # -- public -------------------------------------------------------------------------------------------

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The published settings for a data set, with changes: ``FenceGAN.preset("mnist", epochs=5)``."""
        if name not in cls.PRESETS:
            raise InputError(f"{cls.__name__} has no preset {name!r}; it has {', '.join(cls.PRESETS) or 'none'}")
        return cls(**cls.PRESETS[name] | changes)

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        checkpoint_every: float = 60.0,
        on_epoch: Callable[[Self], object] | None = None,
        hold_out: float | None = None,
        alpha: float | None = None,
    ) -> Self:
        """Learn what is normal.

        X: normal samples, a table ``(n, d)`` or images ``(n, H, W)`` or ``(n, H, W, C)``; an array, a
        ``numpy.memmap`` or a data frame. y: ignored. checkpoint: a folder for the progress, written at
        least every ``checkpoint_every`` seconds and after every epoch; with ``resume`` the fit continues
        from it and ends in the same weights as if it had not been interrupted.
        on_epoch: called with this detector after every epoch, when ``history_`` ends with the epoch's row and
        the networks can score, sample, reconstruct and encode; the fit comes to the same bits with it and without.
        hold_out: the share of ``X`` to train nothing on, but to ``calibrate`` on, with ``alpha``, in the end: 0.2 holds
        out a fifth. The two parts of a ``numpy.memmap`` are then copied into memory.

        Raises InputError for unusable data or settings, TrainingDiverged if a loss is no longer finite.
        """
        self.check_settings()
        held_back = None
        with _unchanged_if_refused(self):
            X = self._validated(X, reset=True)
            if hold_out is not None:
                rows, others = calibrate.hold_out(len(X), hold_out, alpha)
                X, held_back = X[rows], X[others]
            elif alpha is not None:
                raise InputError(f"alpha={alpha} needs samples to calibrate on; give hold_out=0.2, too")
        for name in [k for k in vars(self) if k.endswith("_") and k not in _INPUT]:
            delattr(self, name)  # whatever the fit before left behind
        self.device_ = devices.choose_device(self.device)
        is_image = X.ndim > 2
        self.dtype_ = devices.choose_dtype(self.precision, self.device_, is_image=is_image)
        scaling = Scaling.fit(X, self.scaling)
        self.set_scaling(scaling.shift, scaling.scale, scaling.clip)
        self.history_ = []
        mark = fingerprint(self, X) if checkpoint else ""
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(2**31))
        elif checkpoint:
            seed = _hash(mark) % 2**31  # a resumed fit must find the seed it began with
        else:  # from the system, so that the caller's random state is left alone here too
            seed = int(np.random.SeedSequence().generate_state(1)[0] % 2**31)
        keeper = Checkpoint(checkpoint, mark, every=checkpoint_every, resume=resume) if checkpoint else None
        threads = devices.choose_threads(self.threads, is_image=is_image)
        with contextlib.ExitStack() as stack:
            stack.enter_context(devices.use_threads(threads))
            stack.enter_context(devices.deterministic_kernels())
            stack.enter_context(devices.isolated_rng(seed, self.device_))
            stack.enter_context(torch.enable_grad())
            bar = stack.enter_context(Bar(type(self).__name__, enabled=self.verbose > 0))
            self.nets_ = self.place(Players(self.build(self.shape_)))
            train, held_out = self._split(X, seed)
            self._fit = _Fit(seed, keeper, held_out, bar, on_epoch)
            try:
                self.train(train)
            except BaseException:
                del self.nets_  # half-trained networks are not a fitted detector
                raise
            finally:
                del self._fit
            self.nets_.eval()
        rows = np.arange(len(X))
        if len(X) > self.threshold_samples:
            rows = np.sort(np.random.default_rng(seed).choice(len(X), self.threshold_samples, replace=False))
        scores = self._score(X[rows])
        self.mean_ = self._mean(X[rows])
        self.offset_ = -float(np.quantile(scores, 1 - self.contamination))
        return self if held_back is None else self._calibrate(self._score(held_back), alpha)

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Scores ``(n,)``, higher is more anomalous.

        A score is a function of the fitted model and the sample alone: it does not depend on the other
        samples, their order or their number. Raises InputError or ValueError for unusable data.
        """
        check_is_fitted(self, "nets_")
        return self._score(self._validated(X, reset=False))

    def score_samples(self, X: Any) -> np.ndarray:
        """Scikit-learn's sign: lower is more anomalous."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """``score_samples - offset_``: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """+1 for normal samples, -1 for anomalies, ``(n,)``."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    @property
    def threshold_(self) -> float:
        """The anomaly score above which ``predict`` says anomaly."""
        check_is_fitted(self, "offset_")
        return -self.offset_

    def calibrate(self, X: Any, *, alpha: float | None = None) -> Self:
        """Remember the scores of held-out normal samples ``X``, which were not trained on.

        With ``alpha``, ``predict`` from now on raises false alarms for at most that share of normal samples.
        See ``ganad.calibrate`` for what is promised and when.
        """
        return self._calibrate(self.anomaly_score(X), alpha)

    def _calibrate(self, scores: np.ndarray, alpha: float | None) -> Self:
        if alpha is not None:
            self.offset_ = -calibrate.threshold(scores, alpha)
        self.calibration_ = np.sort(scores)
        return self

    def p_values(self, X: Any) -> np.ndarray:
        """Conformal p-values ``(n,)``: how often a normal sample scores as high; needs ``calibrate`` first."""
        check_is_fitted(self, "calibration_", msg=_UNCALIBRATED)
        return calibrate.p_values(self.anomaly_score(X), self.calibration_)

    def threshold(self, alpha: float = 0.01) -> float:
        """The score that at most a share ``alpha`` of normal samples exceeds; needs ``calibrate`` first."""
        check_is_fitted(self, "calibration_", msg=_UNCALIBRATED)
        return calibrate.threshold(self.calibration_, alpha)

    def select(self, X: Any, *, fdr: float = 0.1) -> np.ndarray:
        """Mask ``(n,)`` of the anomalies in the batch ``X``, on average at most a share ``fdr`` of them false.

        Unlike a score, this depends on the whole batch: that is what a false discovery rate means. Needs
        ``calibrate`` first.
        """
        check_is_fitted(self, "calibration_", msg=_UNCALIBRATED)
        return calibrate.select(self.p_values(X), fdr, len(self.calibration_))

    def explain(self, X: Any) -> np.ndarray:
        """What each pixel ``(n, H, W)`` or column ``(n, d)`` adds to the scores; see ``ganad.explain``."""
        from .explain import explain

        return explain(self, X)

    def reconstruct(self, X: Any) -> np.ndarray:
        """The networks' version of each sample, in the units and shape of ``X``, float32.

        Raises AttributeError where the method has none.
        """
        return self.map_samples(lambda x: self._as_input(self.reconstruct_batch(x)), X).astype(np.float32)

    def encode(self, X: Any) -> np.ndarray:
        """Codes ``(n, k)`` of the samples, float32.

        Raises AttributeError where the method has no encoder.
        """
        return self.map_samples(self.encode_batch, X).astype(np.float32)

    def show_sweep(self, info: dict[str, Any]) -> None:
        """Show the progress of a fit that follows the networks' training, by its ``sweep`` of ``n_sweeps``."""
        note = f"{info['n_clusters']} clusters"
        self._fit.bar.update(info["sweep"], info["n_sweeps"], note, f"{self._fit.bar.title} mixture")

    def map_samples(self, fn: Callable[[Tensor], Tensor], X: Any) -> np.ndarray:
        """``fn`` of every sample as the networks see it, in the fixed chunks and the eval mode of scoring."""
        check_is_fitted(self, "nets_")
        return self._map_chunks(fn, self._validated(X, reset=False))

    def sample(self, n: int = 1, random_state: int | None = None) -> np.ndarray:
        """``n`` generated samples in the units and shape of the training data, float32.

        Raises AttributeError where the method has no generator.
        """
        check_is_fitted(self, "nets_")
        seed = int(np.random.SeedSequence(random_state).generate_state(1)[0])
        with devices.isolated_rng(seed, self.device_), frozen(self.nets_), torch.no_grad():
            parts = [self._as_input(self.sample_batch(min(256, n - i))) for i in range(0, n, 256)]
        return torch.cat(parts).cpu().numpy()

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one safetensors file; ``ganad.load`` reads it back."""
        check_is_fitted(self, "nets_")
        persist.save(self, path)

    def remember_source(self, source: dict[str, Any], columns: list[str] | None = None) -> None:
        """Keep how the data were read, so that new data are read the same way; saved with the model."""
        self.source_, self.columns_ = source, columns

    def check_settings(self) -> None:
        """Raise InputError, naming field, value and what is allowed, for a setting that cannot work."""
        for name, hint in _hints(typing.cast(Any, type(self))).items():
            _check_setting(type(self).__name__, name, hint, getattr(self, name))

    def set_scaling(self, shift: np.ndarray, scale: np.ndarray, clip: float | None) -> None:
        """Put a fitted input scaling in place."""
        self.scaling_ = Scaling(shift, scale, clip)

    # -- between the user's arrays and the networks ---------------------------------------------------------

    def _validated(self, X: Any, *, reset: bool) -> np.ndarray:
        """The samples as an array, checked; ``reset`` remembers their shape."""
        if isinstance(X, Tensor):
            X = X.detach().cpu().numpy()
        if not (isinstance(X, np.ndarray) and X.ndim > 2):
            array = np.asarray(X) if isinstance(X, list | tuple) else X
            if getattr(array, "ndim", 2) < 3:
                if not reset and len(getattr(self, "sample_shape_", ())) > 1:
                    one = getattr(array, "shape", None) == self.sample_shape_
                    what = "one image alone is x[None]" if one else "this is a table"
                    raise InputError(
                        f"{type(self).__name__} was fitted on images of shape {self.sample_shape_}; "
                        f"give an array of shape (n, {', '.join(map(str, self.sample_shape_))}); {what}"
                    )
                rows = 2 if reset else 1
                try:
                    table = validate_data(self, X, dtype=np.float32, order="C", reset=reset, ensure_min_samples=rows)
                except ValueError as error:  # scikit-learn's words, in our type
                    raise InputError(str(error)) from error
                if reset:
                    self.shape_ = self.sample_shape_ = (table.shape[1],)
                return table
            X = array
        name = type(self).__name__
        if X.ndim > 4 or X.dtype.kind not in "buif":
            raise InputError(
                f"{name} takes tables (n, d) or images (n, H, W) or (n, H, W, C) of numbers, "
                f"not an array of shape {X.shape} and type {X.dtype}"
            )
        if len(X) < (2 if reset else 1):
            raise InputError(f"Found array with {len(X)} sample(s), but {name} needs {2 if reset else 1}")
        if X.dtype.kind == "f" and not all(np.isfinite(c).all() for c in chunks(X)):
            raise InputError(f"Input X contains NaN or infinity; {name} needs numbers: remove or repair those images")
        if reset:
            height, width, channels = (*X.shape[1:], 1)[:3]
            if min(height, width) < 8 or channels > 4:
                raise InputError(
                    f"images of shape {X.shape[1:]}: sides must be at least 8 pixels and the last axis, "
                    "the channels, at most 4"
                )
            side = self.image_size
            self.sample_shape_ = X.shape[1:]
            self.shape_ = (channels, side or height, side or width)
            self.n_features_in_ = height * width * channels
            self.__dict__.pop("feature_names_in_", None)
        elif X.shape[1:] != self.sample_shape_:
            raise InputError(
                f"X has samples of shape {X.shape[1:]}, but {name} was fitted on {self.sample_shape_}; resize them"
            )
        return X

    def to_network(self, x: Tensor) -> Tensor:
        """A raw batch as the networks take it: scaled, channels first, resized."""
        x = self.scaling_.apply(x)
        if len(self.sample_shape_) == 1:
            return x
        x = x.unsqueeze(-1) if len(self.sample_shape_) == 2 else x
        x = x.permute(0, 3, 1, 2)  # in memory this stays channels-last, which the kernels prefer
        if x.shape[2:] != self.shape_[1:]:
            x = nn.functional.interpolate(x, self.shape_[1:], mode="bilinear", antialias=True)
        return x.contiguous(memory_format=torch.channels_last)

    def _as_input(self, x: Tensor) -> Tensor:
        """The reverse of ``to_network``."""
        x = x.float()
        if len(self.sample_shape_) > 1:
            if x.shape[2:] != self.sample_shape_[:2]:
                x = nn.functional.interpolate(x, self.sample_shape_[:2], mode="bilinear", antialias=True)
            x = x.permute(0, 2, 3, 1)
            x = x.squeeze(-1) if len(self.sample_shape_) == 2 else x
        return self.scaling_.invert(x)

    def place(self, nets: Players) -> Players:
        """The networks on the device, image networks with channels last in memory."""
        nets = nets.to(self.device_)
        return nets.to(memory_format=torch.channels_last) if len(self.shape_) == 3 else nets  # type: ignore[call-overload]

    def _mean(self, X: np.ndarray) -> np.ndarray:
        """Mean of the samples as the networks see them, ``shape_``; where explanations start."""
        parts = [self.to_network(torch.from_numpy(np.array(c, np.float32)).to(self.device_)) for c in chunks(X)]
        return (sum(p.sum(0) for p in parts) / len(X)).cpu().numpy()  # type: ignore[union-attr]

    def _split(self, X: np.ndarray, seed: int) -> tuple[TrainingSet, TrainingSet | None]:
        """The training set and, when ``patience`` asks for it, held-out normal samples."""
        if self.patience is None:
            return TrainingSet(X, self.device_, self.to_network), None
        n = max(1, round(self.validation_fraction * len(X)))
        if len(X) - n < 2:
            raise InputError(f"{len(X)} samples are too few to hold {n} out; set patience=None")
        order = torch.randperm(len(X), generator=torch.Generator().manual_seed(seed))
        train = TrainingSet(X, self.device_, self.to_network, rows=order[n:])
        held_out = TrainingSet(X[np.sort(order[:n].numpy())], self.device_, self.to_network)
        return train, held_out

    def _validation_loss(self) -> float:
        """Mean loss of the held-out samples; training's random state is left as it was."""
        held_out = self._fit.held_out
        assert held_out is not None
        with devices.isolated_rng(0, self.device_):
            return self.map_batches(self.validation_batch, held_out).mean().item()

    @property
    def _chunk(self) -> int:
        return self.score_batch_size or (64 if len(self.shape_) == 3 else 512)

    def _score(self, X: np.ndarray) -> np.ndarray:
        return self._map_chunks(self.score_batch, X).astype(np.float64)

    def _map_chunks(self, fn: Callable[[Tensor], Tensor], X: np.ndarray) -> np.ndarray:
        """Apply ``fn`` to samples in chunks of one fixed size, the last one padded.

        The kernels, and with them the bits of a score, then do not depend on how many samples were asked for.
        """
        threads = devices.choose_threads(self.threads, is_image=X.ndim > 2)
        bf16 = self.precision == "bf16"
        parts = []
        with contextlib.ExitStack() as stack:
            stack.enter_context(devices.use_threads(threads))
            stack.enter_context(devices.deterministic_kernels())
            stack.enter_context(frozen(self.nets_))
            stack.enter_context(torch.enable_grad())
            if bf16:
                stack.enter_context(torch.autocast(self.device_.type, torch.bfloat16))
            for rows in chunks(X, self._chunk):
                index = np.minimum(np.arange(self._chunk), len(rows) - 1)
                rows = rows[index] if len(rows) < self._chunk else rows
                rows = np.array(rows, dtype=np.uint8 if rows.dtype == np.uint8 else np.float32)
                x = self.to_network(torch.from_numpy(rows).to(self.device_))
                with devices.isolated_rng(0, self.device_):
                    part = fn(x).detach()
                    parts.append((part if part.dtype == torch.float64 else part.float()).cpu().numpy())
        return np.concatenate(parts)[: len(X)]


@dataclasses.dataclass
class _Fit:
    """What belongs to one call of fit and is forgotten after it."""

    seed: int
    checkpoint: Checkpoint | None
    held_out: TrainingSet | None
    bar: Bar
    on_epoch: Callable[[Any], object] | None
    runs: int = 0

    def show(self, run: Run) -> None:
        if run.iterations is not None:
            done, total = run.iteration, run.iterations
        else:
            done, total = run.stream.epoch, run.epochs or 0
        last = run.history[-1] if run.history else {}
        note = "  ".join(f"{k} {v:.4g}" for k, v in last.items() if isinstance(v, float) and k != "seconds")
        self.bar.update(done, total, note, f"{self.bar.title} {run.name}")


@contextlib.contextmanager
def _unchanged_if_refused(detector: Detector) -> Iterator[None]:
    """Within: an error leaves the description of the input as it was, so that an earlier fit stays usable."""
    before = {name: value for name, value in vars(detector).items() if name in _INPUT}
    try:
        yield
    except Exception:
        for name in _INPUT:
            detector.__dict__.pop(name, None)
        detector.__dict__.update(before)
        raise


@contextlib.contextmanager
def frozen(nets: nn.ModuleDict) -> Iterator[None]:
    """Within: eval mode and no gradients for weights; gradients with respect to inputs still flow."""
    flags = [(p, p.requires_grad) for p in nets.parameters()]
    modes = [(module, module.training) for module in nets.modules()]
    nets.eval().requires_grad_(False)
    try:
        yield
    finally:
        for p, flag in flags:
            p.requires_grad_(flag)
        for module, training in modes:
            module.training = training


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


#: Fields for which zero makes no sense.
_POSITIVE = set("batch_size latent_dim lr image_size score_batch_size threads clip_norm threshold_samples".split())


def _check_setting(owner: str, name: str, hint: Any, value: Any) -> None:
    """Raise InputError unless ``value`` is what the annotation of the field allows."""
    options = typing.get_args(hint) if typing.get_origin(hint) is not tuple else ()
    where = f"{owner}: {name}={value!r}"
    if typing.get_origin(hint) is Literal:
        if value not in options:
            raise InputError(f"{where} is not one of {', '.join(map(repr, options))}")
        return
    if value is None and type(None) in options:
        return
    kinds = set(options) - {type(None)} or {hint}
    if kinds == {bool}:
        if not isinstance(value, bool | np.bool_):
            raise InputError(f"{where} must be true or false")
    elif name == "random_state":
        if not isinstance(value, np.random.RandomState | numbers.Integral):
            raise InputError(f"{where} must be a whole number or None")
    elif kinds <= {int, float}:
        _check_number(where, name, value, whole=kinds == {int})


def _check_number(where: str, name: str, value: Any, *, whole: bool) -> None:
    kind = numbers.Integral if whole else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{where} must be a {'whole ' if whole else ''}number")
    number = float(value)
    if name == "contamination" and not 0 <= number <= 0.5:
        raise InputError(f"{where} must lie between 0 and 0.5")
    if name in ("ema", "validation_fraction") and not 0 <= number < 1:
        raise InputError(f"{where} must be at least 0 and below 1")
    if name in _POSITIVE and number <= 0:
        raise InputError(f"{where} must be above 0")
    if whole and number < 0:
        raise InputError(f"{where} must be at least 0")
