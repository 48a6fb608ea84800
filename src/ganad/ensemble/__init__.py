"""Detectors that are made of other detectors."""

from .combined import Combined
from .ensemble import Ensemble

__all__ = ["Combined", "Ensemble"]
