"""Files that land below a folder: which are new, and which are whole."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class State(NamedTuple):
    """What changes while a file is written."""

    size: int
    modified: int  #: nanoseconds since 1970-01-01 UTC


@dataclass(frozen=True)
class Arrival:
    """A file that nobody seems to write any more."""

    path: Path  #: absolute
    name: str  #: below the folder
    state: State
    patient: bool  #: whether to come back to it if it cannot be read, for a slow writer may be at it

    @property
    def key(self) -> str:
        """What is unique to this content of this file: a hash of path, size and time."""
        words = f"\0{self.state.size}\0{self.state.modified}"
        return hashlib.sha256(os.fsencode(self.path) + words.encode()).hexdigest()[:40]


@dataclass
class _Waiting:
    state: State
    since: float  # when it was first seen in this state, by the monotonic clock
    next_look: float = 0.0
    pause: float = 0.0


class Arrivals:
    """The files below ``folder`` whose endings are among ``suffixes``, each until it is ``done`` in its present state.

    A file is taken for whole when its size and time have been the same for ``settle`` seconds. One that cannot be read
    then is looked at again, until they have been the same for ``patience`` seconds: a slow writer pauses. Hidden files,
    which programs write and then rename, and what lies below ``without`` are left alone; links to folders are not
    followed.
    """

    def __init__(
        self,
        folder: Path,
        suffixes: Collection[str],
        *,
        without: Path | None = None,
        settle: float = 0.5,
        patience: float = 10.0,
    ):
        self.folder, self.suffixes, self.without = folder.resolve(), suffixes, without
        self.settle, self.patience = settle, patience
        self._waiting: dict[Path, _Waiting] = {}
        self._done: dict[Path, State] = {}

    @property
    def waiting(self) -> int:
        """Files that are seen and not done."""
        return len(self._waiting)

    def scan(self) -> None:
        """Look at everything below the folder, for what was there before, and for events that a system lost."""
        self.notice(self.folder)
        for path in [p for p in self._done if not os.path.lexists(p)]:
            del self._done[path]

    def notice(self, path: Path) -> None:
        """A file may be new or changed, or a folder new: files that landed in it at once may have made no event."""
        if path.is_dir() and not path.is_symlink():
            for file in self._files(path):
                self.notice(file)
            return
        if not self._concerns(path):
            return
        state = _state(path)
        if state is None or self._done.get(path) == state:
            return
        known = self._waiting.get(path)
        if known is None or known.state != state:
            self._waiting[path] = _Waiting(state, time.monotonic())

    def ready(self, most: int) -> list[Arrival]:
        """Up to ``most`` files that seem to be whole, those that wait longest first."""
        found: list[Arrival] = []
        now, clock = time.monotonic(), time.time_ns()
        for path in list(self._waiting):
            if len(found) == most:
                break
            if _state(path) is None:
                del self._waiting[path]
                continue
            self.notice(path)
            known = self._waiting[path]
            # one that was written long ago need not be watched
            age = max(now - known.since, (clock - known.state.modified) / 1e9)
            if age >= self.settle and now >= known.next_look:
                name = path.relative_to(self.folder).as_posix()
                found.append(Arrival(path, name, known.state, patient=age < self.patience))
        return found

    def done(self, arrival: Arrival) -> None:
        """Leave the file alone from now on, unless it changes."""
        self._done[arrival.path] = arrival.state
        known = self._waiting.get(arrival.path)
        if known and known.state == arrival.state:
            del self._waiting[arrival.path]

    def later(self, arrival: Arrival) -> None:
        """Come back to the file, each time after twice as long."""
        known = self._waiting.get(arrival.path)
        if known:
            known.pause = 2 * known.pause or self.settle
            known.next_look = time.monotonic() + known.pause

    def _files(self, top: Path) -> Iterator[Path]:
        for folder, subfolders, names in os.walk(top):
            subfolders[:] = [d for d in subfolders if not d.startswith(".") and Path(folder, d) != self.without]
            yield from (Path(folder, name) for name in sorted(names))

    def _concerns(self, path: Path) -> bool:
        try:
            parts = path.relative_to(self.folder).parts
        except ValueError:
            return False
        if self.without is not None and path.is_relative_to(self.without):
            return False
        endings = {path.suffix.lower(), "".join(path.suffixes[-2:]).lower()}  # such as .csv.gz
        return not any(part.startswith(".") for part in parts) and not endings.isdisjoint(self.suffixes)


def _state(path: Path) -> State | None:
    """None for what is gone or a folder."""
    try:
        found = path.stat()
    except OSError:
        return None
    if stat.S_ISDIR(found.st_mode):
        return None
    return State(found.st_size, found.st_mtime_ns)
