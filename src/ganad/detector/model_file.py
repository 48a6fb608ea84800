"""A fitted detector as tensors and a header. ``files`` writes bytes and hashes, ``model_reading`` reads them back.

A detector that combines others (``members_``) packs each as a whole model with its own header and probe scores. A
setting that is a detector is stored as its class and its settings.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from .. import files
from ..errors import InputError, ModelFileError
from ..nets.players import Players
from ..seeds import isolated_rng
from ..selftest import SelfTest
from .input import InputSpec
from .scaling import Contrast
from .scoring import frozen

#: Fitted attributes that have their own entry in the header, or that belong to this machine.
NOT_STATE = {"nets_", "input_", "device_", "members_"}
#: Attributes that described the input in format 1.
OLD_INPUT = ("shape_", "sample_shape_", "n_features_in_", "feature_names_in_")
_PROBES = 4  # samples whose scores are in the file
_FAR = 2000.0  # values of the far probe, in the networks' units; beyond the clipping of tables


class Saved(Protocol):
    """The part of a detector that saving needs. It is written out so that this file does not import detectors."""

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
    """One fitted attribute. Exactly one of the fields is set."""

    array: str | None = None  #: "numpy" or "torch"; the values are a tensor of the file
    strings: list[str] | None = None
    tuple_: list[Any] | None = msgspec.field(default=None, name="tuple")
    self_test: SelfTest | None = None
    value: Any = None


class InputEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The input, without the tensors of its scaling."""

    sample_shape: tuple[int, ...]
    shape: tuple[int, ...]
    clip: float | None
    names: list[str] | None
    contrast: Contrast | None = None  #: if the scaling has it; files before 0.2 do not


class Header(msgspec.Struct):
    """The header of a model file."""

    class_: str = msgspec.field(name="class")  #: "module:Class"; the bare class in format 1
    settings: dict[str, Any]
    state: dict[str, Entry]
    versions: dict[str, str]
    input: InputEntry | None = None
    clip: float | None = None  #: in format 1, which keeps the input in ``state``
    scores: list[float | None] | None = None  #: of the probes; absent in format 1
    format: str = "1"
    members: list[Header] = []  #: of the detectors that this one combines; their tensors are "members/0/..."

    @classmethod
    def read(cls, header: dict[str, Any], path: str | Path) -> Self:
        """The header as types. Raises ModelFileError if it is not the header of a model."""
        try:
            found = msgspec.convert(header, cls)
        except (msgspec.ValidationError, RecursionError, OverflowError) as error:
            raise ModelFileError(f"{path}: its header is not that of a model ({error}); use another copy") from error
        if found.format != "1" and (found.input is None or found.scores is None or len(found.scores) != _PROBES):
            raise ModelFileError(f"{path}: its header lacks the input or the probe scores; use another copy")
        return found


def save(detector: Saved, path: str | Path) -> None:
    """Write a fitted detector to one file; see ``Detector.save``."""
    tensors, header = packed(detector)
    write(path, type(detector).__name__, tensors, header)


def packed(detector: Saved) -> tuple[dict[str, Tensor], Header]:
    """A fitted detector as the tensors and the header of a file."""
    spec, parts = detector.input_, members(detector)
    theirs = tuple(f"{i}." for i in range(len(parts)))  # weights that the members pack themselves
    weights = detector.nets_.state_dict()
    tensors = {f"nets/{k}": v for k, v in weights.items() if not k.startswith(theirs)}
    tensors |= {
        "scaling/shift": torch.as_tensor(spec.scaling.shift),
        "scaling/scale": torch.as_tensor(spec.scaling.scale),
    }
    state: dict[str, Entry] = {}
    for name, value in vars(detector).items():
        if not name.endswith("_") or name.startswith("_") or name in NOT_STATE.union(detector.TRANSIENT):
            continue
        state[name] = _entry(value)
        if words := _changed_by_json(value):
            raise InputError(f"{type(detector).__name__} cannot be saved: {name} holds {words}")
        if state[name].array:
            tensors[f"state/{name}"] = torch.as_tensor(value)
    names = None if spec.names is None else list(spec.names)
    header = Header(
        _target(detector),
        _own_settings(detector),
        state,
        files.versions(),
        InputEntry(spec.sample_shape, spec.shape, spec.scaling.clip, names, spec.scaling.contrast),
        scores=probe_scores(detector),
    )
    for i, member in enumerate(parts):
        own, described = packed(member)
        tensors |= {f"members/{i}/{k}": v for k, v in own.items()}
        header.members.append(described)
    return tensors, header


def write(path: str | Path, owner: str, tensors: dict[str, Tensor], header: msgspec.Struct) -> None:
    """Write the result of ``packed``. Raises InputError for a setting or fitted attribute that JSON cannot hold."""
    try:
        plain = msgspec.to_builtins(header, enc_hook=_plain, str_keys=True)
        files.write(path, "model", tensors, plain)
    except TypeError as error:
        raise InputError(f"{owner} cannot be saved: {error}") from error


def members(detector: Saved) -> list[Saved]:
    return list(getattr(detector, "members_", ()))


def _target(detector: Any) -> str:
    return f"{type(detector).__module__}:{type(detector).__qualname__}"


def _own_settings(detector: Any) -> dict[str, Any]:
    settings: dict[str, Any] = detector.get_params(deep=False)
    if isinstance(settings["random_state"], np.random.RandomState):
        settings["random_state"] = None
    return {name: _setting(value) for name, value in settings.items()}


def _setting(value: Any) -> Any:
    """A setting as JSON can hold it; a detector becomes its class and its settings."""
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


def _changed_by_json(value: Any) -> str:
    """What in an attribute a file would give back as something else, with what to keep instead; else ""."""
    if isinstance(value, set | frozenset):
        return "a set, which a file gives back as a list; keep a sorted list"
    if isinstance(value, dict):
        if other := [key for key in value if not isinstance(key, str)]:
            return f"the key {other[0]!r:.40}, which a file gives back as text; use texts as keys"
        return next(filter(None, map(_changed_by_json, value.values())), "")
    return next(filter(None, map(_changed_by_json, value)), "") if isinstance(value, list | tuple) else ""


# -- probe scores -----------------------------------------------------------------------------------------


def probe_scores(detector: Saved) -> list[float | None]:
    """Scores of four probes: the mean training sample, one near it, all ones in the user's units, and one far away.

    None replaces a score that is not finite. Only the sample of ones depends on the scaling.
    """
    mean = torch.as_tensor(np.asarray(detector.mean_), dtype=torch.float32)
    # scaling="contrast" would remove what is added equally to all pixels
    away = torch.linspace(-1, 1, mean.numel()).reshape(mean.shape) if detector.input_.scaling.contrast else 1.0
    x = detector.input_.to_user(torch.stack([mean, mean + 0.5 * away, mean, mean + _FAR * away]))
    x[2] = 1
    x = detector.input_.to_network(x).to(detector.device_)
    assert len(x) == _PROBES
    autocast = torch.autocast(detector.device_.type, torch.bfloat16, enabled=detector._bf16())
    with frozen(detector.nets_), torch.enable_grad(), isolated_rng(0, detector.device_), autocast:
        scores = torch.cat([detector.score_batch(row[None]).detach().double() for row in x]).tolist()
    return [s if math.isfinite(s) else None for s in scores]
