"""Reading a model file into a detector; ``model_file`` describes its contents.

A file with right hashes is not trusted, because whoever writes a file can compute them. So:

- settings pass the same checks as a user's
- fitted values must have the forms that the class declares
- fitted attributes cannot replace methods
- networks are compared by name, shape and type before they are used
- the model must give the scores that the file names
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import torch
from torch import Tensor

from .. import files
from ..data import recipes
from ..devices import choose_device
from ..display import shown
from ..errors import InputError, ModelFileError, OtherScores, OtherVersion
from ..migrations import upgraded
from ..nets.players import Players
from . import declared
from .input import InputSpec
from .model_file import NOT_STATE, OLD_INPUT, Entry, Header, InputEntry, Saved, members, probe_scores
from .scaling import Scaling

_EXACT = 1e-3  # relative; what a forward pass differs by on another processor is far smaller


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
        """A detector that is not fitted. Its settings pass the same checks as a user's."""
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
    """The detector in the file ``path``. Raises ModelFileError if the file contradicts itself.

    find: returns the class of "module:Class", or None if it is not known.
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
    state = {k: _restored(path, k, entry, tensors) for k, entry in header.state.items() if k not in OLD_INPUT}
    for name in state:
        if not name.endswith("_") or name.startswith("_") or name in NOT_STATE or hasattr(cls, name):
            raise ModelFileError(f"{path}: {shown(repr(name))} is not an attribute that a {cls.__name__} learns")
    try:
        spec = _input(cls.INPUT, header, tensors)
        spec.check_itself(detector.image_size)
        declared.check(detector, state, spec.shape)
        recipes.check(state.get("source_"), state.get("columns_"), spec.sample_shape)
        detector.__dict__.update(state)
        detector.input_, detector.device_ = spec, torch.device("cpu")
        if header.members:
            parts = [(_part(tensors, f"members/{i}/"), member) for i, member in enumerate(header.members)]
            detector.__dict__["members_"] = [_unpacked(source, own, member) for own, member in parts]
        nets = _networks(detector, path, spec, tensors)
        detector.__dict__.update(state)  # build may have drawn some of these at random
        detector.nets_ = nets
        detector.restored()
        _prove(detector, path, header)
    except (ModelFileError, OSError):
        raise
    except Exception as error:  # a file may hold anything, and the method's own code may fail on it in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelFileError(
            f"{path}: its parts do not fit together ({shown(reason, 150)}); use another copy"
        ) from error
    return detector


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _place(detector: Saved, where: torch.device) -> None:
    """Move a detector and its members to a device."""
    for member in members(detector):
        _place(member, where)
    detector.device_ = where
    detector.nets_ = detector.nets_.placed(where, channels_last=detector.input_.is_image).eval()


def _compare_versions(source: _Source) -> None:
    if source.written_by.split(".")[:2] != files.__version__.split(".")[:2]:
        warnings.warn(
            f"{source.path} was written by ganad {shown(repr(source.written_by), 20)}, this is {files.__version__}; it "
            f"should score alike, and docs/compatibility.md says what is promised",
            OtherVersion,
            stacklevel=6,
        )


def _input(kind: type[InputSpec], header: Header, tensors: dict[str, Tensor]) -> InputSpec:
    shift, scale = tensors["scaling/shift"].numpy(), tensors["scaling/scale"].numpy()
    found = header.input or _old_input(header)
    names = None if found.names is None else tuple(found.names)
    return kind(found.sample_shape, found.shape, Scaling(shift, scale, found.clip, found.contrast), names)


def _old_input(header: Header) -> InputEntry:
    """The input as format 1 describes it, in one attribute each."""
    old = header.state
    strings = old["feature_names_in_"].strings if "feature_names_in_" in old else None
    shapes = {k: old[f"{k}_"].tuple_ for k in ("sample_shape", "shape")}
    entry = msgspec.convert(shapes | dict(clip=header.clip, names=strings), InputEntry)
    if old["n_features_in_"].value != math.prod(entry.sample_shape):
        raise InputError("the number of its columns is not that of its samples")
    return entry


def _networks(detector: Saved, path: str | Path, spec: InputSpec, tensors: dict[str, Tensor]) -> Players:
    """The networks with the file's weights, compared by name, shape and type before they are used."""
    # The meta device allocates nothing, so a file cannot make us build networks larger than itself.
    with torch.device("meta"):
        nets = Players(detector.build(spec.shape))
    weights = _part(tensors, "nets/")
    for i, member in enumerate(members(detector)):  # compared already
        weights |= {f"{i}.{k}": v for k, v in member.nets_.state_dict().items()}
    expected = nets.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        want, have = _signature(expected.get(name)), _signature(weights.get(name))
        if want != have:
            cls = type(detector).__name__
            raise ModelFileError(f"{path}: {shown(name)} is {have}, but {cls} with these settings has {want}")
    strange = next((name for name, tensor in weights.items() if not declared.possible(name, tensor)), None)
    if strange is not None:
        raise ModelFileError(f"{path}: {shown(strange)} holds numbers that a fit cannot give; use another copy")
    nets.load_state_dict(weights, assign=True)
    return nets.eval()


def _restored(path: str | Path, name: str, entry: Entry, tensors: dict[str, Tensor]) -> Any:
    if entry.array is not None:
        tensor = tensors.get(f"state/{name}")
        if tensor is None or tensor.dtype == torch.bfloat16 or not declared.possible(name, tensor):
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


def _prove(detector: Saved, path: str | Path, header: Header) -> None:
    """Raise ModelFileError unless the detector gives the scores that the file names."""
    given = probe_scores(detector)
    if header.scores is None:  # format 1 has no scores, but the mean training sample must have one
        if None in given[:3]:
            raise ModelFileError(f"{path}: the model gives the mean training sample no finite score; use another copy")
        return
    # bfloat16 rounds coarsely, and a search ends elsewhere on another processor; a forward pass hardly differs
    tolerance = 0.05 if detector.NO_FORWARD_PASS or detector._bf16() else _EXACT
    if not _alike(given, header.scores, tolerance):
        raise ModelFileError(f"{path}: the model gives other scores than the file says; use another copy")
    if detector.NO_FORWARD_PASS and not detector._bf16() and not _alike(given, header.scores, _EXACT):
        warnings.warn(
            f"{path}: its searches end a little elsewhere than the file says, as on another processor; a setting that "
            f"somebody changed shows alike, so compare the file's SHA-256 with its maker's",
            OtherScores,
            stacklevel=6,
        )


def _alike(given: list[float | None], said: list[float | None], tolerance: float) -> bool:
    """Whether two lists of scores agree; None, which stands for one that is not finite, agrees with itself alone."""
    pairs = zip(given, said, strict=True)
    return all(
        a == b if a is None or b is None else math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-5) for a, b in pairs
    )
