"""The version, on its own so that every file can read it without importing the package."""

__version__ = "0.2.0"
