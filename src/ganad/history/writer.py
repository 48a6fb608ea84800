"""A thread that keeps entries and waits for a database that is away, so that nobody else has to."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from typing import Protocol, Self

from ..display import shown
from ..errors import HistoryUnavailable
from .entries import Entry

_LOG = logging.getLogger("ganad")


class _Keeps(Protocol):
    def add(self, entries: Iterable[Entry]) -> None: ...


class Writer:
    """Keeps entries in a history, in the order in which they came; ``put`` returns at once.

    At most ``waiting`` entries wait for the database. What comes while so many wait is dropped, counted in ``dropped``
    and told in the log: a service goes on answering, and nobody believes that the history is whole. While the
    database is away the thread tries again, after ``first`` seconds and then after twice as long each time, up to
    ``longest``. An entry's key makes a second try safe: what the first one kept after all is not kept twice.

    batch: entries kept in one transaction.
    """

    def __init__(
        self, history: _Keeps, *, waiting: int = 10_000, batch: int = 500, first: float = 0.1, longest: float = 10.0
    ):
        self.history, self.waiting, self.batch, self.first, self.longest = history, waiting, batch, first, longest
        self.dropped = 0  #: entries that were given up
        self.problem: str | None = None  #: why the database cannot be reached; None while it can
        self._queue: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def behind(self) -> int:
        """Entries that are not kept yet."""
        return len(self._queue)

    def put(self, entries: Iterable[Entry]) -> None:
        """Have entries kept; those for which there is no place are dropped and counted."""
        new = list(entries)
        with self._changed:
            room = 0 if self._closed else max(0, self.waiting - len(self._queue))
            self._queue.extend(new[:room])
            lost = len(new) - min(room, len(new))
            if lost and not self.dropped:
                _LOG.warning("the history falls behind: %d entries wait, and what comes now is dropped", self.behind)
            self.dropped += lost
            self._changed.notify()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything is kept, for ``timeout`` seconds at most; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout)

    def close(self, timeout: float = 10.0) -> None:
        """Keep what waits, for ``timeout`` seconds at most; what is left then is dropped, counted and told."""
        self.flush(timeout)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        if self._queue:
            _LOG.warning("the history could not take %d entries, which are lost (%s)", len(self._queue), self.problem)
            self.dropped += len(self._queue)
            self._queue.clear()

    def _work(self) -> None:
        pause = self.first
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                some = [self._queue[i] for i in range(min(self.batch, len(self._queue)))]
            if self._kept(some):
                pause = self.first
                continue
            with self._changed:  # entries that arrive do not shorten the pause
                self._changed.wait_for(lambda: self._closed, pause)
            pause = min(2 * pause, self.longest)

    def _kept(self, some: list[Entry]) -> bool:
        """Try to keep these first entries of the queue; whether the next ones have their turn."""
        try:
            self.history.add(some)
        except HistoryUnavailable as error:
            if self.problem is None:
                _LOG.warning("%s; entries wait for it", error)
            self.problem = str(error)
            return False
        except Exception as error:  # no second try would go better, and the entries behind these must not wait for ever
            _LOG.warning("%d entries are lost: the history does not take them (%s)", len(some), shown(str(error), 300))
            self.dropped += len(some)
        with self._changed:
            for _ in some:
                self._queue.popleft()
            if self.problem is not None:
                _LOG.warning("the history is back")
                self.problem = None
            self._changed.notify_all()
        return True
