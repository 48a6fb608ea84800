"""The papers' tables, re-measured: ``suites`` says what is in a table, ``trial`` makes one row, ``grid`` all, ``tables``
prints them beside what was published."""

from .grid import run
from .suites import SUITES, Recipe, Suite
from .trial import trial

__all__ = ["SUITES", "Recipe", "Suite", "run", "trial"]
