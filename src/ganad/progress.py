"""Progress on stderr: a bar on a terminal, otherwise nothing."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A progress bar with a text at its end. It is silent unless stderr is a terminal."""

    def __init__(self, title: str, *, enabled: bool = True):
        self.title = title
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=Console(stderr=True),
            transient=True,
            disable=not (enabled and sys.stderr.isatty()),
        )
        self.task = self.progress.add_task(title, total=None, note="")

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def update(self, done: float, total: float, note: str | None = None, title: str | None = None) -> None:
        """Show ``done`` of ``total``."""
        if self.progress.disable:
            return
        self.progress.update(self.task, completed=int(done), total=int(total), description=title or self.title)
        if note is not None:
            self.progress.update(self.task, note=note)
