"""SIGTERM as Ctrl-C."""

from __future__ import annotations

import threading
from typing import Any

asked = threading.Event()  #: set for good: Python swallows what is raised within some callbacks, while torch loads too


def stop(*_: Any) -> None:
    """The handler; by itself SIGTERM ends the process where it stands, and leaves temporary files."""
    asked.set()
    raise KeyboardInterrupt
