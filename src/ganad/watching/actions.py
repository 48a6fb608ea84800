"""What happens to a file that was flagged: a command is run with its path, then it is moved."""

from __future__ import annotations

import filecmp
import logging
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ..atomic import replacing
from ..display import shown
from ..errors import InputError

_LOG = logging.getLogger("ganad")
_PATH = "{path}"


class Actions:
    """What to do with a flagged file.

    run: a command with ``{path}`` in it, which no shell reads. move: a folder, made if it is missing.

    Raises InputError for a command without ``{path}``, or of a program that is not there.
    """

    def __init__(self, move: Path | None = None, run: str | None = None):
        self.move = None if move is None else move.resolve()
        self.words = None if run is None else _words(run)
        if self.move is not None:
            self.move.mkdir(parents=True, exist_ok=True)

    def __bool__(self) -> bool:
        return self.move is not None or self.words is not None

    def __call__(self, path: Path, name: str) -> bool:
        """Act on the file ``path``, which is called ``name`` below its folder; False where it could not be moved.

        What fails is told in the log.
        """
        if self.words is not None:
            self._run([word.replace(_PATH, str(path)) for word in self.words])
        if self.move is not None:
            try:
                moved(path, self.move / name)
            except OSError as error:
                _LOG.warning("%s: not moved (%s)", shown(name, 500), shown(str(error), 300))
                return False
        return True

    def _run(self, command: list[str]) -> None:
        try:
            # what it prints goes to stderr: stdout holds a line a sample
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno())
        except OSError as error:
            _LOG.warning("%s: %s", shown(command[0]), shown(str(error), 300))
            return
        if done.returncode:
            _LOG.warning("%s ended with exit code %d", shown(shlex.join(command), 500), done.returncode)


def moved(path: Path, target: Path) -> Path:
    """Move a file, and return where it is: ``target``, or that name with a number where another file has it.

    A move between file systems that was cut off is finished by the next one. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    place, number = target, 1
    while place.exists() and not filecmp.cmp(path, place, shallow=False):
        number += 1
        place = target.with_name(f"{target.stem}-{number}{target.suffix}")
    if place.exists():  # the same content: a copy was made and the file not yet removed
        path.unlink()
        return place
    try:
        os.rename(path, place)
    except OSError:  # to another file system
        with replacing(place) as half:
            shutil.copy2(path, half)
        path.unlink()
    return place


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--run {command!r} cannot be read as a command ({error})") from error
    if not any(_PATH in word for word in words):
        raise InputError(f"--run {command!r}: put {_PATH} where the file's name goes, such as 'notify {_PATH}'")
    if shutil.which(words[0]) is None:
        raise InputError(f"--run {command!r}: there is no program {words[0]!r}")
    return words
