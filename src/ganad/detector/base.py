"""Detector: the hooks that a method writes, and the scikit-learn interface that every method then has."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, dataclass_transform

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .. import calibrate, devices, settings
from ..arrays import rows_of
from ..data.table import known_to
from ..deprecation import renamed
from ..display import shown
from ..errors import InputError, NotSupported
from ..explain import integrated_gradients, residual
from ..migrations import Change
from ..nets.players import Players
from ..progress import Bar
from ..seeds import isolated_rng
from ..settings import Bound, Count, Fifths, Share
from ..training import Checkpoint, TrainingSet, fingerprint, ranks
from . import model_file
from .fitted import Fitted
from .fitting import NOT_ROUTED, Fit, calmest, seed_for
from .input import InputSpec, as_array
from .parts import PARTS, is_contract, is_own, offered
from .precision import refuse_huge, tell_lost
from .scoring import Scoring, frozen
from .self_testing import Trust
from .sklearn_base import Estimator
from .tables import Reader, read_to_learn
from .thresholds import Thresholds

_UpToHalf = Annotated[float, Bound(0, 0.5)]
# anybody may have written a model file, so settings that could exhaust a machine have an upper bound
_Side = Annotated[int, Bound(0, 4096, open_low=True)]
_Chunk = Annotated[int, Bound(0, 65_536, open_low=True)]
#: what a fit keeps besides what a method learns
_FITS_OWN = ("mean_", "offset_", "calibration_", "false_alarm_rate_", "self_test_", "source_", "columns_", "parent_")
_Threads = Annotated[int, Bound(0, 1024, open_low=True)]


@dataclass_transform(kw_only_default=True, field_specifiers=(dataclasses.field,))
@dataclasses.dataclass(kw_only=True, eq=False, repr=False)
class Detector(Fitted, Reader, Thresholds, Trust, Estimator):
    """Base of every detector. A method writes ``build``, ``train`` and ``score_batch``.

    The fields are the settings. Each is declared once and is then a constructor argument, a scikit-learn parameter, a
    command-line option and a part of the model file.
    """

    contamination: _UpToHalf = 0.01  #: share of normal samples that predict() may call anomalous; 0 is allowed
    threshold_samples: Count = 10_000  #: training samples, at most, that a fit scores for the threshold
    threshold_fits: Fifths | None = None  #: more fits, each to score for the threshold a fifth that it has not learnt
    trim: Share = 0.0  #: share of the training samples, the most anomalous, that a second fit leaves out; 0: one fit
    scaling: Literal["auto", "minmax", "standard", "none", "contrast"] = "auto"  #: of input; auto: images to [-1, 1]
    image_size: _Side | None = None  #: resize images to this side before the networks see them
    score_batch_size: _Chunk | None = None  #: samples scored at a time; None: 64 images or 512 rows
    device: str = "auto"  #: auto, cpu, cuda, cuda:1, ...
    threads: _Threads | None = None  #: CPU threads; None: half of the cores for images, one for tables
    verbose: int = 1  #: 0: no progress bar, nor lines in its place
    random_state: int | None = None  #: seed; the same seed gives the same weights on one machine

    #: Published settings by data set, as constructor arguments.
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    #: Fitted attributes that a model file leaves out because ``restored`` makes them again.
    TRANSIENT: ClassVar[tuple[str, ...]] = ()
    #: The form of every fitted attribute. Model files are checked against it; see ``ganad.detector.declared``.
    LEARNS: ClassVar[dict[str, str]] = {"history_": "list", "mean_": "float32[*shape]"}
    #: If set, the reason why a score is not a single forward pass, which makes export impossible.
    NO_FORWARD_PASS: ClassVar[str] = ""
    #: The class that turns the user's samples into the networks' input.
    INPUT: ClassVar[type[InputSpec]] = InputSpec
    #: Changes of the settings by version, so that older model files and rows can be read.
    CHANGES: ClassVar[tuple[Change, ...]] = (
        Change(
            "0.2",  # detectors without networks lost the settings of networks
            dropped=frozenset(
                "epochs batch_size lr betas ema clip_norm patience validation_fraction precision".split()
            ),
            added={"trim": 0.0, "threshold_fits": 0},
        ),
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        shadowed = [name for name in vars(cls).get("__annotations__", {}) if is_contract(cls, name)]
        if shadowed:
            raise TypeError(f"{cls.__name__}: the setting {shadowed[0]!r} hides Detector.{shadowed[0]}; rename it")
        if "training_step" in vars(cls) and not hasattr(cls, "run"):
            raise TypeError(f"{cls.__name__} has a training_step, so its base is NetworkDetector, not Detector")
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
        fitted = [f.name for f in dataclasses.fields(cls) if f.name.endswith("_")]
        if fitted:
            raise TypeError(f"{cls.__name__}: the setting {fitted[0]!r} ends in _, as what a fit learns; rename it")
        super().__init_subclass__(**kwargs)

    # -- what a method writes -----------------------------------------------------------------------------

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        """Return the players by name. A player is the networks that one optimiser updates; ``{}`` is allowed.

        shape: of one sample as the networks see it, ``(d,)`` or ``(C, H, W)``. Most methods write ``build_table`` and
        ``build_image`` instead, and this calls one of them.
        """
        return self.build_table(shape[0]) if len(shape) == 1 else self.build_image((shape[0], shape[1], shape[2]))

    def build_table(self, d: int) -> dict[str, nn.Module]:
        """The players for rows of ``d`` columns."""
        raise NotSupported(f"{type(self).__name__} is for images, and these data are a table")

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        """The players for images ``(C, H, W)``."""
        raise NotSupported(f"{type(self).__name__} is for tables, and these data are images")

    def train(self, x: TrainingSet) -> None:
        """The training procedure."""
        raise NotImplementedError(f"{type(self).__name__} must define train(x)")

    def score_batch(self, x: Tensor) -> Tensor:
        """Anomaly scores ``(n,)`` of samples ``(n, *shape)``, higher is more anomalous.

        Called in eval mode with frozen weights; gradients with respect to inputs are allowed.
        """
        raise NotImplementedError(f"{type(self).__name__} must define score_batch(x)")

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        """The networks' version of each sample ``(n, *shape)``, where the method has one."""
        raise self._lacks("reconstruct")

    def encode_batch(self, x: Tensor) -> Tensor:
        """Codes ``(n, k)`` of samples, where the method has an encoder. Reports draw maps of them."""
        raise self._lacks("encode")

    def generator(self) -> nn.Module:
        """The network that turns standard normal codes ``(n, latent_dim)`` into samples, where the method has one."""
        raise self._lacks("sample")

    def sample_batch(self, n: int) -> Tensor:
        """``n`` generated samples, where the method has a generator."""
        raise self._lacks("sample")

    def supports(self, part: str) -> bool:
        """Whether the method has a part, "reconstruct", "encode" or "sample".

        A method has the part if it defines the hook. Override this if the hook works only for some settings.
        """
        return is_own(type(self), PARTS[part][0])

    def chosen(self) -> dict[str, Any]:
        """Settings with the values that this fit chose from the data, so that ``threshold_fits`` chooses once."""
        return {}

    def restored(self) -> None:
        """Called after loading, to make what ``TRANSIENT`` left out of the file.

        Raises InputError for impossible fitted values that ``LEARNS`` does not exclude.
        """

    # -- what a method calls ------------------------------------------------------------------------------

    def map_batches(self, fn: Callable[[Tensor], Tensor], x: TrainingSet | Tensor) -> Tensor:
        """Apply ``fn`` to all of ``x`` in order, batch by batch, with the networks frozen."""
        data = x if isinstance(x, TrainingSet) else TrainingSet(x, self.device_)
        with frozen(self.nets_):
            chunks = torch.split(torch.arange(len(data)), self._chunk)
            return torch.cat([fn(data.batch(i)).detach() for i in chunks])

    def progress(self, done: float, total: float, note: str = "", stage: str = "") -> None:
        """Show how far a stage of this fit has come."""
        self._fit.bar.update(done, total, note, f"{self._fit.bar.title} {stage}".rstrip())

    # -- fitting ------------------------------------------------------------------------------------------

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """The published settings for a data set, with changes: ``FenceGAN.preset("mnist", epochs=5)``."""
        if name not in cls.PRESETS:
            raise InputError(f"{cls.__name__} has no preset {name!r}; it has {', '.join(cls.PRESETS) or 'none'}")
        return cls(**cls.PRESETS[name] | changes)

    def check_settings(self) -> None:
        """Raise InputError, naming field, value and what is allowed, for a setting that cannot work."""
        settings.check(self)

    @renamed("0.3", alpha="false_alarm_rate")
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
        false_alarm_rate: float | None = None,
    ) -> Self:
        """Learn what is normal.

        X: normal samples, a table ``(n, d)`` or images ``(n, H, W)`` or ``(n, H, W, C)``; an array, a ``numpy.memmap``,
        a data frame or a result of ``ganad.data.load``. y: ignored. checkpoint: a folder for the progress, written at
        least every ``checkpoint_every`` seconds and after every epoch. With ``resume`` the fit continues from it and
        ends in the same weights as if it had not been interrupted.
        on_epoch: called with this detector after every epoch. ``history_`` then ends with the epoch's row, and the
        networks can score, sample, reconstruct and encode. The fit ends in the same bits with it and without it.
        hold_out: the share of ``X`` that is not trained on but used to ``calibrate`` at the end, at
        ``false_alarm_rate``; 0.2 holds out a fifth. The two parts of a ``numpy.memmap`` are then copied into memory.

        With the setting ``trim`` it fits twice. The second fit leaves out the most anomalous share of the samples, and
        ``history_`` holds both fits. The threshold is set on all samples, so ``contamination`` keeps its meaning.
        Held-out samples are not trimmed, because the false-alarm rate is promised for the data as they come, anomalies
        included.

        Warns with ``UntrustedFit`` if ``self_test_`` finds a reason; it uses held-out samples if there are any.
        Raises InputError for unusable data or settings, and TrainingDiverged if a loss is no longer finite.
        """
        self.check_settings()
        owner = type(self).__name__
        read = read_to_learn(X)
        x, names = as_array(X if read is None else read.x, owner)
        held_back, held_samples = None, None
        if hold_out is not None:
            rows, others = calibrate.hold_out(len(x), hold_out, false_alarm_rate)
            if read is not None:
                read = known_to(read, rows)
                x, held_samples = read.x, read.subset(others)
            x, held_back = x[rows], x[others]
        elif false_alarm_rate is not None:
            raise InputError(
                f"false_alarm_rate={false_alarm_rate} needs samples to hold out; give hold_out=0.2 as well"
            )
        columns = names if read is None else read.columns
        refuse_huge(x, columns)
        spec = self._spec(x, names)
        tell_lost(x, spec, columns)
        device = devices.choose_device(self.device)
        self._forget()  # from here on an earlier fit is gone
        mark = self._fingerprint(x) if checkpoint else ""
        seed = seed_for(self.random_state, mark)
        with contextlib.ExitStack() as stack:
            keeper = None
            if checkpoint:
                keeper = Checkpoint(checkpoint, mark, every=checkpoint_every, resume=resume)
                stack.enter_context(keeper)
            bar = stack.enter_context(Bar(owner, enabled=self.verbose > 0 and ranks().leads))
            self._learn_all(x, spec, device, Fit(seed, bar, keeper, on_epoch, decides=false_alarm_rate is None))
        self._remember(X, read)
        if held_back is not None:
            scores = self._scores(held_back)
            self._calibrate(scores if held_samples is None else held_samples.judged(scores), false_alarm_rate)
        judges_new = false_alarm_rate is None and self.judges_new(len(x))
        tested = x if held_back is None else held_back
        self._doubt(tested, held_out=held_back is not None, judges_new=judges_new)
        return self

    __metadata_request__fit: ClassVar[dict[str, str]] = NOT_ROUTED

    def _fingerprint(self, x: np.ndarray) -> str:
        """What a resumed fit to samples ``(n, ...)`` must have in common with the one it continues."""
        return fingerprint(self, x)

    def fit_part(self, x: np.ndarray, names: tuple[str, ...] | None, device: torch.device, fit: Fit) -> None:
        """Fit to samples ``(n, ...)`` that were checked, as a part of the fit of another detector."""
        self._learn_all(x, self._spec(x, names), device, fit)

    def _learn_all(self, x: np.ndarray, spec: InputSpec, device: torch.device, fit: Fit) -> None:
        """Learn, learn again without the samples that ``trim`` drops, and set the threshold."""
        self._learn(x, spec, device, fit)
        if self.trim:
            rest = x[calmest(self._map(self.score_batch, x), self.trim)]
            fit.again(self.history_)
            self._forget()
            self._learn(rest, self._spec(rest, spec.names), device, fit)
        if not fit.aside:
            self._look_at(x, fit)

    def _spec(self, x: np.ndarray, names: tuple[str, ...] | None) -> InputSpec:
        return self.INPUT.of(x, names, self.scaling, self.image_size, type(self).__name__)

    def _forget(self) -> None:
        """Delete the attributes of an earlier fit."""
        for name in [k for k in vars(self) if k.endswith("_")]:
            delattr(self, name)

    def _learn(self, x: np.ndarray, spec: InputSpec, device: torch.device, fit: Fit) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(devices.use_threads(devices.choose_threads(self.threads, is_image=spec.is_image)))
            stack.enter_context(devices.deterministic_kernels())
            stack.enter_context(isolated_rng(fit.seed, device))
            stack.enter_context(torch.enable_grad())
            self.assemble(spec, device)
            self.history_ = fit.history
            self._fit = fit
            own = {name: vars(self).get(name) for name in _FITS_OWN}
            try:
                self.train(self._training_set(x))
                self._refuse_changed(own)
            except BaseException:
                del self.nets_  # half-trained networks are not a fitted detector
                raise
            finally:
                del self._fit
            self.nets_.eval()

    def _refuse_changed(self, own: dict[str, Any]) -> None:
        """Raise InputError where ``train`` keeps something under a name of what fit itself sets afterwards."""
        for name, before in own.items():
            if vars(self).get(name) is not before:
                raise InputError(
                    f"{type(self).__name__}: train sets {name}, which fit sets itself; give it another name"
                )

    def assemble(self, spec: InputSpec, device: torch.device) -> None:
        """Build the untrained networks for such input."""
        self.input_, self.device_, self.history_ = spec, device, []
        players: Any = self.build(spec.shape)
        if not isinstance(players, dict) or not all(isinstance(net, nn.Module) for net in players.values()):
            raise InputError(
                f"{type(self).__name__}.build must return a dict of networks by player, as in dict(net=network); "
                f"it returned {shown(players)}"
            )
        self.nets_ = Players(players).placed(device, channels_last=spec.is_image)

    def _training_set(self, x: np.ndarray) -> TrainingSet:
        return self.input_.training_set(x, self.device_)

    def _look_at(self, x: np.ndarray, fit: Fit) -> None:
        """Set the threshold and the mean sample, at which explanations start, from the training samples."""
        drawn = self.drawn_for_threshold(len(x), fit.seed)
        some = x if len(drawn) == len(x) else rows_of(x, drawn)
        self.mean_ = self.input_.mean(some, self.device_)
        fits = self.fits_for_threshold(len(x)) if fit.decides else 0
        scores = self._unlearnt_scores(x, fit, fits) if fits else self._normal_scores(some)
        self.offset_ = -float(np.quantile(scores, 1 - self.contamination))

    def _normal_scores(self, x: np.ndarray) -> np.ndarray:
        """The scores ``(m,)`` that set the threshold: those of training samples, unless better ones are at hand."""
        return self._scores(x)

    def _unlearnt_scores(self, x: np.ndarray, fit: Fit, fits: int) -> np.ndarray:
        """Scores of training samples ``(m,)``, each by a fit that did not learn it.

        What a method knows by heart has a low score, which says nothing about new samples.
        """
        scores = []
        for number, aside in enumerate(self.left_out(len(x), fit.seed, fits), 2):
            rest = x[~aside]
            twin, spec = self._anew(rest)
            twin._learn_all(rest, spec, self.device_, fit.beside(number, 1 + fits))
            scores.append(twin._scores(x[aside]))
        return np.concatenate(scores)

    def _anew(self, x: np.ndarray) -> tuple[Self, InputSpec]:
        """A detector that has learnt nothing, with the settings of this one, and the input it takes to learn ``x``."""
        twin = copy.copy(self)
        twin._forget()
        return twin.set_params(**self.chosen()), self._spec(x, self.input_.names)

    # -- public -------------------------------------------------------------------------------------------

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Scores ``(n,)``, higher is more anomalous.

        A score is a function of the fitted model and the sample alone: it does not depend on the other samples, their
        order or their number. Raises InputError for unusable data.
        """
        read = self._read(X)
        scores = self.map_samples(self.score_batch, X if read is None else read.x).astype(np.float64)
        return scores if read is None else read.judged(scores)

    def explain(self, X: Any) -> np.ndarray:
        """How much each pixel ``(n, H, W)`` or column ``(n, d)`` makes each sample unusual, float32.

        If the method reconstructs, this is the squared residual in the networks' units, never negative. It does not
        contain other terms of the score (codes, a discriminator). If the method does not reconstruct, this is
        integrated gradients; see ``ganad.explain``.
        """
        redraws = self.supports("reconstruct")
        mean = torch.as_tensor(self.mean_, device=self.device_)

        def parts(x: Tensor) -> Tensor:
            found = residual(self.reconstruct_batch, x) if redraws else integrated_gradients(self.score_batch, x, mean)
            return self.input_.parts_to_user(found)

        return self.map_samples(parts, X).astype(np.float32)

    @offered("reconstruct")
    def reconstruct(self, X: Any) -> np.ndarray:
        """The networks' version of each sample, in the units and shape of ``X``, float32.

        With ``scaling="contrast"`` it has the sample's own brightness and contrast. Raises NotSupported if the method
        does not reconstruct.
        """
        x = self._checked(X)
        redrawn = self._map(lambda x: self.input_.to_user(self.reconstruct_batch(x)), x)
        return self.input_.scaling.lent(redrawn, x).astype(np.float32)

    @offered("encode")
    def encode(self, X: Any) -> np.ndarray:
        """Codes ``(n, k)`` of the samples, float32.

        Raises NotSupported if the method has no encoder.
        """
        return self.map_samples(self.encode_batch, X).astype(np.float32)

    @offered("sample")
    def sample(self, n: int = 1, random_state: int | None = None) -> np.ndarray:
        """``n`` generated samples in the units and shape of the training data, float32.

        With ``scaling="contrast"`` all have the brightness and contrast that are usual in training. Raises NotSupported
        if the method has no generator.
        """
        check_is_fitted(self, "nets_")
        if n < 1:
            raise InputError(f"{type(self).__name__}.sample: n={n} must be at least 1")
        seed = int(np.random.SeedSequence(random_state).generate_state(1)[0])
        with isolated_rng(seed, self.device_), frozen(self.nets_), torch.no_grad():
            parts = [self.input_.to_user(self.sample_batch(min(256, n - i))) for i in range(0, n, 256)]
        return torch.cat(parts).cpu().numpy()

    def map_samples(self, fn: Callable[[Tensor], Tensor], X: Any) -> np.ndarray:
        """Apply ``fn`` to every sample as the networks see it, in eval mode and in the fixed chunks of scoring."""
        return self._map(fn, self._checked(X))

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one safetensors file; ``ganad.load`` reads it back.

        Raises InputError for a setting or fitted attribute that JSON cannot hold, and OSError if the file cannot be
        written.
        """
        check_is_fitted(self, "nets_")
        model_file.save(self, path)

    def require(self, part: str) -> None:
        """Raise NotSupported if the method does not have ``part``."""
        if not self.supports(part):
            raise self._lacks(part)

    def _lacks(self, part: str) -> NotSupported:
        return NotSupported(f"{type(self).__name__} {PARTS[part][1]}")

    @property
    def takes_places(self) -> bool:
        """Whether column 0 of a sample is the number of the place in a photo that it is of; see ``photos.Regions``."""
        return False

    @property
    def _chunk(self) -> int:
        return self.score_batch_size or (64 if self.input_.is_image else 512)

    def _bf16(self) -> bool:
        """Whether scores are computed in bfloat16."""
        return False

    def _scores(self, x: np.ndarray) -> np.ndarray:
        return self._map(self.score_batch, x).astype(np.float64)

    def _map(self, fn: Callable[[Tensor], Tensor], x: np.ndarray) -> np.ndarray:
        return Scoring(self.nets_, self.input_, self.device_, self._chunk, self.threads, self._bf16()).map(fn, x)
