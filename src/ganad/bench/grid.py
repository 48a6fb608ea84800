"""All trials of a suite: resumable, on whatever engine runs them, with one progress bar."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..atomic import locked
from ..engines import Engine, Lost, local
from ..errors import InputError
from ..progress import Bar
from ..protocols import PROTOCOLS
from .recipes import Budget, Recipe, Suite
from .rows import Row, Task, asked, current, key, mend, read
from .suites import SUITES
from .trial import read as samples_of
from .trial import trial


def tasks(
    suite: str | Suite,
    *,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    seeds: int = 3,
    budget: Budget = "quick",
    data_dir: str | Path | None = None,
    device: str = "auto",
) -> list[Task]:
    """The trials of a suite, ordered so that a table is complete with one seed before the second seed begins.

    labels: recipes or detectors; None means all. classes: None means those of the suite. data_dir: folder with the data
    sets. device: where the detectors run. A row names its device, and is not made again on another one.

    Raises InputError for an unknown suite, label or class, and for a device that this machine does not have.
    """
    from ..devices import choose_device  # imports torch

    choose_device(device)  # else every trial would fail, one by one
    suite = suite_of(suite)
    protocol = PROTOCOLS[suite.protocol]
    unknown = set(classes or ()) - set(protocol.classes)
    if unknown:
        raise InputError(f"{suite.name} has no class {', '.join(sorted(unknown))}")
    names: Sequence[str | None] = list(dict.fromkeys(classes or suite.classes or protocol.classes)) or [None]
    chosen = _labels(suite, labels)
    folder = str(data_dir) if data_dir else None
    return [
        Task(suite, label, cls, seed, budget, folder, device)
        for seed in range(seeds)
        for cls in names
        for label in chosen
    ]


def together(suites: Iterable[str | Suite], **options: Any) -> list[Task]:
    """The trials of several suites, those that tell most first.

    All seed 0 comes before seed 1. Of a seed, what needs no network comes first, then the networks, then their
    remedies; of equals, the suite named first. So an early end leaves every table with something to compare.

    options: those of ``tasks``. A suite that has none of the labels, or not all of the classes, is left out. Raises
    InputError if that leaves out every suite, and like ``tasks``.
    """
    found: list[Task] = []
    refused: InputError | None = None
    for suite in map(suite_of, suites):
        try:
            found += tasks(suite, **options)
        except InputError as error:
            refused = refused or error
    if refused and not found:
        raise refused
    return sorted(found, key=lambda task: (task.seed, _stage(task.suite.recipe(task.label))))


def _stage(recipe: Recipe) -> int:
    return 0 if recipe.is_baseline else 2 if recipe.remedy_of else 1


def without_data(tasks: Iterable[Task]) -> dict[str, str]:
    """The suites whose data cannot be read here, with the reason."""
    found: dict[str, str] = {}
    for name, task in {task.suite.name: task for task in tasks}.items():
        try:
            samples_of(task.suite.protocol, task.data_dir, task.suite.own)
        except (InputError, OSError) as error:
            found[name] = str(error)
    return found


def run(
    tasks: Sequence[Task],
    folder: str | Path,
    *,
    workers: int = 1,
    engine: Engine | None = None,
    hours: float | None = None,
    retry: bool = False,
    on_row: Callable[[Row, int, int], None] | None = None,
) -> list[Row]:
    """Run the tasks that have no row yet, append their rows to ``folder/<suite>.jsonl``, and return the new rows.

    A killed run goes on where it stopped: existing rows are not made again, and failed rows only with ``retry``. No
    trial starts later than ``hours`` after the call; one that has begun ends, and its row counts. ``engine`` runs the
    trials; None is this machine, with ``workers`` processes. ``on_row`` is called with each new row, the number of rows
    made so far, and the number to make. Raises InputError for a damaged file of rows, and while another run writes rows
    into the folder.
    """
    folder = Path(folder)
    names = list(dict.fromkeys(task.suite.name for task in tasks))
    title = ", ".join(names) if len(names) < 4 else f"{len(names)} tables"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", f"{folder}: another run writes its rows here; wait for it or name another folder"):
        for name in names:
            mend(path_of(name, folder))
        todo = missing(tasks, folder, retry=retry)
        made = (engine or local(workers)).map(trial, _until(deadline(hours), todo))
        rows = (asked(task) | {"error": found.reason} if isinstance(found, Lost) else found for task, found in made)
        return recorded(rows, lambda row: path_of(row["suite"], folder), len(todo), title, on_row)


def deadline(hours: float | None) -> float:
    """The moment, of ``time.monotonic``, after which no trial begins."""
    return time.monotonic() + 3600 * hours if hours is not None else float("inf")


def recorded(
    made: Iterable[Row],
    place: Callable[[Row], Path],
    total: int,
    title: str,
    on_row: Callable[[Row, int, int], object] | None,
) -> list[Row]:
    """Write each row at its place as it comes, and show how many of ``total`` there are."""
    rows: list[Row] = []
    with Bar(title) as bar:
        bar.update(0, total)
        for row in made:
            place(row).parent.mkdir(parents=True, exist_ok=True)
            with place(row).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            rows.append(row)
            bar.update(len(rows), total, f"{row['label']} {row['class'] or ''}")
            if on_row:
                on_row(row, len(rows), total)
    return rows


def path_of(suite: str, folder: str | Path) -> Path:
    """The file with a suite's rows."""
    return Path(folder) / f"{suite}.jsonl"


def missing(tasks: Sequence[Task], folder: str | Path, *, retry: bool = False) -> list[Task]:
    """The tasks that have no row in the folder yet, or with ``retry`` only a failed one."""
    done: set[str] = set()
    for suite in {task.suite.name: task.suite for task in tasks}.values():
        found = [row for row in read(path_of(suite.name, folder)) if not (retry and "error" in row)]
        done |= {key(row) for row in current(suite, found)}
    return [task for task in tasks if key(asked(task)) not in done]


def _until(end: float, todo: Iterable[Task]) -> Iterator[Task]:
    """The tasks, as long as there is time to begin one."""
    for task in todo:
        if time.monotonic() >= end:
            return
        yield task


def suite_of(suite: str | Suite) -> Suite:
    """The suite of a name. Raises InputError if there is none."""
    if isinstance(suite, Suite):
        return suite
    if suite not in SUITES:
        raise InputError(f"{suite!r} is neither a suite nor a file or folder; the suites are {', '.join(SUITES)}")
    return SUITES[suite]


def _labels(suite: Suite, labels: Sequence[str] | None) -> list[str]:
    """The labels of the recipes that the user named by label, class or command name, each once."""
    known = [recipe.label for recipe in suite.recipes]
    if labels is None:
        return known
    chosen: dict[str, None] = {}
    for name in labels:
        found = [r.label for r in suite.recipes if _plain(name) in (_plain(r.label), _plain(_method(r)))]
        if not found:
            raise InputError(f"{suite.name} has no method {name!r}; it has {', '.join(known)}")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _method(recipe: Recipe) -> str:
    """The name that chooses a line beside its label: its detector's, but a remedy is asked for by its label."""
    return "" if recipe.remedy_of else recipe.detector


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()
