"""``ganad serve``: a model where other programs can ask it."""

from __future__ import annotations

import functools
import math
import signal
from typing import Annotated

import typer

from ..errors import InputError, MissingExtra
from .options import ModelFile, given, reports_errors, split
from .stopping import asked


@reports_errors
def serve(
    context: typer.Context,
    model: ModelFile,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine reaches the default.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Names of a proxy before the service, to answer to as well; repeatable."),
    ] = None,
    engine: Annotated[str, typer.Option(help="auto, onnx or torch.")] = "auto",
    max_mb: Annotated[float, typer.Option(help="Largest body of a request, in megabytes.")] = 32,
    history: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Keep what is scored, in a SQLite file or PostgreSQL, and show it on /board."),
    ] = None,
    spot_checks: Annotated[
        float,
        typer.Option(
            help="With --history: share of samples, drawn at random, that the board asks a person about.",
        ),
    ] = 0.02,
    workers: Annotated[int, typer.Option(min=1, help="Processes behind the port, each with the model.")] = 1,
) -> None:
    """Answer requests with scores, and show a page to drop files on; a model file that changes is reloaded."""
    from ..serve import Limits
    from ..serve import serve as run

    if engine not in ("auto", "onnx", "torch"):
        raise InputError(f"--engine {engine} is not one of auto, onnx, torch")
    if not 0 < max_mb <= 1e6:
        raise InputError(f"--max-mb must be between 0 and 1,000,000, not {max_mb:g}")
    if not 0 <= spot_checks <= 1:
        raise InputError(f"--spot-checks must be between 0 and 1, not {spot_checks:g}; it is a share of the samples")
    if history is None and "--spot-checks" in given(context):
        raise InputError("--spot-checks are kept in a history; give --history as well")
    size = math.ceil(max_mb * 2**20)
    limits = Limits(body_bytes=size, bodies_bytes=max(size, Limits.bodies_bytes))
    if history is not None and workers > 1:
        raise InputError("--history belongs to one process, which draws the board; leave out --workers")
    typer.echo(f"loading {model} ...", err=True)
    names = [name for text in allow_host or () for name in split(text)]
    how = dict(allow_hosts=names, history=history, spot_checks=spot_checks)
    one = functools.partial(run, model, host=host, port=port, engine=engine, limits=limits, **how)  # type: ignore[arg-type]

    def tell() -> None:
        if asked.is_set():  # and the interrupt was swallowed; now that the service listens it ends as it always does
            signal.raise_signal(signal.SIGTERM)
            return
        place = f"[{host}]" if ":" in host else host  # an IPv6 address
        typer.echo(f"serving {model} on http://{place}:{port}", err=True)

    if workers == 1:
        one(on_start=tell)
    else:
        try:
            from ..serve.processes import serve_in_processes
        except ImportError as error:
            raise MissingExtra("serving needs the extra serve: pip install 'ganad[serve]'") from error
        serve_in_processes(one, workers, host, port, tell)
