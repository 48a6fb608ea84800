"""``ganad bench`` and ``ganad tables``: the papers' tables measured again, and which detector suits your data."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..errors import InputError, Interrupted
from .layouts import measured_folders
from .options import (
    Address,
    Anomalies,
    Classes,
    DataDir,
    Drop,
    EngineName,
    Impute,
    Label,
    SkipBad,
    Workers,
    engine_of,
    list_unreadable,
    reports_errors,
    split,
)

if TYPE_CHECKING:
    from ..bench import OwnData, Suite, Task
    from ..data import Samples


def complete_suite(beginning: str) -> list[str]:
    """Shell completion for the names of tables."""
    from ..bench import SUITES

    return [name for name in ("all", *SUITES) if name.startswith(beginning)]


@reports_errors
def bench(
    suites: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE...",
            help="Tables (study-mnist, ... or 'all'), or data of your own: a folder with a subfolder a class, a CSV or "
            "Parquet file.",
            autocompletion=complete_suite,
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(metavar="tables|images|photos", help="Of 'all', only tables of numbers, images or photos."),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these lines of the table; with a comma: '\"1-NN, PCA\"'.")
    ] = None,
    classes: Annotated[str | None, typer.Option(metavar="A,B", help="Only these classes.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ... of each cell.")] = 3,
    budget: Annotated[
        str, typer.Option(help="smoke, quick or paper (the published training length; on your data the default one).")
    ] = "quick",
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    gpus_per_trial: Annotated[
        float, typer.Option(min=0, help="Share of a GPU for each trial (ray); 0.25 lets four share one.")
    ] = 0.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...; several workers may share a GPU.")] = "auto",
    hours: Annotated[
        float | None, typer.Option(min=0, help="Begin no trial after this time; one that has begun ends and counts.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Run no trial; say how long the missing ones will take, line by line.")
    ] = False,
    retry: Annotated[bool, typer.Option(help="Try failed trials again.")] = False,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the rows; what is there is not run again.  [default: benchmarks/results; NAME-bench for "
            "your data]"
        ),
    ] = None,
    label: Label = None,
    normal: Classes = None,
    anomaly: Anomalies = None,
    drop: Drop = None,
    impute: Impute = False,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder with masks of the defects in your photos: KIND/NAME.png or KIND/NAME_mask.png."),
    ] = None,
    skip_bad: SkipBad = False,
    data_dir: DataDir = None,
) -> None:
    """Measure published tables again, or detectors on your data.

    Stopped and started again it goes on. Of several tables, first come those that tell most in little time: of each
    seed what needs no network, then the papers' networks, then remedies.
    On data of your own a fifth of the normal samples and all anomalies test; the other normal samples train. Large
    photos keep their size, and folders such as train/good and test/KIND say what trains and what tests.

    --estimate takes the time of rows of the same line, and for other lines that of a few steps, which takes some
    seconds a line and is kept in pace.jsonl beside the rows.

    Exit code 1 says that every trial of this run failed.
    """
    from ..bench import OwnData, run, tasks, together
    from ..bench.grid import suite_of

    if budget not in ("smoke", "quick", "paper"):
        raise InputError(f"--budget {budget} is not one of smoke, quick, paper")
    where = engine_of(engine, workers, address, gpus_per_trial)
    mine: _Mine | None = None
    named = _named(suites, kind)
    if named == suites and len(suites) == 1 and _is_own(suites[0]):
        place = str(masks) if masks else None
        mine = _read_own(OwnData(suites[0], label, split(normal), split(anomaly), split(drop), impute, place), budget)
    elif label or normal or anomaly or drop or impute or masks:
        table = suite_of(named[0])
        raise InputError(
            f"{table.name} is a table with classes of its own; the options for your data do not apply to it"
        )
    folder = results or Path(f"{mine.suite.name}-bench" if mine else "benchmarks/results")
    options: dict[str, Any] = dict(
        labels=split(methods) or None, classes=split(classes) or None, seeds=seeds, budget=budget
    )
    options |= dict(data_dir=data_dir, device=device)
    is_all = "all" in suites
    try:
        asked = tasks(mine.suite, **options) if mine else together(named, **options)
        todo = asked if mine or (estimate and not is_all) else _with_data(asked, folder, retry, is_all)
        if estimate:
            return _estimate(todo, folder, retry, workers or 1)
        show = functools.partial(_show, mine=mine, folder=folder, several=len({t.suite.name for t in todo}) > 1)
        made = run(todo, folder, engine=where, hours=hours, retry=retry, on_row=show)
        _say_what_is_left(todo, folder)
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; {folder} keeps the finished rows, and the same command goes on") from stop
    if mine is not None:
        _conclude(mine, folder)
        list_unreadable(mine.samples, skip_bad)
    if made and all("error" in row for row in made):
        raise typer.Exit(1)


def _is_own(name: str) -> bool:
    """Whether a name is that of data of the user's own, and of no table."""
    from ..bench import SUITES

    return name not in (*SUITES, "all") and Path(name).exists()


def _named(suites: list[str], kind: str | None) -> list[str]:
    """The tables that are asked for, with those that ``all`` means in its place, each once."""
    from ..bench import KINDS

    if kind is not None and (kind not in KINDS or "all" not in suites):
        raise InputError(f"--kind {kind} is not one of {', '.join(KINDS)}, which say what of 'all' to run")
    if len(suites) > 1 and (own := next(filter(_is_own, suites), None)):
        raise InputError(f"{own} is data of your own; give it alone, because its rows go to a folder of their own")
    everything = [name for of_kind, names in KINDS.items() if kind in (None, of_kind) for name in names]
    return list(dict.fromkeys(each for name in suites for each in (everything if name == "all" else [name])))


def _with_data(tasks: list[Task], folder: Path, retry: bool, is_all: bool) -> list[Task]:
    """The tasks without those of tables whose data are not here. Only of ``all`` are such left out, with a line that
    says so; a failed row for each trial would hide later that they were never measured.
    """
    from ..bench import missing, without_data

    absent = without_data(missing(tasks, folder, retry=retry))
    for name, reason in absent.items():
        if not is_all:
            raise InputError(f"{name}: {reason}")
        typer.echo(f"left out: {name}: {reason}", err=True)
    return [task for task in tasks if task.suite.name not in absent]


def _say_what_is_left(tasks: list[Task], folder: Path) -> None:
    """Say which of the tasks have no measured row, so that an end is not taken for a success."""
    from ..bench import missing

    left = len(missing(tasks, folder))
    failed = len(missing(tasks, folder, retry=True)) - left
    if left:  # nothing but the hours ends a run early
        typer.echo(f"time is up, trials that are left: {left}; the same command goes on", err=True)
    if failed:
        typer.echo(f"failed trials: {failed}; their rows are kept, and --retry tries them again", err=True)


def _estimate(todo: list[Task], folder: Path, retry: bool, workers: int) -> None:
    """How long the trials without a row will take; steps are timed where no row says it."""
    from ..bench import cost, missing, pace, rows
    from ..bench.grid import path_of

    todo = missing(todo, folder, retry=retry)
    made = [row for suite in {t.suite.name for t in todo} for row in rows.read(path_of(suite, folder))]
    unknown = {(c.suite, c.label) for c in cost.costs(todo, made, []) if c.hours is None}
    if unknown:
        typer.echo(f"timing a few steps of {len(unknown)} lines, some seconds each", err=True)
    pace.run([t for t in todo if (t.suite.name, t.label) in unknown], folder)
    typer.echo(cost.table(cost.costs(todo, made, rows.read(folder / pace.FILE)), workers))


class _Mine(NamedTuple):
    """Data of the user's own, as a suite."""

    suite: Suite
    samples: Samples
    budget: Any


def _read_own(where: OwnData, budget: str) -> _Mine:
    from ..bench import own_data
    from ..progress import Bar

    with Bar("reading") as bar:
        samples = where.read(bar.update)
    suite = own_data.suite(where, samples)
    if suite.protocol == "user-folders":
        measured_folders(where.path)
    for words in own_data.without_masks(samples):
        typer.echo(f"ganad: {words}", err=True)
    return _Mine(suite, samples, budget)


def _show(row: dict[str, Any], done: int, total: int, *, mine: _Mine | None, folder: Path, several: bool) -> None:
    """A line a trial; on the user's own data the standing so far as well."""
    from ..bench import ranking, rows
    from ..bench.grid import path_of

    what = f"{row['suite'] + ': ' if several else ''}{row['label']} {row['class'] or ''} seed {row['seed']}"
    outcome = f"AUROC {row['metrics']['auroc']:.3f}" if "metrics" in row else row["error"]
    typer.echo(f"{done}/{total} {what}: {outcome}")
    if mine is None:
        return
    standing = ranking.so_far(mine.suite, rows.read(path_of(mine.suite.name, folder)), mine.budget)
    if standing:
        typer.echo(standing)


def _conclude(mine: _Mine, folder: Path) -> None:
    """The ranking of the methods on the user's own data, and its tables."""
    from ..bench import ranking, rows, write
    from ..bench.grid import path_of

    places = ranking.ranking(mine.suite, rows.read(path_of(mine.suite.name, folder)), mine.budget)
    if places:
        said = [ranking.verdict(places), ranking.without_labels(places)]
        typer.echo("\n".join(["", *ranking.printed(places), "", *filter(None, said)]))
    for path in write(folder, folder, mine.suite):
        typer.echo(f"wrote {path}")


@reports_errors
def tables(
    results: Annotated[Path, typer.Option(help="Folder of the rows.")] = Path("benchmarks/results"),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for TABLES.md and tables.html.")] = Path(
        "benchmarks"
    ),
) -> None:
    """Write the tables of what was measured and published.

    They are TABLES.md and the page tables.html.
    """
    from ..bench import write

    if not any(results.glob("*.jsonl")):
        raise InputError(f"{results}: no rows in this folder; ganad bench writes them")
    for path in write(results, out):
        typer.echo(f"wrote {path}")
