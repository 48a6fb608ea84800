"""Shared parts of the commands: options, completion, errors as one line, reading with a progress bar."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import memory, registry
from ..display import shown
from ..errors import InputError, Interrupted, MissingExtra, TrainingDiverged

if TYPE_CHECKING:
    from ..data import Samples
    from ..engines import Engine
    from ..scale.scoring import Outcome


def complete_method(beginning: str) -> list[str]:
    """Shell completion for the names of methods."""
    return [name for name in registry.names() if name.startswith(beginning)]


ModelFile = Annotated[Path, typer.Argument(help="A model file that ganad fit wrote.")]
Data = Annotated[
    str,
    typer.Argument(
        help="A folder of images, a table (CSV, Parquet, Excel, a folder of Parquet files, 'duckdb:SELECT ...', "
        "sqlite:///FILE, postgresql://...), or a data set's name."
    ),
]
DataDir = Annotated[Path | None, typer.Option(help="Folder with the data sets; else $GANAD_DATA, else a cache.")]
Label = Annotated[str | None, typer.Option(help="Column with the class labels (tables).")]
Classes = Annotated[str | None, typer.Option(metavar="A,B", help="Classes that are normal; all others are not.")]
Anomalies = Annotated[str | None, typer.Option(metavar="A,B", help="Classes that are anomalies.")]
Drop = Annotated[str | None, typer.Option(metavar="A,B", help="Columns to leave out (tables).")]
Impute = Annotated[bool, typer.Option(help="Fill missing cells: median or most frequent value.")]
_TABLES = "Tables"
Query = Annotated[str | None, typer.Option(metavar="SQL", help="What to ask a database.", rich_help_panel=_TABLES)]
Decimal = Annotated[
    str | None, typer.Option(metavar="MARK", help="Decimal mark, . or , if it cannot be told.", rich_help_panel=_TABLES)
]
Thousands = Annotated[
    str | None, typer.Option(metavar="MARK", help="Mark between thousands: . , ' or a space.", rich_help_panel=_TABLES)
]
Missing = Annotated[
    str | None, typer.Option(metavar="A,B", help="More words for missing cells.", rich_help_panel=_TABLES)
]
Dates = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="What a date becomes: elapsed (days since the first), hour, weekday.",
        rich_help_panel=_TABLES,
    ),
]
DayFirst = Annotated[
    bool | None,
    typer.Option(
        "--day-first/--month-first", help="How to read 03-02-2024, if it cannot be told.", rich_help_panel=_TABLES
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How a file of text is written, if it cannot be told: latin-1, windows-1252, utf-16-le.",
        rich_help_panel=_TABLES,
    ),
]
Depth = Annotated[
    int | None,
    typer.Option(metavar="BITS", help="Bits that images of 16 bits use, such as 12 of many cameras (images)."),
]
Unknown = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="A text that training did not have makes its row an anomaly, is ignored (read as the usual one), or "
        "refuses the table: anomaly, ignore, refuse.",
        rich_help_panel=_TABLES,
    ),
]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Also read what links in a folder of images point to outside of it.")
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Exit with 0 even if inputs were unreadable.")]
EngineName = Annotated[str, typer.Option("--engine", help="local, or ray for the machines of a Ray cluster.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes of one thread each.  [default: 1; with ray what the cluster has room for]"),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="The Ray cluster, or auto; else Ray starts on this machine."),
]
GpusPerWorker = Annotated[float, typer.Option(min=0, help="Share of a GPU for each worker (ray).")]


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our exceptions into one line on stderr and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:  # of `ganad ... | head`; Click ends silently
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
        except Exception as error:
            words = memory.shortage(error)
            if words is None:
                raise
            typer.echo(f"ganad: {words}", err=True)
            raise typer.Exit(2) from error

    return wrapped


def given(context: typer.Context) -> set[str]:
    """The options that stand on the command line, each by its first name, such as ``--output``."""
    sources = {p.opts[0]: context.get_parameter_source(p.name or "") for p in context.command.params}
    return {option for option, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def engine_of(name: str, workers: int | None, address: str | None, gpus: float = 0.0) -> Engine:
    """The engine that the options name. Raises InputError for one that is not known, and for what belongs to Ray."""
    if name == "ray":
        from ..scale import Cluster

        return Cluster(address, workers, gpus)
    if name != "local":
        raise InputError(f"--engine {name} is not one of local, ray")
    if address is not None or gpus:
        raise InputError("an address and shares of a GPU are for a cluster; add --engine ray")
    from ..engines import local

    return local(workers or 1)


def split(text: str | None) -> tuple[str, ...]:
    """The parts between commas. A part that contains a comma is in double quotes, as in a CSV file."""
    return tuple(part.strip() for part in next(csv.reader([text], skipinitialspace=True))) if text else ()


def check_place(path: Path, what: str, *others: str | Path) -> None:
    """Raise InputError, before any work is done, if ``path`` cannot be written or is one of the ``others``."""
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder for the {what}; make it first")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it for the {what}")
    if path.resolve() in [Path(other).resolve() for other in others]:
        raise InputError(f"{path}: the {what} would overwrite another file of this command; name a new one")


def read(name: str, data_dir: Path | None, **options: Any) -> Samples:
    """Read samples with a progress bar."""
    from .. import data
    from ..progress import Bar

    given = {k: v for k, v in options.items() if v not in (None, ())}
    with Bar("reading") as bar:
        return data.load(name, data_dir=data_dir, progress=bar.update, **given)


def list_unreadable(samples: Samples | Outcome, skip_bad: bool = False) -> None:
    """List the inputs that could not be read, and exit with 3 unless ``skip_bad``."""
    if not samples.unreadable:
        return
    count = len(samples.unreadable)
    typer.echo(f"{count:,} input{'s' * (count != 1)} could not be read:", err=True)
    for bad in samples.unreadable:
        typer.echo(f"  {shown(bad.path, 500)}: {shown(bad.reason, 500)}", err=True)
    if not skip_bad:
        raise typer.Exit(3)
