"""``ganad figures``: the papers' own figures, measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .options import reports_errors, split


def complete_figure(beginning: str) -> list[str]:
    """Shell completion for the names of papers and figures."""
    from ..figures import FIGURES

    names = dict.fromkeys(name for entry in FIGURES.values() for name in (entry.paper, entry.name))
    return [name for name in names if name.startswith(beginning)]


@reports_errors
def figures(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PAPER|FIGURE]...",
            help="Papers or figures, such as fence-gan or fence-gan-1.  [default: all]",
            autocompletion=complete_figure,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the files.")] = Path("figures"),
    formats: Annotated[str, typer.Option("--format", metavar="A,B", help="png, svg or both.")] = "png",
    budget: Annotated[
        str, typer.Option(help="Length of fits: smoke, quick or paper (the published length, hours for images).")
    ] = "quick",
    results: Annotated[Path, typer.Option(help="Folder of the rows; a line's longest ones are drawn.")] = Path(
        "benchmarks/results"
    ),
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", "--data", help="Folder with the data sets; else $GANAD_DATA, else a cache."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List these figures, and those that cannot be had.")] = False,
) -> None:
    """Draw the papers' figures from what was measured, or from fits made for them.

    Each is laid out as in its paper and says budget, data and seeds.
    """
    from ..figures import Asked, chosen, write

    if listed:
        _list(what or [])
        return
    if budget not in ("smoke", "quick", "paper"):
        raise InputError(f"--budget {budget} is not one of smoke, quick, paper")
    asked = Asked(budget, str(data_dir) if data_dir else None, results)  # type: ignore[arg-type]
    entries = chosen(what or [])
    failed = []
    for entry in entries:
        typer.echo(f"{entry.name}: {entry.needs}", err=True)  # a fit takes minutes
        try:
            paths = write(entry, asked, out, split(formats))
        except InputError as error:
            if len(entries) == 1:
                raise
            failed.append(f"{entry.name}: {error}")
            continue
        for path in paths:
            typer.echo(f"wrote {path}")
    if failed:
        typer.echo("\n".join(["not drawn:", *(f"  {line}" for line in failed)]), err=True)
        raise typer.Exit(3)


def _list(names: list[str]) -> None:
    """Each figure with its place in the paper, and what it needs or why it cannot be had."""
    from ..figures import named

    for entry in named(names):
        needs = entry.needs if entry.draw else f"not to be had: {entry.reason}"
        typer.echo(f"{entry.name:20} {entry.place:22} {entry.title}\n{'':20} {needs}")
