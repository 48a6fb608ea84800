"""Photos of any size: views that turn photos into regions, and a detector of photos that uses a detector of regions."""

from .backbone import Backbone
from .regions import Regions
from .tiles import Tiles

__all__ = ["Backbone", "Regions", "Tiles"]
