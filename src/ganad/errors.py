"""Errors and warnings by type. Each message is one sentence that says what, where and what to do.

ValueError
└── InputError            data or a setting that cannot be used
    ├── ModelFileError    a model or checkpoint file that cannot be trusted
    └── NotSupported      a part that this method does not have; also an AttributeError
FloatingPointError
└── TrainingDiverged      a loss became NaN or infinite
ImportError
└── MissingExtra          an optional dependency is not installed
ConnectionError
└── HistoryUnavailable    a history's database cannot be reached; another try may go well
KeyboardInterrupt
└── Interrupted           the user stopped a fit

UserWarning
├── OtherVersion          a model file of another minor version
├── OtherScores           a model file whose searches end a little elsewhere than it says
└── UntrustedFit          a fit whose model should not be believed
"""

from __future__ import annotations

from typing import ClassVar

from .display import shown


class InputError(ValueError):
    """Data or a setting that cannot be used. Nothing was changed.

    The message is one line without control characters, because it may quote a file or name that somebody else chose.
    """

    LONGEST: ClassVar[int] = 2000  #: characters of a message; more are cut from its middle

    def __init__(self, message: str = "") -> None:
        super().__init__(shown(message, self.LONGEST))


class ModelFileError(InputError):
    """A model or checkpoint file that is incomplete, altered, in another format or of another model."""

    LONGEST: ClassVar[int] = 320


class NotSupported(InputError, AttributeError):
    """The method lacks this part: it does not reconstruct, encode or draw samples.

    It is an AttributeError so that ``hasattr(detector, "reconstruct")`` tells the truth.
    """


class TrainingDiverged(FloatingPointError):
    """A loss became NaN or infinite; the message names stage, epoch, player and term."""


class MissingExtra(ImportError):
    """An optional dependency is not installed; the message gives the command that installs it."""


class HistoryUnavailable(ConnectionError):
    """The database of a history cannot be reached, or is busy or full; another try may go well."""


class Interrupted(KeyboardInterrupt):
    """Training was stopped by the user; the message says where the checkpoint is, if there is one."""


class OtherVersion(UserWarning):
    """A model file was written by another minor version of ganad."""


class OtherScores(UserWarning):
    """A model that searches for its scores gives slightly other ones than its file says.

    Searches end elsewhere on another processor, so this is no error. A setting that was changed by hand shows alike.
    """


class UntrustedFit(UserWarning):
    """A fit found a reason not to trust its model. The message names it and what to try. See ``ganad.selftest``."""
