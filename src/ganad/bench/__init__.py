"""The papers' tables, measured again: recipes and suites, single trials, the grid of all trials, and printed tables."""

from .grid import run, tasks
from .own_data import OwnData
from .recipes import Recipe, Suite
from .rows import Task
from .suites import SUITES
from .tables import write
from .trial import trial

__all__ = ["SUITES", "OwnData", "Recipe", "Suite", "Task", "run", "tasks", "trial", "write"]
