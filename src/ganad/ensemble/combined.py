"""The base of detectors that combine others: members, a common scale, one score."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections import Counter
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn

from .. import engines
from ..detector import Detector, Fit, InputSpec
from ..detector.fitting import seed_for
from ..errors import InputError
from ..nets.players import Players
from ..progress import Bar
from ..registry import name_of
from ..seeds import isolated_rng, seed_from
from ..settings import Bound, Fifths
from .standard import centre_and_scale

_Part = Annotated[float, Bound(0, 1, open_low=True, open_high=True)]


class AsGiven(InputSpec):
    """Samples in the user's own numbers, tables in float64. Each member scales them itself, so no digit is lost."""

    @classmethod
    def of(cls, x: np.ndarray, names: tuple[str, ...] | None, scaling: str, side: int | None, owner: str) -> InputSpec:
        return super().of(x, names, "none", None, owner)

    def to_network(self, x: Tensor) -> Tensor:
        return super().to_network(x) if self.is_image else x.double()

    def to_user(self, x: Tensor) -> Tensor:
        return super().to_user(x) if self.is_image else x.double()

    def mean(self, x: np.ndarray, device: torch.device) -> np.ndarray:
        return super().mean(x, device).astype(np.float64)


class Combined(Detector):
    """Base of the detectors that combine others. A subclass writes ``members_for`` or ``fit_members``."""

    combine: Literal["mean", "max"] = "mean"  #: how the members' standardised scores are combined
    validation_fraction: _Part = 0.2  #: share of the samples held out to put the members' scores on one scale
    threshold_fits: Fifths | None = None  #: parts held out in turn for it, the first for the scale too; None: 1 to 3
    refit_samples: int = 2000  #: with at most this many training samples, members then learn again from all of them

    INPUT = AsGiven
    LEARNS = {"centre_": "float64[k]", "scale_": "float64[k]", "mean_": "float64[*shape]"}

    # -- what a subclass writes ---------------------------------------------------------------------------

    @classmethod
    def made_of(cls, detectors: list[Detector]) -> dict[str, Any]:
        """The setting that gives it these members. Raises InputError if it cannot have them."""
        raise InputError(f"{cls.__name__} chooses its members itself")

    def members_for(self, spec: InputSpec, n: int) -> list[Detector]:
        """The members, not fitted, for ``n`` training samples of this kind."""
        raise NotImplementedError(f"{type(self).__name__} must define members_for(spec, n)")

    # -- fitting ------------------------------------------------------------------------------------------

    def fit_members(self, chosen: list[Detector], x: np.ndarray, fit: Fit, stage: str = "") -> list[Detector]:
        """Fitted copies of the ``chosen`` members; the names of their stages begin with ``stage``."""
        members = [(name, self.prepared(member)) for name, member in named(chosen)]
        seeds = [
            seed_from(f"{fit.seed}/{i}") % 2**31 if member.random_state is None else seed_for(member.random_state, "")
            for i, (_, member) in enumerate(members)
        ]
        engine = engines.chosen(self.at_once())
        watched = fit.checkpoint or fit.on_epoch or fit.ends is not None
        if isinstance(engine, engines.Serial) or watched or len(members) == 1:
            for i, ((name, member), seed) in enumerate(zip(members, seeds, strict=True)):
                fit.bar.update(i, len(members), "", f"{fit.bar.title} {fit.stage}{stage}{name}")
                self.fit_member(member, x, fit, seed, stage + name)
            return [member for _, member in members]
        jobs = [(i, member, seed) for i, ((_, member), seed) in enumerate(zip(members, seeds, strict=True))]
        fitted: dict[int, Detector] = {}
        for (i, *_), result in engine.map(Member(x, self.input_.names, self.device_), jobs):
            if isinstance(result, engines.Lost):
                raise MemoryError(f"{type(self).__name__}: its member {members[i][0]} was not fitted; {result.reason}")
            fitted[i] = copy.deepcopy(result)  # arrays that come from Ray are read-only
            fit.bar.update(len(fitted), len(members), "", f"{fit.bar.title} {fit.stage}{stage}members".rstrip())
        for i, (name, _) in enumerate(members):
            self.history_ = self.history_ + _labelled(stage + name, fitted[i].history_)
        return [fitted[i] for i in range(len(members))]

    def at_once(self) -> int:
        """How many members train at once, each in a process of its own."""
        return 1

    def fit_member(self, member: Detector, x: np.ndarray, fit: Fit, seed: int, stage: str) -> None:
        """Fit one member as a part of ``fit``; ``history_`` then has its epochs."""
        earlier, watch = self.history_, fit.on_epoch

        def show(member: Detector) -> None:
            self.history_ = earlier + _labelled(stage, member.history_)
            if watch:
                watch(self)

        own = fit.part(seed, show if watch else None)
        member.fit_part(x, self.input_.names, self.device_, own)
        self.history_ = earlier + _labelled(stage, member.history_)
        fit.runs = own.runs

    def check_settings(self) -> None:
        super().check_settings()
        for name, value in (("scaling", "auto"), ("image_size", None)):
            if getattr(self, name) != value:
                raise InputError(f"{type(self).__name__}: {name}={getattr(self, name)!r} belongs to its members")

    def prepared(self, member: Detector) -> Detector:
        """A copy of a member that is not fitted, with this detector's device, threads and verbosity."""
        copied: Detector = clone(member)
        copied.set_params(device=self.device, verbose=self.verbose)
        if self.threads is not None:
            copied.set_params(threads=self.threads)
        return copied

    def _learn(self, x: np.ndarray, spec: InputSpec, device: torch.device, fit: Fit) -> None:
        self.input_, self.device_, self.history_ = spec, device, fit.history
        train, held_out = self._parts(len(x), fit.seed)
        chosen = self.members_for(spec, len(x))
        again = len(train) < len(x) <= self.refit_samples
        members = self.fit_members(chosen, x[train], fit, "scale/" if again else "")
        scores = np.array([member._scores(x[held_out]) for member in members])
        centres, scales = zip(*map(centre_and_scale, scores), strict=True)
        self.centre_, self.scale_ = np.array(centres), np.array(scales)  # of each member's scores, (k,)
        count = self._count_of_parts(len(x)) if fit.decides else 0
        parts = [self._scores_aside(chosen, x, part, fit.beside(part + 1, count + again)) for part in range(1, count)]
        apart = (np.concatenate([scores, *parts], 1) - self.centre_[:, None]) / self.scale_[:, None]
        self._held_out = apart.mean(0) if self.combine == "mean" else apart.max(0)
        # with few samples, members gain more from all of them than from an exact scale: benchmarks/ensembles.py
        self.members_ = self.fit_members(chosen, x, fit) if again else members
        self.nets_ = Players(self.build(spec.shape)).eval()

    def _scores_aside(self, chosen: list[Detector], x: np.ndarray, part: int, fit: Fit) -> np.ndarray:
        """Scores ``(k, m)`` of another part of the samples, by members that did not learn it, in a fit aside."""
        train, held_out = self._parts(len(x), fit.seed, part)
        history = self.history_
        members = self.fit_members(chosen, x[train], fit)
        self.history_ = history
        return np.array([member._scores(x[held_out]) for member in members])

    def _count_of_parts(self, n: int) -> int:
        """How many parts of the samples are held out in turn; 0: there are too few, or ``trim`` takes all of them."""
        train, held_out = self._parts(n, 0)
        if self.trim or len(train) == n:
            return 0
        wanted = self.threshold_fits
        if wanted is None:
            wanted = self.parts_for(len(held_out)) if n <= self.refit_samples else 1
        return min(max(1, wanted), n // len(held_out))

    def fits_for_threshold(self, n: int) -> int:
        """None besides those of the members to parts of the samples."""
        return 0

    def count_unlearnt(self, n: int) -> int:
        """Of the samples that are held out; with ``trim`` all samples set the threshold."""
        return self._count_of_parts(n) * len(self._parts(n, 0)[1])

    @property
    def novelty(self) -> bool:
        """True: samples that are held out to scale the members set the threshold."""
        return True

    def _normal_scores(self, x: np.ndarray) -> np.ndarray:
        """Those of the held-out samples: a member such as a nearest neighbour knows its training samples by heart.

        With ``trim`` those of all samples, because the highest are of samples that no member has learnt.
        """
        held_out: np.ndarray = self.__dict__.pop("_held_out")
        return self._scores(x) if self.trim else held_out

    def _parts(self, n: int, seed: int, part: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Rows to train on and rows held out, of which ``part`` 0 sets the scale. With very few, all are both."""
        count = max(1, round(self.validation_fraction * n))
        if count < 2 or n - count < 2:  # one score has no spread
            return np.arange(n), np.arange(n)
        order = np.random.default_rng(seed).permutation(n)
        held_out = order[part * count : (part + 1) * count]
        return np.setdiff1d(order, held_out), np.sort(held_out)

    # -- scoring ------------------------------------------------------------------------------------------

    @property
    def NO_FORWARD_PASS(self) -> str:  # type: ignore[override]
        """The reason why the score is not a single forward pass: that of its first member with one."""
        if not hasattr(self, "members_"):
            return "its members are not fitted yet"
        reasons = [(type(m).__name__, m.NO_FORWARD_PASS) for m in self.members_ if m.NO_FORWARD_PASS]
        return "; ".join(f"of its member {name}, {reason}" for name, reason in reasons)

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        """The members' networks, under the members' numbers."""
        return {str(i): member.nets_ for i, member in enumerate(getattr(self, "members_", ()))}

    def restored(self) -> None:
        alike = all(member.input_.sample_shape == self.input_.sample_shape for member in self.members_)
        if not alike or not len(self.members_) == len(self.centre_) == len(self.scale_):
            raise InputError("its members do not fit together")

    def score_batch(self, x: Tensor) -> Tensor:
        scores = self.standardised(x)
        return scores.mean(0) if self.combine == "mean" else scores.amax(0)

    def standardised(self, x: Tensor) -> Tensor:
        """Scores ``(k, n)`` of the k members, in deviations from the mean of held-out normal samples."""
        given = self.input_.to_user(x)
        rows = []
        for member, centre, scale in zip(self.members_, self.centre_, self.scale_, strict=True):
            # a search draws random codes, which must not depend on earlier members
            with isolated_rng(0, self.device_) if member.NO_FORWARD_PASS else contextlib.nullcontext():
                score = member.score_batch(member.input_.to_network(given)).double()
            centre, scale = (torch.as_tensor(np.array(v), device=x.device) for v in (centre, scale))
            rows.append((score - centre) / scale)
        return torch.stack(rows)

    def member_scores(self, X: Any) -> np.ndarray:
        """Scores ``(n, k)`` of the k members in the order of ``members_``, standardised, float64."""
        found: np.ndarray = self.map_samples(lambda x: self.standardised(x).T, X)
        return found

    def spread(self, X: Any) -> np.ndarray:
        """The standard deviation ``(n,)`` of the members' scores: how much they disagree about each sample."""
        found: np.ndarray = self.member_scores(X).std(1)
        return found

    @property
    def _chunk(self) -> int:
        return self.score_batch_size or min(member._chunk for member in self.members_)


@dataclasses.dataclass(frozen=True)
class Member:
    """Fits a member in a worker; called with its number, the member and its seed."""

    x: np.ndarray
    names: tuple[str, ...] | None
    device: torch.device

    def __call__(self, job: tuple[int, Detector, int]) -> Detector:
        _, member, seed = job
        x = self.x if self.x.flags.writeable else self.x.copy()  # Ray's are not, and torch warns of those
        member.fit_part(x, self.names, self.device, Fit(seed, Bar("", enabled=False)))
        return member


def named(members: Any) -> list[tuple[str, Detector]]:
    """Members by distinct names: the method's name, with a number if the method occurs twice."""
    names = [name_of(type(member)).replace("-", "_") for member in members]
    counts = Counter(names)
    nth: Counter[str] = Counter()
    found = []
    for name, member in zip(names, members, strict=True):
        nth[name] += 1
        found.append((f"{name}_{nth[name]}" if counts[name] > 1 else name, member))
    return found


def _labelled(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"stage": f"{name}/{row['stage']}"} for row in rows] if name else rows
