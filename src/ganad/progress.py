"""Progress on stderr: a bar on a terminal, otherwise a line every half minute."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY = 30.0  #: seconds to the first line where there is no terminal, and from one to the next


class Bar:
    """A progress bar with a text at its end; lines without a terminal. It is silent unless it is ``enabled``.

    follows: what is told by ``passed`` while the bar is shown moves it.
    """

    def __init__(self, title: str, *, enabled: bool = True, follows: bool = False):
        self.title, self.note, self.follows = title, "", follows
        self.progress = drawn() if enabled and sys.stderr.isatty() else None
        self.in_lines = enabled and self.progress is None
        self.lines: _Lines | None = None
        self._held = contextlib.ExitStack()
        if self.progress:
            self.task = self.progress.add_task(title, total=None, note="")

    def __enter__(self) -> Bar:
        if self.progress:
            self.progress.start()
        if self.in_lines:
            self.lines = self._held.enter_context(one_clock())
            self.lines.show(self.title)
        if self.follows:
            self._held.callback(_FOLLOWING.reset, _FOLLOWING.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress:
            self.progress.stop()
        self.lines = None
        self._held.close()

    def update(self, done: float, total: float, note: str | None = None, title: str | None = None) -> None:
        """Show ``done`` of ``total``."""
        self.note = self.note if note is None else note
        if self.lines:
            self.lines.show(title or self.title, int(done), int(total), self.note)
        if self.progress:
            self.progress.update(
                self.task, completed=int(done), total=int(total), description=title or self.title, note=self.note
            )


def passed(done: int, total: int) -> None:
    """Tell the bar that follows, if one does, that ``done`` of ``total`` samples have been looked at."""
    bar = _FOLLOWING.get()
    if bar is not None:
        bar.update(done, total)


@contextlib.contextmanager
def one_clock() -> Iterator[_Lines]:
    """Bars in this context are one piece of work, whose lines may speak though each bar is a short one."""
    outer = _CLOCK.get()
    if outer is not None:
        yield outer
        return
    lines = _Lines()
    token = _CLOCK.set(lines)
    try:
        yield lines
    finally:
        _CLOCK.reset(token)
        lines.end()


class _Lines:
    """What the latest bar has to show, as a line now and then. A thread writes it, for some steps report nothing."""

    def __init__(self) -> None:
        self.latest: tuple[str, int, int, str] = ("", 0, 0, "")
        self.began = time.monotonic()
        self.over = threading.Event()
        self.thread: threading.Thread | None = None

    def show(self, title: str, done: int = 0, total: int = 0, note: str = "") -> None:
        self.latest = (title, done, total, note)
        if self.thread is None:
            self.thread = threading.Thread(target=self._tell, name="ganad progress", daemon=True)
            self.thread.start()

    def end(self) -> None:
        self.over.set()
        if self.thread is not None:
            self.thread.join()

    def words(self) -> str:
        title, done, total, note = self.latest
        share = f"{done:,} of {total:,} ({100 * done // total} %)" if total else ""
        parts = ", ".join(filter(None, (share, note, f"{time.monotonic() - self.began:.0f} s so far")))
        return f"ganad: {title}: {parts}"

    def _tell(self) -> None:
        while not self.over.wait(EVERY):
            with contextlib.suppress(OSError, ValueError):  # stderr may be closed, or its reader gone
                sys.stderr.write(f"{self.words()}\n")
                sys.stderr.flush()


_CLOCK: ContextVar[_Lines | None] = ContextVar("clock", default=None)
_FOLLOWING: ContextVar[Bar | None] = ContextVar("following", default=None)


def drawn() -> Progress:
    """The bar of a terminal; rich is imported for one, and not for every program that imports a detector."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
