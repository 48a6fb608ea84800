"""``ganad fit --engine ray``: the same command, given to the workers of a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from ..errors import Interrupted

_HERE = ("--engine", "--workers", "--address", "--gpus-per-worker")  # options that the workers do not get


def fit(cluster: Any, checkpoint: Path) -> None:
    """Give the same command to the workers of a cluster, and say what the first of them said."""
    from ..scale import fitting

    try:
        ended = fitting.fit(without(_HERE, sys.argv[1:]), checkpoint, cluster)
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; if {checkpoint} is there, the same command with --resume goes on") from stop
    typer.echo(ended.err, err=True, nl=False)
    typer.echo(ended.out, nl=False)
    if ended.code:
        raise typer.Exit(ended.code)


def without(options: tuple[str, ...], arguments: list[str]) -> list[str]:
    """Arguments without these options and their values."""
    kept: list[str] = []
    skip = False
    for token in arguments:
        if not skip and token.partition("=")[0] not in options:
            kept.append(token)
        skip = not skip and token in options
    return kept
