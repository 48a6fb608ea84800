"""Photos of any size: views that turn them into regions, and a detector of regions that is a detector of photos."""

from .backbone import Backbone
from .found import Finding, Region
from .regions import Regions
from .tiles import Tiles

__all__ = ["Backbone", "Finding", "Region", "Regions", "Tiles"]
