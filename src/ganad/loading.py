"""Loading a model file: the registry finds the class, and the file's contents become a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import Tensor

from . import files, registry
from .detector import Detector, model_file, model_reading
from .photos import Regions, regions_file


def load(path: str | Path, device: str = "auto") -> Detector:
    """Load a detector that ``Detector.save`` wrote. Code in the file is never run.

    If no installed package registers the detector, import its module first (``--plugin MODULE`` on the command line).
    Warns with OtherVersion if another minor version wrote the file. Raises ModelFileError for a damaged, altered or
    foreign file, and InputError for a missing one.
    """
    return _loaded(path, device)[0]


def load_hashed(path: str | Path, device: str = "auto") -> tuple[Detector, str]:
    """The detector of ``load``, and the SHA-256 of the bytes that it came from, whatever becomes of the file."""
    return _loaded(path, device)


def _loaded(path: str | Path, device: str) -> tuple[Detector, str]:  # called by both, so that warnings name the caller
    tensors, raw = files.read(path, "model")
    sha256 = raw.pop("sha256")
    if raw.get("class") == regions_file.CLASS:
        return cast(Detector, regions_file.unpack(Regions, path, tensors, raw, device, _unpacked)), sha256
    return _unpacked(path, tensors, raw, device), sha256


def _unpacked(path: str | Path, tensors: dict[str, Tensor], raw: dict[str, Any], device: str) -> Detector:
    header = model_file.Header.read(raw, path)
    return cast(Detector, model_reading.unpack(path, tensors, header, registry.find, device))
