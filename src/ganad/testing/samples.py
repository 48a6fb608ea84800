"""Small data and small detectors for the checks."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from ..detector import Detector
from ..errors import InputError

Kind = Literal["table", "images"]
KINDS: tuple[Kind, ...] = ("table", "images")

_COMMON = dict(device="cpu", threads=1, threshold_samples=1000, threshold_fits=0)
#: Settings that make any method small and fast. Settings that a method does not have are left out.
SMALL: dict[str, Any] = dict(epochs=1, latent_dim=4, width=8, search_steps=3, n_seeds=2, sweeps=10)
#: Settings with which most methods learn the data of ``normal``.
TRAINED: dict[str, Any] = dict(
    epochs=60, batch_size=50, lr=1e-3, latent_dim=8, width=32, search_steps=20, n_seeds=4, sweeps=50
)


def small(detector: Detector | type[Detector], **changes: Any) -> Detector:
    """A new detector that trains in well under a second.

    detector: an instance or a class. Settings that have their default value become small if their name is known: those
    of ``SMALL`` and every ``*_epochs``. ``changes`` override both. Settings that the class lacks are left out.
    """
    names = _names(detector)
    stages = {name: 1 for name in names if name.endswith("_epochs")}
    return _made(detector, _COMMON | SMALL | stages | _given(detector) | changes)


def trained(detector: Detector | type[Detector], **changes: Any) -> Detector:
    """A new detector that trains in a few seconds, long enough to learn the data of ``normal``.

    ``TRAINED`` overrides the detector's own settings, which may make it small; ``changes`` override both. A step size
    ``lr`` applies to every ``*_lr``.
    """
    lr = changes.get("lr", TRAINED["lr"])
    names = _names(detector)
    stages = {name: 10 for name in names if name.endswith("_epochs")} | {n: lr for n in names if n.endswith("_lr")}
    return _made(detector, _COMMON | _given(detector) | TRAINED | stages | changes)


def _made(detector: Detector | type[Detector], settings: dict[str, Any]) -> Detector:
    names = _names(detector)
    chosen = {name: value for name, value in ({"random_state": 0} | settings).items() if name in names}
    cls = detector if isinstance(detector, type) else type(detector)
    return cls(**chosen)


def _names(detector: Detector | type[Detector]) -> set[str]:
    return {field.name for field in dataclasses.fields(detector)}


def _given(detector: Detector | type[Detector]) -> dict[str, Any]:
    """The settings of an instance that differ from the defaults of its class, without the seed."""
    if isinstance(detector, type):
        return {}
    values = {field.name: (getattr(detector, field.name), field.default) for field in dataclasses.fields(detector)}
    return {name: value for name, (value, default) in values.items() if name != "random_state" and value != default}


def settings_of(detector: Detector) -> dict[str, Any]:
    """The settings of a detector and of those within it, which are named by their classes: two are never equal."""
    return {name: _plain(value) for name, value in detector.get_params().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return type(value) if isinstance(value, Detector) else value


def kinds(detector: Detector | type[Detector]) -> list[Kind]:
    """The kinds of samples that a detector is for: those for which ``build`` does not raise NotSupported or InputError.

    Nothing is allocated. The checks report any other error of ``build``.
    """
    return [kind for kind in KINDS if _is_for(small(detector), kind)]


def _is_for(detector: Detector, kind: Kind) -> bool:
    try:
        built(detector, kind, "meta")
    except InputError:
        return False
    except Exception:  # a method's own code may raise anything
        return True
    return True


def built(detector: Detector, kind: Kind, device: str = "cpu") -> dict[str, nn.Module]:
    """The players for rows of 12 columns or for grey images of 28 x 28. The caller's random state stays as it was."""
    detector.device_ = torch.device(device)
    with torch.random.fork_rng(devices=[]), torch.device(device):
        return detector.build((12,) if kind == "table" else (1, 28, 28))


def has_networks(detector: Detector | type[Detector], kind: Kind = "table") -> bool:
    """Whether it has networks. The others are fitted in closed form, without steps, epochs or resuming."""
    return bool(built(small(detector), kind, "meta"))


@functools.cache
def normal(kind: Kind) -> np.ndarray:
    """Normal samples: a table (400, 6) whose last columns repeat the first, or 200 real 8 x 8 digits other than 9."""
    if kind == "images":
        digits = load_digits()
        return np.asarray(digits.images[digits.target != 9][:200] * 255 / 16, np.uint8)
    x = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    x[:, 3:] = x[:, :3] + 0.1 * x[:, 3:]
    return x


def anomalous(kind: Kind) -> np.ndarray:
    """50 samples that clearly differ from ``normal``: far away, or noise of full contrast."""
    rng = np.random.default_rng(1)
    if kind == "images":
        return rng.choice(np.array([0, 255], np.uint8), size=(50, 8, 8))
    return (8 * rng.choice([-1, 1], size=(50, 6))).astype(np.float32)


_fitted: dict[tuple[type, str, Kind], Detector] = {}


def fitted(detector: Detector | type[Detector], kind: Kind) -> Detector:
    """A small fitted detector, made once for these settings. Copy it before you change it."""
    model = small(detector)
    key = (type(model), repr(sorted(model.get_params(deep=False).items())), kind)
    if key not in _fitted:
        _fitted[key] = model.fit(normal(kind))
    return _fitted[key]
