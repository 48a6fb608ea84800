"""``ganad watch``: score what lands in a folder or comes on standard input."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, cast

import typer

from ..display import shown
from ..errors import InputError
from .options import ModelFile, given, reports_errors

_OF_FOLDERS = {"--move", "--run", "--settle", "--once", "--poll"}

HistoryUrl = Annotated[
    str | None,
    typer.Option(
        "--history",
        metavar="URL",
        help="Where the verdicts are kept: a file, or postgresql://user@host/name. Default: beside the model.",
    ),
]
SpotChecks = Annotated[
    float,
    typer.Option(
        "--spot-checks", metavar="SHARE", help="Share of all samples, drawn at random, for a person to look at."
    ),
]


@reports_errors
def watch(
    context: typer.Context,
    model: ModelFile,
    source: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A folder, or - for JSON lines or CSV on standard input.")
    ],
    history: HistoryUrl = None,
    move: Annotated[Path | None, typer.Option(metavar="DIR", help="Move flagged files to this folder.")] = None,
    run: Annotated[
        str | None, typer.Option(metavar="'COMMAND {path}'", help="Run this for every flagged file, without a shell.")
    ] = None,
    spot_checks: SpotChecks = 0.02,
    settle: Annotated[
        float, typer.Option(metavar="SECONDS", help="A file is whole when it has not changed for so long.")
    ] = 0.5,
    once: Annotated[bool, typer.Option("--once", help="Score what is there, and end.")] = False,
    poll: Annotated[bool, typer.Option("--poll", help="Ask the folder for changes, as on a network drive.")] = False,
) -> None:
    """Score every sample as it comes: a line each with name, score, p-value and verdict, kept in a history.

    Ctrl-C or SIGTERM ends it. Started again it goes on in a folder where it was: nothing is scored twice or left out.
    Of standard input it first scores what it has read; lines that are on their way then may be lost.
    """
    if not 0 <= spot_checks <= 1:
        raise InputError(f"--spot-checks {spot_checks:g} must lie between 0 and 1; 0.01 is one sample in a hundred")
    if not 0 <= settle <= 3600:
        raise InputError(f"--settle {settle:g} must lie between 0 and 3600 seconds")
    is_stream = source == "-"
    if is_stream and (misplaced := sorted(given(context) & _OF_FOLDERS)):
        raise InputError(f"{misplaced[0]} is for a folder, not for standard input; leave it out")
    from ..history import History
    from ..loading import load_hashed
    from ..training.stop import stop_requests
    from ..watching.keeping import Stopped, patiently
    from ..watching.verdicts import record_of

    (detector, sha256), unreadable = load_hashed(model), 0
    record, url = record_of(detector, model.name, sha256), history or default_history(model)
    with stop_requests(True) as stop, suppress(Stopped), patiently(lambda: History(url), stop) as kept:
        patiently(lambda: kept.register(record), stop)
        if is_stream:
            from ..watching.stream import StreamWatcher

            stream = StreamWatcher(detector, sha256, kept, told=_tell, spot_checks=spot_checks)
            # detached, because Python closes its own standard input at the end, and crashes where a thread reads it
            pipe = cast("io.TextIOWrapper", sys.stdin).detach()
            stream.run(io.TextIOWrapper(pipe, "utf-8-sig", "backslashreplace", newline=""), stop)
            unreadable = stream.unreadable
        else:
            from ..watching.actions import Actions
            from ..watching.watcher import Watcher

            actions, folder = Actions(move, run), Path(source)
            watcher = Watcher(
                detector,
                sha256,
                folder,
                kept,
                told=_tell,
                actions=actions,
                spot_checks=spot_checks,
                settle=settle,
            )
            logging.getLogger("ganad").info(
                "watching %s; the history is %s", shown(source, 500), shown(kept.place, 500)
            )
            watcher.run(stop, once=once, poll=poll)
            unreadable = watcher.unreadable
    if unreadable and (once or is_stream) and not stop.is_set():
        raise typer.Exit(3)


def default_history(model: Path) -> str:
    """The file beside a model that keeps its history."""
    return str(model.with_name(f"{model.name}.history.db"))


def _tell(entry: object) -> None:
    from ..history import Entry

    assert isinstance(entry, Entry)
    p = "" if entry.p_value is None else f"{entry.p_value:.4g}"
    verdict = "anomaly" if entry.is_anomaly else "normal"
    typer.echo(f"{shown(entry.name, 500)}\t{entry.score:.6g}\t{p}\t{verdict}")
