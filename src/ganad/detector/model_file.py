"""A fitted detector as tensors and a header, and back; ``files`` does the bytes and the hashes.

A file is not trusted for being whole: whoever can write one can make its hashes right. So the header is read into
types, settings meet the same checks as a user's, fitted attributes may not take the place of methods, networks are
compared by name, shape and type before they are used, and the model must give the scores that the file says it gives.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from .. import files
from ..changes import upgraded
from ..devices import choose_device
from ..errors import InputError, ModelFileError, OtherVersion
from ..nets.players import Players
from ..seeds import isolated_rng
from .input import InputSpec
from .scaling import Scaling
from .scoring import frozen

#: Fitted attributes that the header describes in its own words, or that belong to this machine.
_NOT_STATE = {"nets_", "input_", "device_"}
#: What format 1 kept of the input, one attribute each.
_OLD_INPUT = ("shape_", "sample_shape_", "n_features_in_", "feature_names_in_")
_PROBES = 3  # samples whose scores a file vouches for
_FAR = 2000.0  # of one of them, in the networks' units; beyond the clipping of tables


class Saved(Protocol):
    """What a detector must offer to be saved; written out so that this file does not import the detectors."""

    NO_FORWARD_PASS: ClassVar[str]
    TRANSIENT: ClassVar[tuple[str, ...]]
    nets_: Players
    input_: InputSpec
    device_: torch.device
    mean_: np.ndarray

    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def check_settings(self) -> None: ...
    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]: ...
    def score_batch(self, x: Tensor) -> Tensor: ...
    def restored(self) -> None: ...


class Entry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One fitted attribute: of exactly one of these kinds."""

    array: str | None = None  #: "numpy" or "torch"; the values are a tensor of the file
    strings: list[str] | None = None
    tuple_: list[Any] | None = msgspec.field(default=None, name="tuple")
    value: Any = None


class InputEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The input, beside the tensors of its scaling."""

    sample_shape: tuple[int, ...]
    shape: tuple[int, ...]
    clip: float | None
    names: list[str] | None


class Header(msgspec.Struct):
    """The header of a model file."""

    class_: str = msgspec.field(name="class")  #: "module:Class"; the bare class in format 1
    settings: dict[str, Any]
    state: dict[str, Entry]
    versions: dict[str, str]
    input: InputEntry | None = None
    clip: float | None = None  #: of format 1, whose input stands in ``state``
    scores: list[float | None] | None = None  #: of the probes; absent in format 1

    @classmethod
    def read(cls, header: dict[str, Any], path: str | Path) -> Self:
        """The header as types; ModelFileError where it is not one of a model."""
        try:
            return msgspec.convert(header, cls)
        except (msgspec.ValidationError, RecursionError) as error:
            raise ModelFileError(f"{path}: its header is not that of a model ({error}); use another copy") from error


def save(detector: Saved, path: str | Path) -> None:
    """Write a fitted detector to one file; see ``Detector.save``."""
    tensors, header = packed(detector)
    write(path, type(detector).__name__, tensors, header)


def packed(detector: Saved) -> tuple[dict[str, Tensor], Header]:
    """A fitted detector as the tensors and the header of a file."""
    spec = detector.input_
    tensors = {f"nets/{k}": v for k, v in detector.nets_.state_dict().items()}
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
    settings = detector.get_params(deep=False)
    if isinstance(settings["random_state"], np.random.RandomState):
        settings["random_state"] = None
    cls = type(detector)
    names = None if spec.names is None else list(spec.names)
    header = Header(
        f"{cls.__module__}:{cls.__qualname__}",
        settings,
        state,
        files.versions(),
        InputEntry(spec.sample_shape, spec.shape, spec.scaling.clip, names),
        scores=_probe_scores(detector),
    )
    return tensors, header


def write(path: str | Path, owner: str, tensors: dict[str, Tensor], header: msgspec.Struct) -> None:
    """Write what ``packed`` gave. Raises InputError for a setting or fitted attribute that JSON cannot hold."""
    try:
        plain = msgspec.to_builtins(header, enc_hook=_plain, str_keys=True)
        files.write(path, "model", tensors, plain)
    except TypeError as error:
        raise InputError(f"{owner} cannot be saved: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _entry(value: Any) -> Entry:
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":
        return Entry(strings=[str(v) for v in value.ravel()])
    if isinstance(value, np.ndarray | Tensor):
        return Entry(array="numpy" if isinstance(value, np.ndarray) else "torch")
    return Entry(tuple_=list(value)) if isinstance(value, tuple) else Entry(value=value)


def unpack(cls: type[Saved], path: str | Path, tensors: dict[str, Tensor], header: Header, device: str) -> Saved:
    """The detector of class ``cls`` in the file ``path``; ModelFileError where the file contradicts itself."""
    where = choose_device(device)
    settings = _settings(cls, path, header, device)
    try:
        detector = cls(**settings)
        detector.check_settings()
    except (TypeError, InputError) as error:
        raise ModelFileError(f"{path}: its settings are not those of this {cls.__name__} ({error})") from error
    state = {k: _restored(path, k, entry, tensors) for k, entry in header.state.items() if k not in _OLD_INPUT}
    for name in state:
        if not name.endswith("_") or name.startswith("_") or name in _NOT_STATE or hasattr(cls, name):
            raise ModelFileError(f"{path}: {name!r:.80} is not an attribute that a {cls.__name__} learns")
    try:
        spec = _input(header, tensors)
        detector.__dict__.update(state)
        detector.input_, detector.device_ = spec, torch.device("cpu")
        nets = _networks(detector, path, spec, tensors)
        detector.__dict__.update(state)  # build may have drawn some of these anew
        detector.nets_ = nets
        detector.restored()
        _prove(detector, path, header)
    except (InputError, OSError):
        raise
    except Exception as error:  # a file may hold anything; the method's own code meets it first
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelFileError(
            f"{path}: what it holds does not fit together ({reason:.200}); use another copy"
        ) from error
    detector.device_ = where
    detector.nets_ = detector.nets_.placed(where, channels_last=spec.is_image).eval()
    return detector


def _settings(cls: type, path: str | Path, header: Header, device: str) -> dict[str, Any]:
    written_by = header.versions.get("ganad", "0")
    if written_by.split(".")[:2] != files.__version__.split(".")[:2]:
        warnings.warn(
            f"{path} was written by ganad {written_by!r:.20}, this is {files.__version__}; it should score alike, and "
            f"docs/compatibility.md says what is promised",
            OtherVersion,
            stacklevel=4,
        )
    saved = {k: tuple(v) if isinstance(v, list) else v for k, v in header.settings.items()}
    settings = upgraded(cls, saved, written_by)
    missing = sorted({f.name for f in dataclasses.fields(cls)} - settings.keys())
    if missing:
        raise ModelFileError(f"{path}: the setting {missing[0]!r} is missing; use another copy")
    return settings | {"device": device}


def _input(header: Header, tensors: dict[str, Tensor]) -> InputSpec:
    shift, scale = tensors["scaling/shift"].numpy(), tensors["scaling/scale"].numpy()
    if header.input is not None:
        found = header.input
        names = None if found.names is None else tuple(found.names)
        return InputSpec(found.sample_shape, found.shape, Scaling(shift, scale, found.clip), names)
    old = header.state
    strings = old["feature_names_in_"].strings if "feature_names_in_" in old else None
    return InputSpec(
        tuple(cast(list[int], old["sample_shape_"].tuple_)),
        tuple(cast(list[int], old["shape_"].tuple_)),
        Scaling(shift, scale, header.clip),
        None if strings is None else tuple(strings),
    )


def _networks(detector: Saved, path: str | Path, spec: InputSpec, tensors: dict[str, Tensor]) -> Players:
    """The networks with the file's weights, compared by name, shape and type before they are used."""
    # On the meta device nothing is allocated: a file cannot make us build networks larger than itself.
    with torch.device("meta"):
        nets = Players(detector.build(spec.shape))
    weights = {k.removeprefix("nets/"): v for k, v in tensors.items() if k.startswith("nets/")}
    expected = nets.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        want, have = _signature(expected.get(name)), _signature(weights.get(name))
        if want != have:
            cls = type(detector).__name__
            raise ModelFileError(f"{path}: {name!r:.200} is {have}, but {cls} with these settings has {want}")
    nets.load_state_dict(weights, assign=True)
    return nets.eval()


def _restored(path: str | Path, name: str, entry: Entry, tensors: dict[str, Tensor]) -> Any:
    if entry.array is not None:
        tensor = tensors.get(f"state/{name}")
        if tensor is None or (tensor.is_floating_point() and bool(tensor.isnan().any())):
            raise ModelFileError(f"{path}: the values of {name!r:.80} are missing or not numbers; use another copy")
        return tensor.numpy() if entry.array == "numpy" else tensor
    if entry.strings is not None:
        return np.array(entry.strings, dtype=object)
    value = tuple(entry.tuple_) if entry.tuple_ is not None else entry.value
    if isinstance(value, float) and math.isnan(value):
        raise ModelFileError(f"{path}: {name!r:.80} is not a number; use another copy")
    return value


def _signature(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


# -- what a file vouches for ------------------------------------------------------------------------------


def _probe_scores(detector: Saved) -> list[float | None]:
    """Scores of the mean training sample, one beside it and one far away; None where a score is not finite."""
    mean = torch.as_tensor(np.asarray(detector.mean_), dtype=torch.float32)
    x = detector.input_.to_user(torch.stack([mean, mean + 0.5, mean + _FAR]))
    x = detector.input_.to_network(x).to(detector.device_)
    assert len(x) == _PROBES
    with frozen(detector.nets_), torch.enable_grad(), isolated_rng(0, detector.device_):
        scores = torch.cat([detector.score_batch(row[None]).detach().double() for row in x]).tolist()
    return [s if math.isfinite(s) else None for s in scores]


def _prove(detector: Saved, path: str | Path, header: Header) -> None:
    """ModelFileError unless the detector gives the scores that the file says it gives."""
    if header.scores is None:
        return
    given = _probe_scores(detector)
    # a search ends a little elsewhere on another processor, a forward pass differs by rounding
    tolerance = 0.05 if detector.NO_FORWARD_PASS else 1e-3
    for found, said in zip(given, header.scores, strict=True):
        same = (
            found == said
            if found is None or said is None
            else math.isclose(found, said, rel_tol=tolerance, abs_tol=1e-5)
        )
        if not same:
            raise ModelFileError(f"{path}: the model gives other scores than the file says; use another copy")
