"""Training: the batches, the loop, requests to stop, and checkpoints."""

from .checkpoint import Checkpoint, fingerprint
from .ranks import joined, ranks
from .run import Run, Step
from .stream import Stream, TrainingSet

__all__ = ["Checkpoint", "Run", "Step", "Stream", "TrainingSet", "fingerprint", "joined", "ranks"]
