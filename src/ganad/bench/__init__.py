"""The papers' tables, re-measured: what is in one, a row of it, all rows, and the page that prints them."""

from .grid import run
from .suites import SUITES, Recipe, Suite
from .tables import write
from .trial import trial

__all__ = ["SUITES", "Recipe", "Suite", "run", "trial", "write"]
