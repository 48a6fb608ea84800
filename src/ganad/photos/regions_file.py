"""A fitted ``Regions`` as one file, which contains the inner detector whole, with its own header and scores.

The file has the backbone's SHA-256, or its weights if they are embedded. Reading applies the same checks as to a user's
settings, and the model must give the scores of two made-up photos that the file names.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from .. import files
from ..data import recipes
from ..detector import Detector, model_file
from ..devices import choose_device
from ..errors import InputError, ModelFileError
from ..migrations import upgraded
from ..selftest import SelfTest
from .backbone import Backbone
from .part import part_of
from .tiles import Tiles
from .whitening import Whitening

CLASS = "ganad.photos.regions:Regions"
#: Reads the inner detector from path, tensors, raw header and device.
Unpack = Callable[[Path, dict[str, Tensor], dict[str, Any], str], Detector]
_STATE = (
    "offset_",
    "channels_",
    "backbone_sha256_",
    "history_",
    "source_",
    "columns_",
    "map_threshold_",
    "parent_",
    "false_alarm_rate_",
    "self_test_",
)
_PROBES = ((72, 104), (40, 33))  # shapes of the made-up photos


class State(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The attributes that a fit sets, without the inner detector."""

    offset_: float
    channels_: int
    backbone_sha256_: str | None
    history_: list[dict[str, Any]]
    source_: dict[str, Any] | None = None
    columns_: list[str] | None = None
    map_threshold_: float | None = None  #: files of before 0.3 have none
    parent_: str | None = None
    false_alarm_rate_: float | None = None
    self_test_: SelfTest | None = None


class Given(msgspec.Struct, forbid_unknown_fields=True):
    """Settings of the inner detector as given; the fitted one has those of ``Regions``."""

    device: str
    threads: int | None
    verbose: int
    threshold_samples: int
    random_state: int | None


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """The header of the file.

    Tensors are ``detector/...``, ``backbone/...``, ``whitening/...``, ``calibration`` and ``part``.
    """

    class_: str = msgspec.field(name="class")
    settings: dict[str, Any]
    state: State
    versions: dict[str, str]
    detector: model_file.Header
    scores: list[float | None]  #: of the made-up photos
    tiles: Tiles | None = None
    backbone: Backbone | None = None  #: exactly one of the two views is set
    given: Given | None = None  #: files of before 0.3 have none
    format: str = "2"  #: of the file


def save(regions: Any, path: str | Path) -> None:
    """Write a fitted ``Regions``; see ``Detector.save``."""
    inner, header = model_file.packed(regions.inner_)
    tensors = {f"detector/{name}": value for name, value in inner.items()}
    if regions.embed and isinstance(regions.view, Backbone):
        tensors |= {f"backbone/{name}": value for name, value in regions.nets_["backbone"].state_dict().items()}
    if hasattr(regions, "calibration_"):
        tensors["calibration"] = torch.as_tensor(regions.calibration_)
    if hasattr(regions, "part_"):
        tensors["part"] = torch.as_tensor(regions.part_)
    if regions.whitening_ is not None:
        tensors |= {f"whitening/{k}": torch.as_tensor(v) for k, v in vars(regions.whitening_).items() if v is not None}
    settings = {k: v for k, v in regions.get_params(deep=False).items() if k not in ("detector", "view")}
    settings["random_state"] = _seed(regions)
    asked = {name: getattr(regions.detector, name) for name in Given.__struct_fields__}
    given = Given(**asked | {"random_state": _seed(regions.detector)})
    view = {"tiles" if isinstance(regions.view, Tiles) else "backbone": regions.view}
    state = State(**{name: vars(regions).get(name) for name in _STATE})
    whole = Header(CLASS, settings, state, files.versions(), header, probe_scores(regions), **view, given=given)
    model_file.write(path, "Regions", tensors, whole)


def _seed(detector: Any) -> int | None:
    """The seed, None for a generator, whose state is not kept."""
    return None if isinstance(detector.random_state, np.random.RandomState) else detector.random_state


def unpack(
    cls: type, path: str | Path, tensors: dict[str, Tensor], raw: dict[str, Any], device: str, inner: Unpack
) -> Any:
    """The ``Regions`` (``cls``) in the file. Raises ModelFileError if the file contradicts itself."""
    path = Path(path)
    try:
        header = msgspec.convert(raw, Header)
        recipes.check(header.state.source_, header.state.columns_, None)
    except (msgspec.ValidationError, RecursionError, InputError) as error:
        raise ModelFileError(f"{path}: its header is not that of a model ({error}); use another copy") from error
    detector = inner(path, _under(tensors, "detector/"), raw["detector"], device)
    regions = _made(cls, path, header, detector, device)
    regions.inner_, regions.device_ = detector, choose_device(device)
    for name in _STATE:
        if (value := getattr(header.state, name)) is not None or name == "backbone_sha256_":
            setattr(regions, name, value)
    if "calibration" in tensors:
        regions.calibration_ = np.sort(tensors["calibration"].double().numpy().ravel())
    _take_part(path, regions, tensors.get("part"))
    regions.whitening_ = _whitening(path, regions, _under(tensors, "whitening/"))
    regions.place(_network(path, regions.view, header, _under(tensors, "backbone/")))
    _prove(regions, path, header)
    return regions


def _take_part(path: Path, regions: Any, shape: Tensor | None) -> None:
    if (shape is None) != (regions.part is None) or (
        shape is not None and (shape.ndim, shape.dtype) != (2, torch.bool)
    ):
        raise ModelFileError(f"{path}: the part of photos that it looks at is not an image; use another copy")
    drawn = None if shape is None else shape.numpy()
    try:
        regions.take_part(drawn, part_of(regions.crop, drawn))
    except InputError as error:
        raise ModelFileError(f"{path}: {error}") from error


def _whitening(path: Path, regions: Any, found: dict[str, Tensor]) -> Whitening | None:
    """The whitening of the file. Raises ModelFileError unless it is one of the settings and of the inner detector."""
    if regions.whiten == "none" and not found:
        return None
    c = regions.inner_.input_.sample_shape[0] - regions.detector.takes_places
    means = found.get("means", torch.ones(0))
    k, d = means.shape if means.ndim == 2 else (0, 0)
    apart = regions.whiten == "place"
    wanted = {"means": ((k, d), torch.float64), "matrices": ((k, c, d), torch.float32)}
    wanted |= {"places": ((k,), torch.float64)} if apart else {}
    forms = {name: (tuple(value.shape), value.dtype) for name, value in found.items()}
    finite = all(bool(value.isfinite().all()) for value in found.values())
    if forms != wanted or not finite or k == 0 or (k > 1 and not apart) or regions.whiten == "none":
        raise ModelFileError(f"{path}: the whitening of its vectors does not fit its settings; use another copy")
    numbers = {name: value.numpy() for name, value in found.items()}
    return Whitening(numbers.get("places"), numbers["means"], numbers["matrices"])


def _made(cls: type, path: Path, header: Header, detector: Detector, device: str) -> Any:
    """A ``Regions`` with the file's settings, which pass the same checks as a user's."""
    view = header.tiles if header.backbone is None else header.backbone
    settings = upgraded(cls, header.settings, header.versions.get("ganad", "0"))
    missing = sorted({f.name for f in dataclasses.fields(cls)} - settings.keys() - {"detector", "view"})
    if missing:
        raise ModelFileError(f"{path}: the setting {missing[0]!r} is missing; use another copy")
    try:
        inner = clone(detector)
        if header.given is not None:
            inner.set_params(**msgspec.structs.asdict(header.given))
        regions = cls(**settings | {"detector": inner, "view": view, "device": device})
        regions.check_settings()
    except (TypeError, InputError) as error:
        raise ModelFileError(f"{path}: its settings are not those of this Regions ({error})") from error
    return regions


def _network(path: Path, view: Tiles | Backbone, header: Header, embedded: dict[str, Tensor]) -> Any:
    """The backbone with the weights of the file, or with those of this machine if they are the same."""
    if isinstance(view, Tiles):
        return None
    if embedded:
        try:
            return view.embedded(embedded, str(path))
        except InputError as error:
            raise ModelFileError(str(error)) from error
    file = view.file
    if file is None and header.state.backbone_sha256_ is not None:
        raise ModelFileError(f"{path}: it names a file of weights, but its backbone has none; use another copy")
    if file is not None and (not file.is_file() or files.sha256_of(file) != header.state.backbone_sha256_):
        raise InputError(
            f"{path}: it needs the backbone's weights {file}, with SHA-256 "
            f"{str(header.state.backbone_sha256_)[:16]}...; put that file there, or save the model with embed=True"
        )
    return view.network()


def probe_scores(regions: Any) -> list[float | None]:
    """Scores of made-up photos, of all there is on them; None where a score is not finite."""
    part, regions.looked_at_ = regions.looked_at_, None  # which may be large
    rng = np.random.default_rng(0)
    shapes = [shape if regions.channels_ == 1 else (*shape, regions.channels_) for shape in _PROBES]
    try:
        scores = regions.anomaly_score([rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes])
    finally:
        regions.looked_at_ = part
    return [float(s) if math.isfinite(s) else None for s in scores]


def _prove(regions: Any, path: Path, header: Header) -> None:
    tolerance = 0.05 if regions.inner_.NO_FORWARD_PASS else 1e-3
    try:
        found = probe_scores(regions)
    except (InputError, OSError):
        raise
    except Exception as error:  # a file may hold anything, and the inner detector's code may fail on it in any way
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelFileError(f"{path}: its parts do not fit together ({reason:.200})") from error
    for own, said in zip(found, header.scores, strict=False):
        if (own is None) != (said is None) or not math.isclose(own or 0, said or 0, rel_tol=tolerance, abs_tol=1e-5):
            raise ModelFileError(f"{path}: the model gives other scores than the file says; use another copy")


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
