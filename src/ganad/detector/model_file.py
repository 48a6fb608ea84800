"""A fitted detector as tensors and a header, and back; ``files`` does the bytes and the hashes.

A file is not trusted for being whole: whoever can write one can make its hashes right. So the header is read into
types, settings meet the same checks as a user's, fitted attributes may not take the place of methods, networks are
compared by name, shape and type before they are used, and the model must give the scores that the file says it gives.

A detector that is made of others (``members_``) packs them as whole models of their own, each with its header and the
scores that it vouches for. A setting that is a detector is its class and its settings.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from .. import files
from ..devices import choose_device
from ..display import shown
from ..errors import InputError, ModelFileError, OtherVersion
from ..migrations import upgraded
from ..nets.players import Players
from ..seeds import isolated_rng
from ..selftest import SelfTest
from . import declared
from .input import InputSpec
from .scaling import Contrast, Scaling
from .scoring import frozen

#: Fitted attributes that the header describes in its own words, or that belong to this machine.
_NOT_STATE = {"nets_", "input_", "device_", "members_"}
#: What format 1 kept of the input, one attribute each.
_OLD_INPUT = ("shape_", "sample_shape_", "n_features_in_", "feature_names_in_")
_PROBES = 4  # samples whose scores a file vouches for
_FAR = 2000.0  # of one of them, in the networks' units; beyond the clipping of tables


class Saved(Protocol):
    """What a detector must offer to be saved; written out so that this file does not import the detectors."""

    NO_FORWARD_PASS: ClassVar[str]
    TRANSIENT: ClassVar[tuple[str, ...]]
    INPUT: ClassVar[type[InputSpec]]
    nets_: Players
    input_: InputSpec
    device_: torch.device
    image_size: int | None
    mean_: np.ndarray

    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def check_settings(self) -> None: ...
    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]: ...
    def score_batch(self, x: Tensor) -> Tensor: ...
    def restored(self) -> None: ...
    def _bf16(self) -> bool: ...


class Entry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One fitted attribute: of exactly one of these kinds."""

    array: str | None = None  #: "numpy" or "torch"; the values are a tensor of the file
    strings: list[str] | None = None
    tuple_: list[Any] | None = msgspec.field(default=None, name="tuple")
    self_test: SelfTest | None = None
    value: Any = None


class InputEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The input, beside the tensors of its scaling."""

    sample_shape: tuple[int, ...]
    shape: tuple[int, ...]
    clip: float | None
    names: list[str] | None
    contrast: Contrast | None = None  #: where the scaling has it; no file before 0.2 does


class Header(msgspec.Struct):
    """The header of a model file."""

    class_: str = msgspec.field(name="class")  #: "module:Class"; the bare class in format 1
    settings: dict[str, Any]
    state: dict[str, Entry]
    versions: dict[str, str]
    input: InputEntry | None = None
    clip: float | None = None  #: of format 1, whose input stands in ``state``
    scores: list[float | None] | None = None  #: of the probes; absent in format 1
    format: str = "1"
    members: list[Header] = []  #: of the detectors that this one is made of; their tensors are "members/0/..."

    @classmethod
    def read(cls, header: dict[str, Any], path: str | Path) -> Self:
        """The header as types; ModelFileError where it is not one of a model."""
        try:
            found = msgspec.convert(header, cls)
        except (msgspec.ValidationError, RecursionError, OverflowError) as error:
            raise ModelFileError(f"{path}: its header is not that of a model ({error}); use another copy") from error
        if found.format != "1" and (found.input is None or found.scores is None or len(found.scores) != _PROBES):
            raise ModelFileError(f"{path}: its header lacks the input or the scores it vouches for; use another copy")
        return found


def save(detector: Saved, path: str | Path) -> None:
    """Write a fitted detector to one file; see ``Detector.save``."""
    tensors, header = packed(detector)
    write(path, type(detector).__name__, tensors, header)


def packed(detector: Saved) -> tuple[dict[str, Tensor], Header]:
    """A fitted detector as the tensors and the header of a file."""
    spec, members = detector.input_, _members(detector)
    theirs = tuple(f"{i}." for i in range(len(members)))  # weights that the members pack themselves
    weights = detector.nets_.state_dict()
    tensors = {f"nets/{k}": v for k, v in weights.items() if not k.startswith(theirs)}
    tensors |= {
        "scaling/shift": torch.as_tensor(spec.scaling.shift),
        "scaling/scale": torch.as_tensor(spec.scaling.scale),
    }
    state: dict[str, Entry] = {}
    for name, value in vars(detector).items():
        if not name.endswith("_") or name.startswith("_") or name in _NOT_STATE.union(detector.TRANSIENT):
            continue
        state[name] = _entry(value)
        if state[name].array:
            tensors[f"state/{name}"] = torch.as_tensor(value)
    names = None if spec.names is None else list(spec.names)
    header = Header(
        _target(detector),
        _own_settings(detector),
        state,
        files.versions(),
        InputEntry(spec.sample_shape, spec.shape, spec.scaling.clip, names, spec.scaling.contrast),
        scores=_probe_scores(detector),
    )
    for i, member in enumerate(members):
        own, described = packed(member)
        tensors |= {f"members/{i}/{k}": v for k, v in own.items()}
        header.members.append(described)
    return tensors, header


def write(path: str | Path, owner: str, tensors: dict[str, Tensor], header: msgspec.Struct) -> None:
    """Write what ``packed`` gave. Raises InputError for a setting or fitted attribute that JSON cannot hold."""
    try:
        plain = msgspec.to_builtins(header, enc_hook=_plain, str_keys=True)
        files.write(path, "model", tensors, plain)
    except TypeError as error:
        raise InputError(f"{owner} cannot be saved: {error}") from error


def _members(detector: Saved) -> list[Saved]:
    return list(getattr(detector, "members_", ()))


def _target(detector: Any) -> str:
    return f"{type(detector).__module__}:{type(detector).__qualname__}"


def _own_settings(detector: Any) -> dict[str, Any]:
    settings: dict[str, Any] = detector.get_params(deep=False)
    if isinstance(settings["random_state"], np.random.RandomState):
        settings["random_state"] = None
    return {name: _setting(value) for name, value in settings.items()}


def _setting(value: Any) -> Any:
    """A setting, a detector among them as its class and its settings."""
    if isinstance(value, list | tuple):
        return list(map(_setting, value))
    if hasattr(value, "check_settings"):
        return {"class": _target(value), "settings": _own_settings(value)}
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _entry(value: Any) -> Entry:
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":
        return Entry(strings=[str(v) for v in value.ravel()])
    if isinstance(value, np.ndarray | Tensor):
        return Entry(array="numpy" if isinstance(value, np.ndarray) else "torch")
    if isinstance(value, SelfTest):
        return Entry(self_test=value)
    return Entry(tuple_=list(value)) if isinstance(value, tuple) else Entry(value=value)


@dataclass(frozen=True)
class _Source:
    """Where a model is read from, and how."""

    path: str | Path
    find: Callable[[str], type | None]  #: the class of "module:Class", if it is known here
    device: str
    written_by: str  #: version of ganad

    def detector_class(self, target: str) -> type[Saved]:
        cls = self.find(target)
        if cls is None:
            raise ModelFileError(
                f"{self.path}: a model of class {shown(repr(target))}, which is not known here; install its package or "
                f"import the module that defines it (--plugin MODULE)"
            )
        return cast("type[Saved]", cls)

    def made(self, cls: type[Saved], settings: dict[str, Any]) -> Saved:
        """A detector that is not fitted; its settings meet the same checks as a user's."""
        known = upgraded(cls, {k: self._value(v) for k, v in settings.items()}, self.written_by)
        missing = sorted({f.name for f in dataclasses.fields(cast(Any, cls))} - known.keys())
        if missing:
            raise ModelFileError(f"{self.path}: the setting {missing[0]!r} is missing; use another copy")
        try:
            detector = cls(**known)
            detector.check_settings()
        except (TypeError, InputError) as error:
            reason = shown(str(error), 150)
            raise ModelFileError(
                f"{self.path}: its settings are not those of this {cls.__name__} ({reason})"
            ) from error
        return detector

    def _value(self, value: Any) -> Any:
        """A setting as it was before JSON: a tuple for a list, a detector for its class and settings."""
        if isinstance(value, list):
            return tuple(map(self._value, value))
        if isinstance(value, dict) and value.keys() == {"class", "settings"}:
            try:
                found = msgspec.convert(value, _Made)
            except msgspec.ValidationError as error:
                raise ModelFileError(
                    f"{self.path}: a setting is not a detector's ({shown(str(error), 150)})"
                ) from error
            return self.made(self.detector_class(found.class_), found.settings)
        return value


class _Made(msgspec.Struct):
    """A detector as a setting."""

    class_: str = msgspec.field(name="class")
    settings: dict[str, Any]


def unpack(
    path: str | Path, tensors: dict[str, Tensor], header: Header, find: Callable[[str], type | None], device: str
) -> Saved:
    """The detector in the file ``path``; ModelFileError where the file contradicts itself.

    find: the class of "module:Class", or None where it is not known.
    """
    where = choose_device(device)
    source = _Source(path, find, device, header.versions.get("ganad", "0"))
    _compare_versions(source)
    detector = _unpacked(source, tensors, header)
    _place(detector, where)
    return detector


def _unpacked(source: _Source, tensors: dict[str, Tensor], header: Header) -> Saved:
    cls, path = source.detector_class(header.class_), source.path
    detector = source.made(cls, header.settings | {"device": source.device})
    state = {k: _restored(path, k, entry, tensors) for k, entry in header.state.items() if k not in _OLD_INPUT}
    for name in state:
        if not name.endswith("_") or name.startswith("_") or name in _NOT_STATE or hasattr(cls, name):
            raise ModelFileError(f"{path}: {shown(repr(name))} is not an attribute that a {cls.__name__} learns")
    try:
        spec = _input(cls.INPUT, header, tensors)
        spec.check_itself(detector.image_size)
        declared.check(detector, state, spec.shape)
        detector.__dict__.update(state)
        detector.input_, detector.device_ = spec, torch.device("cpu")
        if header.members:
            parts = [(_part(tensors, f"members/{i}/"), member) for i, member in enumerate(header.members)]
            detector.__dict__["members_"] = [_unpacked(source, own, member) for own, member in parts]
        nets = _networks(detector, path, spec, tensors)
        detector.__dict__.update(state)  # build may have drawn some of these anew
        detector.nets_ = nets
        detector.restored()
        _prove(detector, path, header)
    except (ModelFileError, OSError):
        raise
    except Exception as error:  # a file may hold anything; the method's own code meets it first
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelFileError(
            f"{path}: what it holds does not fit together ({shown(reason, 150)}); use another copy"
        ) from error
    return detector


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _place(detector: Saved, where: torch.device) -> None:
    """Move a detector, and those that it is made of, to a device."""
    for member in _members(detector):
        _place(member, where)
    detector.device_ = where
    detector.nets_ = detector.nets_.placed(where, channels_last=detector.input_.is_image).eval()


def _compare_versions(source: _Source) -> None:
    if source.written_by.split(".")[:2] != files.__version__.split(".")[:2]:
        warnings.warn(
            f"{source.path} was written by ganad {shown(repr(source.written_by), 20)}, this is {files.__version__}; it "
            f"should score alike, and docs/compatibility.md says what is promised",
            OtherVersion,
            stacklevel=5,
        )


def _input(kind: type[InputSpec], header: Header, tensors: dict[str, Tensor]) -> InputSpec:
    shift, scale = tensors["scaling/shift"].numpy(), tensors["scaling/scale"].numpy()
    found = header.input or _old_input(header)
    names = None if found.names is None else tuple(found.names)
    return kind(found.sample_shape, found.shape, Scaling(shift, scale, found.clip, found.contrast), names)


def _old_input(header: Header) -> InputEntry:
    """What format 1 says of the input, one attribute each."""
    old = header.state
    strings = old["feature_names_in_"].strings if "feature_names_in_" in old else None
    shapes = {k: old[f"{k}_"].tuple_ for k in ("sample_shape", "shape")}
    entry = msgspec.convert(shapes | dict(clip=header.clip, names=strings), InputEntry)
    if old["n_features_in_"].value != math.prod(entry.sample_shape):
        raise InputError("the number of its columns is not that of its samples")
    return entry


def _networks(detector: Saved, path: str | Path, spec: InputSpec, tensors: dict[str, Tensor]) -> Players:
    """The networks with the file's weights, compared by name, shape and type before they are used."""
    # On the meta device nothing is allocated: a file cannot make us build networks larger than itself.
    with torch.device("meta"):
        nets = Players(detector.build(spec.shape))
    weights = _part(tensors, "nets/")
    for i, member in enumerate(_members(detector)):  # compared already
        weights |= {f"{i}.{k}": v for k, v in member.nets_.state_dict().items()}
    expected = nets.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        want, have = _signature(expected.get(name)), _signature(weights.get(name))
        if want != have:
            cls = type(detector).__name__
            raise ModelFileError(f"{path}: {shown(name)} is {have}, but {cls} with these settings has {want}")
    strange = next((name for name, tensor in weights.items() if not declared.finite(tensor)), None)
    if strange is not None:
        raise ModelFileError(f"{path}: {shown(strange)} holds numbers that no fit leaves; use another copy")
    nets.load_state_dict(weights, assign=True)
    return nets.eval()


def _restored(path: str | Path, name: str, entry: Entry, tensors: dict[str, Tensor]) -> Any:
    if entry.array is not None:
        tensor = tensors.get(f"state/{name}")
        if tensor is None or tensor.dtype == torch.bfloat16 or not declared.finite(tensor):
            raise ModelFileError(f"{path}: the values of {shown(name)} are missing or not numbers; use another copy")
        return tensor.numpy() if entry.array == "numpy" else tensor
    if entry.strings is not None:
        return np.array(entry.strings, dtype=object)
    if entry.self_test is not None:
        return entry.self_test
    value = tuple(entry.tuple_) if entry.tuple_ is not None else entry.value
    if isinstance(value, float) and math.isnan(value):
        raise ModelFileError(f"{path}: {shown(name)} is not a number; use another copy")
    return value


def _signature(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{str(tensor.dtype).removeprefix('torch.')}{shown(list(tensor.shape))}"


# -- what a file vouches for ------------------------------------------------------------------------------


def _probe_scores(detector: Saved) -> list[float | None]:
    """Scores of the mean training sample, one beside it, one of ones in the user's units, and one far away.

    None where a score is not finite. The scaling cancels out of all but the ones.
    """
    mean = torch.as_tensor(np.asarray(detector.mean_), dtype=torch.float32)
    # where contrast is taken out, what is added to all pixels alike would be
    away = torch.linspace(-1, 1, mean.numel()).reshape(mean.shape) if detector.input_.scaling.contrast else 1.0
    x = detector.input_.to_user(torch.stack([mean, mean + 0.5 * away, mean, mean + _FAR * away]))
    x[2] = 1
    x = detector.input_.to_network(x).to(detector.device_)
    assert len(x) == _PROBES
    autocast = torch.autocast(detector.device_.type, torch.bfloat16, enabled=detector._bf16())
    with frozen(detector.nets_), torch.enable_grad(), isolated_rng(0, detector.device_), autocast:
        scores = torch.cat([detector.score_batch(row[None]).detach().double() for row in x]).tolist()
    return [s if math.isfinite(s) else None for s in scores]


def _prove(detector: Saved, path: str | Path, header: Header) -> None:
    """ModelFileError unless the detector gives the scores that the file says it gives."""
    given = _probe_scores(detector)
    if header.scores is None:  # format 1 vouches for nothing, but a sample like those it was fitted on has a score
        if None in given[:3]:
            raise ModelFileError(f"{path}: the model gives no score to what it was fitted on; use another copy")
        return
    # bfloat16 rounds coarsely, a search ends a little elsewhere on another processor, a forward pass hardly differs
    tolerance = 0.05 if detector.NO_FORWARD_PASS or detector._bf16() else 1e-3
    for found, said in zip(given, header.scores, strict=True):
        same = (
            found == said
            if found is None or said is None
            else math.isclose(found, said, rel_tol=tolerance, abs_tol=1e-5)
        )
        if not same:
            raise ModelFileError(f"{path}: the model gives other scores than the file says; use another copy")
