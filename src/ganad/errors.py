"""What can go wrong, by type: each message is one sentence that says what, where and what to do."""

from __future__ import annotations


class InputError(ValueError):
    """Data or a setting that cannot be used; nothing was changed."""


class ModelFileError(InputError):
    """A model or checkpoint file that is cut short, altered, of another format or of another model."""


class TrainingDiverged(FloatingPointError):
    """A loss became NaN or infinite; the message names stage, epoch, player and term."""


class MissingExtra(ImportError):
    """An optional dependency is not installed; the message gives the command that installs it."""


class Interrupted(KeyboardInterrupt):
    """Training was stopped by the user; the message says where the checkpoint is, if there is one."""
