"""The ganad command, with one file per command and the options that they share."""

from .main import main

__all__ = ["main"]
