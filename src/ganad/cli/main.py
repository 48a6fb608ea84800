"""The command line. torch is imported inside the commands, so that help is instant.

Exit codes: 0 done; 2 bad input or too little memory, with one line that says what; 3 done, but some inputs were
unreadable and are listed; 130 interrupted, with the checkpoint kept.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Annotated

import typer

from .. import registry
from .._version import __version__
from ..errors import InputError
from . import bench, curves, demo, export, figures, fit, history, recalibrate, score, serve, show, watch
from .options import reports_errors
from .stopping import stop


def build_app(arguments: list[str]) -> typer.Typer:
    """The command; the options of ``fit`` depend on the method that ``arguments`` choose."""
    app = typer.Typer(
        name="ganad",
        help="Anomaly detection with generative adversarial networks.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: rich takes longer to import than all the rest
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    place = place_of_command(arguments)
    name, rest = arguments[place : place + 1], arguments[place + 1 :]
    for command in (
        fit.fit_for(rest) if name == ["fit"] else fit.fit,
        score.score,
        export.export,
        serve.serve,
        watch.watch,
        history.history,
        recalibrate.recalibrate,
        bench.bench,
    ):
        app.command(no_args_is_help=True)(command)
    for command in (curves.curves, bench.tables, figures.figures, show.methods, show.datasets, show.doctor, demo.demo):
        app.command()(command)
    app.callback(invoke_without_command=True)(options)
    return app


def place_of_command(arguments: list[str]) -> int:
    """Where the command's name is: the first argument that is neither an option nor the value of one."""
    before = ["", *arguments]
    places = (i for i, text in enumerate(arguments) if not text.startswith("-") and before[i] != "--plugin")
    return next(places, len(arguments))


def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
    plugin: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="Import a module that defines detectors; repeatable.")
    ] = None,
) -> None:
    """Options of all commands; ``main`` has imported the plugins before it knew the options of ``fit``."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


@reports_errors
def run(arguments: list[str]) -> None:
    """The command with arguments; it ends with an exit code."""
    place = place_of_command(arguments)
    if any(text.partition("=")[0] == "--plugin" for text in arguments[place:]):
        raise InputError(f"--plugin: put it before the command, as in ganad --plugin MODULE {arguments[place]} ...")
    if plugins := fit.values_of("--plugin", arguments):  # in the environment, so that worker processes know them
        os.environ[registry.PLUGINS] = ",".join([*filter(None, [os.environ.get(registry.PLUGINS)]), *plugins])
    registry.targets()
    build_app(arguments)(args=arguments)


def main() -> None:
    """Entry point of the ``ganad`` command. It shows what the library logs, such as a fit to a part of the data."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("ganad").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, stop)
    try:
        run(sys.argv[1:])
    except typer.Exit as end:
        sys.exit(end.exit_code)
