"""The base classes of all methods: settings, fit, scores, thresholds and model files."""

from ..migrations import Change, upgraded
from .base import Detector
from .fitting import Fit, RunEnd
from .input import InputSpec
from .network import Batches, BidirectionalDetector, GenerativeDetector, NetworkDetector, Updates, copies
from .scaling import Scaling
from .scoring import frozen

__all__ = [
    "Batches",
    "BidirectionalDetector",
    "Change",
    "Detector",
    "Fit",
    "GenerativeDetector",
    "InputSpec",
    "NetworkDetector",
    "RunEnd",
    "Scaling",
    "Updates",
    "copies",
    "frozen",
    "upgraded",
]
