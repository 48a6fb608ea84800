"""Progress on stderr: a bar on a terminal, otherwise nothing."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """A progress bar with a text at its end. It is silent unless stderr is a terminal."""

    def __init__(self, title: str, *, enabled: bool = True):
        self.title = title
        self.progress = drawn() if enabled and sys.stderr.isatty() else None
        if self.progress:
            self.task = self.progress.add_task(title, total=None, note="")

    def __enter__(self) -> Bar:
        if self.progress:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress:
            self.progress.stop()

    def update(self, done: float, total: float, note: str | None = None, title: str | None = None) -> None:
        """Show ``done`` of ``total``."""
        if not self.progress:
            return
        self.progress.update(self.task, completed=int(done), total=int(total), description=title or self.title)
        if note is not None:
            self.progress.update(self.task, note=note)


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
