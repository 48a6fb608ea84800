"""Checkpoints of a fit: a folder with the end of every finished run and the latest state of the current one."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from torch import Tensor

from .. import files
from ..arrays import rows_of
from ..atomic import locked
from ..display import shown
from ..errors import InputError, ModelFileError
from .ranks import ranks

_HASHED_ROWS = 4096
_CURRENT = "current.safetensors"
_LOG = logging.getLogger("ganad")

State = tuple[dict[str, Tensor], dict[str, Any]]


class Checkpoint:
    """The folder in which a fit keeps its progress.

    A method's ``train`` may make several runs with computations between them. The state at the end of each finished run
    is kept. So a resumed fit replays ``train`` from the start, skips finished runs and ends in the same bits as a fit
    without interruption. Of several processes that fit together the first one writes, and all read.
    """

    def __init__(self, folder: str | Path, fingerprint: str, *, every: float = 60.0, resume: bool = False):
        self.folder, self.fingerprint, self.every = Path(folder), fingerprint, every
        self.saved_at = time.monotonic()
        self.failure = ""  #: why the last save failed
        self.leads, self.resume = ranks().leads, resume
        self._hold = contextlib.ExitStack()
        if not self.leads:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        busy = f"{self.folder}: another process uses this checkpoint; wait for it or name another folder"
        self._hold.enter_context(locked(self._lock, busy))
        files.remove_leftovers(self.folder)
        if not resume:
            self.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Release the folder for other processes."""
        self._hold.close()

    def due(self) -> bool:
        """Whether ``every`` seconds have passed since the last save."""
        return self.leads and time.monotonic() - self.saved_at >= self.every

    def save(self, run: int, state: State, *, finished: bool) -> bool:
        """Write the state and return whether that worked. If not, training goes on and one log line says so."""
        if not self.leads:
            return True
        tensors, header = state
        path = self._finished(run) if finished else self._current
        self.saved_at = time.monotonic()
        try:
            files.write(path, "checkpoint", tensors, header | {"run": run, "fingerprint": self.fingerprint})
        except OSError as error:
            if not self.failure:
                _LOG.warning("the checkpoint cannot be written (%s); training goes on and tries again", error)
            self.failure = str(error)
            return False
        self.failure = ""
        return True

    def load(self, run: int) -> tuple[State, bool] | None:
        """The state of run number ``run`` and whether it is finished; None if there is none."""
        if not (self.leads or self.resume):  # what is there is not yet cleared
            return None
        for path, finished in ((self._finished(run), True), (self._current, False)):
            if path.exists():
                tensors, header = files.read(path, "checkpoint")
                if header.get("fingerprint") != self.fingerprint:
                    raise InputError(
                        f"{self.folder}: this checkpoint is of other data, settings or versions; "
                        "fit without resume to start over"
                    )
                if header.get("run") == run:
                    return (tensors, header), finished
        return None

    def refusal(self, error: Exception) -> ModelFileError:
        """What is raised for a file that is whole, of this fit by its own word, and not a state of it."""
        reason = shown((str(error).strip() or type(error).__name__).splitlines()[0], 120)
        return ModelFileError(
            f"{self.folder}: what this checkpoint holds does not fit together ({reason}); fit without "
            "resume to start over"
        )

    def clear(self) -> None:
        """Delete the checkpoint's files."""
        for path in _states(self.folder):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the checkpoint of a finished fit and release the folder."""
        self.clear()
        self.__exit__()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    @staticmethod
    def is_kept(folder: str | Path) -> bool:
        """Whether ``folder`` keeps the progress of an interrupted fit."""
        return any(path.exists() for path in _states(Path(folder)))

    @classmethod
    def remove_folder(cls, folder: str | Path) -> None:
        """Delete the checkpoint of a finished fit in ``folder``, if there is one."""
        if Path(folder).is_dir():
            cls(folder, "", resume=True).remove()

    @property
    def _lock(self) -> Path:
        return self.folder / ".lock"

    @property
    def _current(self) -> Path:
        return self.folder / _CURRENT

    def _finished(self, run: int) -> Path:
        return self.folder / f"run-{run}.safetensors"


def _states(folder: Path) -> list[Path]:
    """The files of states in a checkpoint's folder, and that of the current run whether it is there or not."""
    return [*folder.glob("run-*.safetensors"), folder / _CURRENT]


def fingerprint(detector: Any, x: np.ndarray) -> str:
    """SHA-256 of all that a resumed fit must share with the interrupted one: class, settings, versions, data.

    Of a large array, 4,096 evenly spread rows are hashed.
    """
    rows = x if len(x) <= _HASHED_ROWS else rows_of(x, np.linspace(0, len(x) - 1, _HASHED_ROWS).astype(int))
    settings = {k: v for k, v in detector.get_params().items() if k.rpartition("__")[2] != "verbose"}
    words = json.dumps([type(detector).__name__, settings, files.versions(), x.shape, str(x.dtype)], default=_in_words)
    return hashlib.sha256(words.encode() + np.ascontiguousarray(rows).tobytes()).hexdigest()


def _in_words(value: Any) -> str:
    """A setting that JSON does not know. A RandomState's own text is the same whatever it would draw next."""
    if isinstance(value, np.random.RandomState):
        return str([part.tolist() if isinstance(part, np.ndarray) else part for part in value.get_state()])
    return str(value)
