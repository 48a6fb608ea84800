"""Photos of any size: views that turn them into regions, and a detector of regions that is a detector of photos."""

from .backbone import Backbone
from .regions import Regions
from .tiles import Tiles

__all__ = ["Backbone", "Regions", "Tiles"]
