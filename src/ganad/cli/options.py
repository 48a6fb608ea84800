"""What the commands share: options, completion, errors as one line, reading with a progress bar."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import registry
from ..display import shown
from ..errors import InputError, Interrupted, MissingExtra, TrainingDiverged

if TYPE_CHECKING:
    from ..data import Samples


def complete_method(beginning: str) -> list[str]:
    """Shell completion for the names of methods."""
    return [name for name in registry.names() if name.startswith(beginning)]


ModelFile = Annotated[Path, typer.Argument(help="A model file that ganad fit wrote.")]
Data = Annotated[str, typer.Argument(help="A folder of images, a CSV or Parquet file, or a data set's name.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder with the data sets; else $GANAD_DATA, else a cache.")]
Label = Annotated[str | None, typer.Option(help="Column with the class labels (tables).")]
Classes = Annotated[str | None, typer.Option(metavar="A,B", help="Classes that are normal; all others are not.")]
Anomalies = Annotated[str | None, typer.Option(metavar="A,B", help="Classes that are anomalies.")]
Drop = Annotated[str | None, typer.Option(metavar="A,B", help="Columns to leave out (tables).")]
Impute = Annotated[bool, typer.Option(help="Fill missing cells: median or most frequent value.")]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Read what links in a folder of images lead to outside of it.")
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Exit with 0 although inputs were unreadable.")]


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our exceptions into one line on stderr and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:  # of `ganad ... | head`; Click ends without a word
            raise
        except (InputError, TrainingDiverged, MissingExtra, OSError) as error:
            typer.echo(f"ganad: {shown(str(error), 2000)}", err=True)
            raise typer.Exit(2) from error
        except Interrupted as stop:
            typer.echo(f"ganad: {shown(str(stop), 2000)}", err=True)
            raise typer.Exit(130) from stop
        except KeyboardInterrupt as stop:
            typer.echo("ganad: interrupted; no file was left half-written", err=True)
            raise typer.Exit(130) from stop

    return wrapped


def split(text: str | None) -> tuple[str, ...]:
    """The parts between commas; a part with a comma stands in double quotes, as in a CSV file."""
    return tuple(part.strip() for part in next(csv.reader([text], skipinitialspace=True))) if text else ()


def check_place(path: Path, what: str, *others: str | Path) -> None:
    """Raise InputError, before any work is done, where ``path`` cannot be written or is one of the ``others``."""
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder for the {what}; make it first")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it for the {what}")
    if path.resolve() in [Path(other).resolve() for other in others]:
        raise InputError(f"{path}: the {what} would take the place of another file of this command; name a new one")


def read(name: str, data_dir: Path | None, **options: Any) -> Samples:
    """Read samples with a progress bar."""
    from .. import data
    from ..progress import Bar

    given = {k: v for k, v in options.items() if v not in (None, False, ())}
    with Bar("reading") as bar:
        return data.load(name, data_dir=data_dir, progress=bar.update, **given)


def list_unreadable(samples: Samples, skip_bad: bool = False) -> None:
    """List what could not be read, and say so with the exit code."""
    if not samples.unreadable:
        return
    count = len(samples.unreadable)
    typer.echo(f"{count:,} input{'s' * (count != 1)} could not be read:", err=True)
    for bad in samples.unreadable:
        typer.echo(f"  {shown(bad.path, 500)}: {shown(bad.reason, 500)}", err=True)
    if not skip_bad:
        raise typer.Exit(3)
