"""The papers' own figures, measured again: each laid out as in its paper, from rows or from a fit, by one command."""

from .drawing import FIGURES, chosen, named, write
from .entry import Asked, Drawing, Entry

__all__ = ["FIGURES", "Asked", "Drawing", "Entry", "chosen", "named", "write"]
