"""Training: the batches, the loop, requests to stop, and checkpoints."""

from .adam import Adam
from .checkpoint import Checkpoint, fingerprint
from .ranks import joined, ranks
from .run import Run, Step
from .stream import Stream, TrainingSet

__all__ = ["Adam", "Checkpoint", "Run", "Step", "Stream", "TrainingSet", "fingerprint", "joined", "ranks"]
