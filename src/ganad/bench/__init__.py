"""The papers' tables, measured again: recipes and suites, single trials, the grid of all trials, and printed tables."""

from .grid import missing, run, tasks, together, without_data
from .own_data import OwnData
from .recipes import Recipe, Suite
from .rows import Task
from .suites import KINDS, SUITES
from .tables import write
from .trial import trial

__all__ = [
    "KINDS",
    "SUITES",
    "OwnData",
    "Recipe",
    "Suite",
    "Task",
    "missing",
    "run",
    "tasks",
    "together",
    "trial",
    "without_data",
    "write",
]
