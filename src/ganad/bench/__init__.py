"""The papers' tables, re-measured: what is in one, a row of it, all rows, and the page that prints them."""

from .grid import run
from .own import OwnData
from .suites import SUITES, Recipe, Suite
from .tables import write
from .trial import trial

__all__ = ["SUITES", "OwnData", "Recipe", "Suite", "run", "trial", "write"]
