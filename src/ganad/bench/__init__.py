"""The papers' tables, measured again: what is in one, a row of it, all rows, and the page that prints them."""

from .grid import run, tasks
from .own_data import OwnData
from .recipes import Recipe, Suite
from .rows import Task
from .suites import SUITES
from .tables import write
from .trial import trial

__all__ = ["SUITES", "OwnData", "Recipe", "Suite", "Task", "run", "tasks", "trial", "write"]
