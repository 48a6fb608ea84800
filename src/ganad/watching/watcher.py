"""Score what lands in a folder, keep the verdicts, then act on what was flagged.

In this order a killed watch loses nothing and keeps nothing twice: the entries of a file and the note that it is done
are one transaction, and a flagged file that was not acted on by then is acted on after the next start. So a command may
be run twice for a file, if the process was killed while it ran. A table that grew is acted on again where other rows of
it are flagged.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..data import Samples
from ..detector import Detector
from ..display import shown
from ..errors import InputError, MissingExtra
from ..history import Entry, FileRecord
from .actions import Actions
from .arrivals import Arrival, Arrivals
from .keeping import Stopped, patiently
from .reading import Reader, is_open_ended
from .verdicts import Verdicts

if TYPE_CHECKING:
    from ..history import History

_LOG = logging.getLogger("ganad")
_BATCH = 64  # pictures read, scored and kept together
_LOOK = 100  # milliseconds between two looks at files that are being written
_RESCAN = 60.0  # seconds after which the whole folder is looked at, for events that were lost

T = TypeVar("T")


class Watcher:
    """Scores the files that land in ``folder``.

    model: SHA-256 of the detector's file. told: gets every entry once it is kept. spot_checks: the share of samples
    that a person should look at. settle, patience: see ``Arrivals``. unreadable: files that could not be read.

    Raises InputError for a folder that is not there and a model that does not know how to read files.
    """

    def __init__(
        self,
        detector: Detector,
        model: str,
        folder: Path,
        history: History,
        *,
        told: Callable[[Entry], object] = lambda entry: None,
        actions: Actions | None = None,
        spot_checks: float = 0.0,
        settle: float = 0.5,
        patience: float = 10.0,
    ):
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder to watch")
        self.detector, self.model, self.history, self.told = detector, model, history, told
        self.actions = actions or Actions()
        if self.actions.move and folder.resolve().is_relative_to(self.actions.move):  # what lies there is left alone
            raise InputError(
                f"{folder}: flagged files cannot be moved to the folder that is watched or one above it; name another"
            )
        self.reader = Reader(detector)
        self.verdicts = Verdicts(detector, model, spot_checks)
        self.arrivals = Arrivals(
            folder, self.reader.suffixes, without=self.actions.move, settle=settle, patience=patience
        )
        self.unreadable = 0
        self._stop = threading.Event()

    @functools.cached_property
    def _lineage(self) -> list[str]:
        """The models whose files need not be scored again."""
        return self._ask(lambda: self.history.lineage(self.model, getattr(self.detector, "parent_", None)))

    def run(self, stop: threading.Event, *, once: bool = False, poll: bool = False) -> None:
        """Score what is there and what lands until ``stop`` is set, or until all that is there is done (``once``).

        poll: ask the folder again and again, where the system tells of no changes, as on a network drive.
        Raises MissingExtra without the extra ``watch``.
        """
        self._stop = stop
        try:
            for paths in self._wakes(once, poll):
                for path in paths:
                    self.arrivals.notice(path)
                while not stop.is_set() and (ready := self.arrivals.ready(_BATCH)):
                    self._take(ready)
                if stop.is_set() or (once and not self.arrivals.waiting):
                    return
        except Stopped:
            return

    def _wakes(self, once: bool, poll: bool) -> Iterator[Iterable[Path]]:
        """Paths that changed, again and again; empty ones when only time has passed."""
        self.arrivals.scan()
        yield ()
        if once:
            while not self._stop.wait(_LOOK / 1000):
                yield ()
            return
        scanned = -math.inf  # once more after the watch has begun: nothing may land between the two
        for paths in _changes(self.arrivals.folder, self._stop, poll):
            if time.monotonic() - scanned > _RESCAN:
                self.arrivals.scan()
                scanned = time.monotonic()
            yield paths

    def _take(self, ready: list[Arrival]) -> None:
        """Score these files, unless they were scored before a restart."""
        known = self._ask(lambda: self.history.finished([a.key for a in ready], self._lineage))
        for arrival in [a for a in ready if a.key in known]:
            self._act(arrival, known[arrival.key])
        new = [a for a in ready if a.key not in known]
        if self.reader.is_table:
            for arrival in new:
                self._take_table(arrival)
        else:
            self._take_pictures(new)

    def _take_pictures(self, arrivals: list[Arrival]) -> None:
        good, pictures = [], []
        for arrival in arrivals:
            try:
                pictures.append(self.reader.picture(arrival.path, self.arrivals.folder))
                good.append(arrival)
            except InputError as error:
                self._cannot_read(arrival, str(error))
        if not good:
            return
        scored = list(self._scored(good, pictures))
        records = [self._record(arrival, flagged=entry.is_anomaly) for arrival, entry in scored]
        self._keep([entry for _, entry in scored], records)
        for (arrival, _), record in zip(scored, records):
            self._act(arrival, record)

    def _scored(self, arrivals: list[Arrival], pictures: list[np.ndarray]) -> Iterator[tuple[Arrival, Entry]]:
        """The files with their entries; those that the model does not take, as one smaller than its crop, are told."""
        x = np.stack(pictures) if len({p.shape for p in pictures}) == 1 else pictures
        names, keys = [a.name for a in arrivals], [a.key for a in arrivals]
        try:
            entries = self.verdicts.entries(x, names, self.detector.anomaly_score(x), keys)
        except InputError as error:
            if len(arrivals) == 1:
                self._cannot_read(arrivals[0], str(error))
                return
            for arrival, picture in zip(arrivals, pictures):  # one of them is bad: find out which
                yield from self._scored([arrival], [picture])
        else:
            yield from zip(arrivals, entries)

    def _take_table(self, arrival: Arrival) -> None:
        flagged = ""
        try:
            for samples in self._rows(arrival):
                for key in self._take_rows(arrival, samples):
                    flagged = _hash((flagged + key).encode())
                if self._stop.is_set():
                    return
        except _Unreadable as error:
            self._cannot_read(arrival, str(error), flagged)
            return
        self._finish(arrival, flagged)

    def _rows(self, arrival: Arrival) -> Iterator[Samples]:
        """The rows of a table, some at a time. Raises _Unreadable."""
        with _reading(arrival):
            if arrival.patient and is_open_ended(arrival.path):
                raise InputError("its last line has no end")
            yield from self.reader.table(arrival.path)

    def _take_rows(self, arrival: Arrival, samples: Samples) -> list[str]:
        """Keep the rows that are new, as all are unless the file has grown or we were killed; keys of all flagged ones.

        A row's key is a hash of the file's path, its number and its values. Raises _Unreadable.
        """
        numbers = samples.names or []
        keys = [_row_key(arrival.path, number, row) for number, row in zip(numbers, samples.x)]
        seen = self._ask(lambda: self.history.seen(keys, self._lineage))
        new = np.array([i for i, key in enumerate(keys) if key not in seen], int)
        if not len(new):
            return [key for key in keys if seen[key]]
        names = [f"{arrival.name} row {numbers[i]}" for i in new]
        with _reading(arrival):
            scores = self.detector.anomaly_score(samples)[new]
            entries = self.verdicts.entries(samples.x[new], names, scores, [keys[i] for i in new])
        self._keep(entries, [])
        verdicts = seen | {entry.key: entry.is_anomaly for entry in entries}
        return [key for key in keys if verdicts[key]]

    def _cannot_read(self, arrival: Arrival, problem: str, flagged: str = "") -> None:
        """Come back to the file if somebody may be writing it; else say so, once, and note it."""
        if arrival.patient:
            self.arrivals.later(arrival)
            return
        if not arrival.path.exists():
            return
        self.unreadable += 1
        _LOG.warning("%s: cannot be read: %s", shown(arrival.name, 500), shown(problem, 500))
        self._finish(arrival, flagged, problem)

    def _finish(self, arrival: Arrival, flagged: str, problem: str | None = None) -> None:
        """Note that a file is done or cannot be read, and act on it, unless that was done for the same flagged rows.

        flagged: a hash of the keys of a table's flagged rows, empty without one. A file that was moved is acted on
        whenever it is there again.
        """
        again = not self.actions.move and flagged in self._ask(lambda: self.history.finished([flagged], self._lineage))
        record = self._record(arrival, flagged=bool(flagged), problem=problem, acted=again)
        self._keep([], [record])
        if self._act(arrival, record):
            self._keep([], [dataclasses.replace(record, key=flagged, acted=True)])

    def _record(
        self, arrival: Arrival, *, flagged: bool, problem: str | None = None, acted: bool = False
    ) -> FileRecord:
        return FileRecord(
            key=arrival.key,
            name=arrival.name,
            model=self.model,
            seen_at=time.time(),
            flagged=flagged,
            problem=problem,
            acted=acted,
        )

    def _keep(self, entries: list[Entry], records: list[FileRecord]) -> None:
        self._ask(lambda: self.history.add(entries, records))
        for entry in entries:
            self.told(entry)

    def _act(self, arrival: Arrival, record: FileRecord) -> bool:
        """Do what is to be done with a file that is in the history, once; whether it was done now."""
        due = record.flagged and not record.acted and bool(self.actions)
        acted = due and self.actions(arrival.path, arrival.name)
        if acted:
            self._ask(lambda: self.history.acted(record))
        self.arrivals.done(arrival)
        return acted

    def _ask(self, call: Callable[[], T]) -> T:
        return patiently(call, self._stop)


class _Unreadable(Exception):
    """A table cannot be read or scored. What else fails, such as the output, is no fault of the file."""


@contextlib.contextmanager
def _reading(arrival: Arrival) -> Iterator[None]:
    """Within: what the file is to blame for is raised as _Unreadable."""
    try:
        yield
    except (InputError, OSError) as error:
        raise _Unreadable(str(error).replace(str(arrival.path), arrival.name)) from error


def _row_key(path: Path, number: str, row: np.ndarray) -> str:
    return _hash(f"{path}\0{number}\0".encode("utf-8", "surrogateescape") + row.tobytes())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:40]


def _changes(folder: Path, stop: threading.Event, poll: bool) -> Iterator[Iterable[Path]]:
    try:
        import watchfiles
    except ImportError as error:
        raise MissingExtra("watching a folder needs the extra watch: pip install 'ganad[watch]'") from error
    found = watchfiles.watch(
        folder,
        watch_filter=None,
        step=20,
        debounce=_LOOK,
        rust_timeout=_LOOK,
        yield_on_timeout=True,
        stop_event=stop,
        force_polling=poll or None,
        ignore_permission_denied=True,
    )
    for changes in found:
        yield [Path(path) for _, path in changes]
