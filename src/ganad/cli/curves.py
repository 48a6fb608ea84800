"""``ganad curves``: AUROC against training time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError, Interrupted
from .options import Address, DataDir, EngineName, Workers, engine_of, reports_errors, split


@reports_errors
def curves(
    methods: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these GANs.  [default: all that have curves]")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="A,B", help="Of 0, 1 and 5, digits held out, and 8, the normal digit.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Training time of a curve: of one core, or of the clock on a GPU.")
    ] = 10.0,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ... of each curve.")] = 1,
    budget: Annotated[str, typer.Option(help="paper (published settings, all images), quick or smoke.")] = "paper",
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    gpus_per_trial: Annotated[float, typer.Option(min=0, help="Share of a GPU for each curve (ray).")] = 0.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    hours: Annotated[float | None, typer.Option(min=0, help="Begin no curve after this time.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of curves.jsonl; what is there is not run again.")] = Path(
        "benchmarks/results"
    ),
    data_dir: DataDir = None,
) -> None:
    """Train GANs on MNIST for a stated time, and record their AUROC at log-spaced moments.

    Stopped and started again it goes on with the next curve. ganad tables draws what was recorded.

    Exit code 1 says that every curve of this run failed.
    """
    from ..bench import curves as module

    if budget not in ("smoke", "quick", "paper"):
        raise InputError(f"--budget {budget} is not one of smoke, quick, paper")
    where = engine_of(engine, workers, address, gpus_per_trial)
    wanted = module.curves(
        split(methods) or None,
        classes=split(classes) or None,
        seeds=seeds,
        minutes=minutes,
        budget=budget,  # type: ignore[arg-type]
        data_dir=data_dir,
        device=device,
    )
    try:
        made = module.run(wanted, results, engine=where, hours=hours, on_row=_show)
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; {results} keeps the finished curves, and the same command goes on") from stop
    if made and all("error" in row for row in made):
        raise typer.Exit(1)


def _show(row: dict[str, Any], done: int, total: int) -> None:
    """A line a curve."""
    outcome = row.get("error") or (
        f"AUROC {row['auroc'][0]:.3f} after a step, {row['auroc'][-1]:.3f} after {row['seconds'][-1] / 60:.2g} minutes"
    )
    typer.echo(f"{done}/{total} {row['label']} {row['class']} seed {row['seed']}: {outcome}")
