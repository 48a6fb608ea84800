"""Files as bytes and hashes: safetensors with a JSON header and a SHA-256 for every part; never pickle.

safetensors reads altered data without an error, so each tensor and the header carry a SHA-256. This file knows nothing
of detectors; ``detector/model_file.py`` says what a model's tensors and header mean.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.torch
import sklearn
import torch
from safetensors import SafetensorError
from torch import Tensor

from ._version import __version__ as __version__
from .atomic import replacing
from .display import shown
from .errors import InputError, ModelFileError

FORMAT = 2
_READABLE = ("1", "2")  # formats; 1 named a model by its bare class


class _Any(msgspec.Struct):
    """The fields of every file's header."""

    kind: str
    sha256: dict[str, str]


def write(path: str | Path, kind: str, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write ``tensors`` and ``header`` as one file in one step; see ``atomic.replacing``."""
    # clones, because safetensors refuses tensors that share memory
    tensors = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
    text = json.dumps(header | {"kind": kind, "sha256": {k: _digest(v) for k, v in tensors.items()}})
    metadata = {"ganad": text, "ganad_format": str(FORMAT), "ganad_sha256": _sha256(text.encode())}
    data = safetensors.torch.save(tensors, metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file of ``write`` and check every byte.

    The header has the file's format under "format", and under "sha256" the hash of the bytes that were read. Raises
    ModelFileError for any other or altered file, and InputError if it is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of a {kind} that ganad wrote")
    data = path.read_bytes()
    try:
        tensors = safetensors.torch.load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = msgspec.convert(json.loads(data[8 : 8 + length])["__metadata__"], dict[str, str])
    except KeyError:
        metadata = {}
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{path}: cut short, damaged or not a ganad {kind}; use another copy") from error
    if "ganad" not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not one that ganad wrote")
    if metadata.get("ganad_format") not in _READABLE:
        raise ModelFileError(
            f"{path}: written in format {shown(repr(metadata.get('ganad_format')), 20)}, this ganad reads up to "
            f"format {FORMAT}; install the version that wrote it"
        )
    text = metadata["ganad"]
    if _sha256(text.encode("utf-8", "surrogatepass")) != metadata.get("ganad_sha256"):
        raise ModelFileError(f"{path}: its header was altered (SHA-256 differs); use another copy")
    try:
        header = json.loads(text)
        json.dumps(header, ensure_ascii=False).encode()  # finds a lone surrogate here, before it is printed
        known = msgspec.convert(header, _Any)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: its header is not one that ganad writes; use another copy") from error
    if known.kind != kind:
        raise ModelFileError(f"{path}: a ganad {shown(repr(known.kind), 40)}, not a {kind}")
    if known.sha256.keys() != tensors.keys():
        raise ModelFileError(f"{path}: tensors are missing or were added; use another copy")
    for name, tensor in tensors.items():
        if _digest(tensor) != known.sha256[name]:
            raise ModelFileError(f"{path}: tensor {shown(name)} was altered (SHA-256 differs); use another copy")
    del header["kind"]
    return tensors, header | {"format": metadata["ganad_format"], "sha256": _sha256(data)}


def versions() -> dict[str, str]:
    """Versions on which the result of a fit or a score depends."""
    return {
        "ganad": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "python": platform.python_version(),
    }


def sha256_of(file: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left in ``folder``."""
    for stray in folder.glob(".*.tmp"):
        stray.unlink(missing_ok=True)


def _digest(tensor: Tensor) -> str:
    return _sha256(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
