"""How a fit goes: what it draws from, the one loop, requests to stop, and its progress on disk."""

from .checkpoint import Checkpoint, fingerprint
from .ranks import joined, ranks
from .run import Run, Step
from .stream import Stream, TrainingSet

__all__ = ["Checkpoint", "Run", "Step", "Stream", "TrainingSet", "fingerprint", "joined", "ranks"]
