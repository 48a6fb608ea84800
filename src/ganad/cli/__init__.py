"""The ganad command: a file a command, and the options that they share."""

from .main import main

__all__ = ["main"]
