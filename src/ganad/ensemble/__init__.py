"""Detectors that are made of other detectors."""

from .auto import Auto
from .combined import Combined
from .ensemble import Ensemble
from .snapshots import Snapshots

__all__ = ["Auto", "Combined", "Ensemble", "Snapshots"]
