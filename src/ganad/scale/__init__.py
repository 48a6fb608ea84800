"""Past one machine: trials, parts to score and fits on a Ray cluster. Nothing else in the package imports Ray."""

from .cluster import Cluster

__all__ = ["Cluster"]
