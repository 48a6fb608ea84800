"""A self-contained HTML page about scores, from plain arrays. It knows neither detectors nor torch."""

from .contents import Codes, Contents, Images, Rival, Scored, Table
from .pictures import reduced
from .render import build, write
from .selection import shown

__all__ = ["Codes", "Contents", "Images", "Rival", "Scored", "Table", "build", "reduced", "shown", "write"]
