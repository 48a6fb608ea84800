"""Anomaly detection with generative adversarial networks: every method of the field behind one contract."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from . import registry
from ._version import __version__

if TYPE_CHECKING:
    from .detector import Detector as Detector
    from .detector import GenerativeDetector as GenerativeDetector
    from .detector import NetworkDetector as NetworkDetector
    from .errors import InputError as InputError
    from .errors import NotSupported as NotSupported
    from .loading import load as load
    from .methods import *
    from .methods import DETECTORS as DETECTORS
    from .reporting import report as report
else:
    #: Public names and where they live; torch is imported with the first one that needs it, not before.
    _HOMES = {
        "Detector": "detector",
        "GenerativeDetector": "detector",
        "NetworkDetector": "detector",
        "InputError": "errors",
        "NotSupported": "errors",
        "load": "loading",
        "DETECTORS": "methods",
        "report": "reporting",
    }

    def __getattr__(name):
        if name in _HOMES:
            return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        for target in registry.BUILT_IN.values():
            module, _, cls = target.partition(":")
            if cls == name:
                return getattr(importlib.import_module(module), cls)
        raise AttributeError(f"module 'ganad' has no attribute {name!r}")

    def __dir__():
        return sorted([*__all__, *globals()])
