"""The command line. torch is imported inside the commands, so that help is instant.

Exit codes: 0 done; 2 bad input, with one line that says what; 3 done, but some inputs were unreadable and are
listed; 130 interrupted, with the checkpoint kept.
"""

from __future__ import annotations

import logging
import os
from typing import Annotated

import typer

from .. import registry
from .._version import __version__
from . import bench, demo, fit, score, service, show
from .options import reports_errors

app = typer.Typer(
    name="ganad",
    help="Anomaly detection with generative adversarial networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=fit.FitCommand, no_args_is_help=True)(fit.fit)
for command in (score.score, service.export, service.serve, bench.bench):
    app.command(no_args_is_help=True)(command)
for command in (bench.tables, show.methods, show.datasets, show.doctor, demo.demo):
    app.command()(command)


@app.callback(invoke_without_command=True)
@reports_errors
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
    plugin: Annotated[
        list[str] | None, typer.Option(metavar="MODULE", help="Import a module that defines detectors; repeatable.")
    ] = None,
) -> None:
    """Options of all commands."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if plugin:  # an environment variable, so that worker processes know them as well
        os.environ[registry.PLUGINS] = ",".join([*filter(None, [os.environ.get(registry.PLUGINS)]), *plugin])
        registry.targets()


def main() -> None:
    """Entry point of the ``ganad`` command; what the library logs, such as a fit to a part of the data, is shown."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("ganad").setLevel(logging.INFO)
    app()
