"""Anomaly detection with generative adversarial networks: every method of the field behind one contract."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .detector import Detector as Detector
    from .errors import InputError as InputError
    from .methods import *  # noqa: F403
    from .methods import DETECTORS as DETECTORS
    from .persist import load as load
    from .reporting import report as report

#: Public names and where they live; torch is imported with the first one that needs it, not before.
_HOMES = {
    "Detector": ".detector",
    "load": ".persist",
    "DETECTORS": ".methods",
    "InputError": ".errors",
    "report": ".reporting",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name], __name__), name)
    if name[0].isupper():  # a detector; submodules are lower case and found by the import system
        methods = importlib.import_module(".methods", __name__)
        if hasattr(methods, name):
            return getattr(methods, name)
    raise AttributeError(f"module 'ganad' has no attribute {name!r}")


def __dir__() -> list[str]:
    methods = importlib.import_module(".methods", __name__)
    return sorted([*_HOMES, *methods.__all__, "__version__"])
