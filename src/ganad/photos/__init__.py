"""Photos of any size: views that turn photos into regions, and a detector of photos that uses a detector of regions."""

from .backbone import Backbone
from .found import Finding, Region
from .regions import Regions
from .tiles import Tiles

__all__ = ["Backbone", "Finding", "Region", "Regions", "Tiles"]
