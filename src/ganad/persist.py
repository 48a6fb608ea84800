"""Model files: one safetensors file with a JSON header and a SHA-256 for every part; never pickle.

safetensors reads altered data without a word, so each tensor carries its own SHA-256, and so does the
header. Names, shapes and data types are compared with the architecture before anything is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from .errors import InputError, ModelFileError

if TYPE_CHECKING:
    from .detector import Detector

FORMAT = 1
#: Fitted attributes that the header describes in its own words, or that belong to this machine.
_NOT_STATE = {"nets_", "scaling_", "device_", "dtype_"}


def write(path: str | Path, kind: str, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write ``tensors`` and ``header`` so that a crash leaves the old file or the new one, never half of one.

    Raises OSError, with the path in it, when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    # clones, because safetensors refuses tensors that share memory
    tensors = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
    text = json.dumps(header | {"kind": kind, "sha256": {k: _digest(v) for k, v in tensors.items()}})
    metadata = {"ganad": text, "ganad_format": str(FORMAT), "ganad_sha256": _sha256(text.encode())}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(safetensors.torch.save(tensors, metadata))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``write`` wrote, every byte checked.

    Raises ModelFileError for anything that is not exactly such a file, InputError if it is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a {kind} that ganad wrote")
    data = path.read_bytes()
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    except (SafetensorError, ValueError, AttributeError, KeyError, RuntimeError) as error:
        raise ModelFileError(f"{path}: cut short, damaged or not a ganad {kind}; use another copy") from error
    if "ganad" not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not one that ganad wrote")
    if metadata.get("ganad_format") != str(FORMAT):
        raise ModelFileError(
            f"{path}: written in format {metadata.get('ganad_format')}, this version of ganad reads format "
            f"{FORMAT}; install the version that wrote it"
        )
    text = metadata["ganad"]
    if _sha256(text.encode()) != metadata.get("ganad_sha256"):
        raise ModelFileError(f"{path}: its header was altered (SHA-256 differs); use another copy")
    header = json.loads(text)
    if header.get("kind") != kind:
        raise ModelFileError(f"{path}: a ganad {header.get('kind')}, not a {kind}")
    if header["sha256"].keys() != tensors.keys():
        raise ModelFileError(f"{path}: tensors are missing or were added; use another copy")
    for name, tensor in tensors.items():
        if _digest(tensor) != header["sha256"][name]:
            raise ModelFileError(f"{path}: tensor {name!r} was altered (SHA-256 differs); use another copy")
    return tensors, header


def save(detector: Detector, path: str | Path) -> None:
    """Save a fitted detector; see ``Detector.save``."""
    tensors = {f"nets/{k}": v for k, v in detector.nets_.state_dict().items()}
    tensors |= {
        "scaling/shift": torch.as_tensor(detector.scaling_.shift),
        "scaling/scale": torch.as_tensor(detector.scaling_.scale),
    }
    state: dict[str, Any] = {}
    for name, value in vars(detector).items():
        if not name.endswith("_") or name.startswith("_") or name in _NOT_STATE.union(detector.TRANSIENT):
            continue
        if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":
            state[name] = {"strings": [str(v) for v in value.ravel()]}
        elif isinstance(value, np.ndarray | Tensor):
            tensors[f"state/{name}"] = torch.as_tensor(value)
            state[name] = {"array": "numpy" if isinstance(value, np.ndarray) else "torch"}
        elif isinstance(value, tuple):
            state[name] = {"tuple": list(value)}
        else:
            state[name] = {"value": value}
    settings = detector.get_params(deep=False)
    if isinstance(settings["random_state"], np.random.RandomState):
        settings["random_state"] = None
    header = {
        "class": type(detector).__name__,
        "settings": settings,
        "clip": detector.scaling_.clip,
        "state": state,
        "versions": versions(),
    }
    try:
        write(path, "model", tensors, header)
    except TypeError as error:  # a setting or fitted attribute that JSON cannot hold
        raise InputError(f"{type(detector).__name__} cannot be saved: {error}") from error


def load(path: str | Path, device: str = "auto") -> Detector:
    """Load a detector that ``Detector.save`` wrote; no code in the file is ever run.

    A detector of your own must have been imported first. Raises ModelFileError for a damaged, altered or
    foreign file, InputError for a missing one.
    """
    from . import methods  # noqa: F401  (imports every detector, so that its class can be found by name)
    from .detector import Detector
    from .devices import choose_device
    from .training import Players

    tensors, header = read(path, "model")
    known = {cls.__name__: cls for cls in _subclasses(Detector)}
    if header["class"] not in known:
        raise ModelFileError(
            f"{path}: a model of class {header['class']!r}, which is not known here; import the module that "
            "defines it first"
        )
    cls = known[header["class"]]
    try:
        settings = {k: tuple(v) if isinstance(v, list) else v for k, v in header["settings"].items()}
        detector = cls(**cast(Any, settings | {"device": device}))
    except TypeError as error:
        raise ModelFileError(f"{path}: its settings are not those of this {cls.__name__} ({error})") from error
    state = {k: _restore(k, v, tensors) for k, v in header["state"].items()}
    detector.__dict__.update(state)
    # On the meta device nothing is allocated: a file cannot make us build networks larger than itself.
    with torch.device("meta"):
        nets = Players(detector.build(detector.shape_))
    weights = {k.removeprefix("nets/"): v for k, v in tensors.items() if k.startswith("nets/")}
    expected = nets.state_dict()
    for name in sorted(expected.keys() | weights.keys()):
        want, have = _signature(expected.get(name)), _signature(weights.get(name))
        if want != have:
            raise ModelFileError(f"{path}: {name!r} is {have}, but {cls.__name__} with these settings has {want}")
    nets.load_state_dict(weights, assign=True)
    detector.__dict__.update(state)  # build may have drawn some of these anew
    detector.set_scaling(tensors["scaling/shift"].numpy(), tensors["scaling/scale"].numpy(), header["clip"])
    detector.device_ = choose_device(device)
    detector.dtype_ = torch.float32
    detector.nets_ = detector.place(nets).eval()
    detector.restored()
    return detector


def versions() -> dict[str, str]:
    """Versions that decide what a fit or a score comes out as."""
    import sklearn

    from . import __version__

    return {
        "ganad": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "python": platform.python_version(),
    }


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left in ``folder``."""
    for stray in folder.glob(".*.tmp"):
        stray.unlink(missing_ok=True)


def _restore(name: str, entry: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    if "array" in entry:
        tensor = tensors[f"state/{name}"]
        return tensor.numpy() if entry["array"] == "numpy" else tensor
    if "strings" in entry:
        return np.array(entry["strings"], dtype=object)
    return tuple(entry["tuple"]) if "tuple" in entry else entry["value"]


def _signature(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _subclasses(cls: type[Detector]) -> Iterator[type[Detector]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def _digest(tensor: Tensor) -> str:
    return _sha256(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
