"""Past one machine: trials, parts to score and fits on a Ray cluster. Nothing else in the package imports Ray."""

from .cluster import Cluster
from .deployment import deployment
from .scoring import score

__all__ = ["Cluster", "deployment", "score"]
