"""A self-contained HTML page about scores, from plain arrays. It knows neither detectors nor torch."""

from .contents import Codes, Contents, Images, Rival, Scored, Table
from .render import build, write
from .selection import shown

__all__ = ["Codes", "Contents", "Images", "Rival", "Scored", "Table", "build", "shown", "write"]
