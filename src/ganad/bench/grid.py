"""All trials of a suite: resumable, in processes of one thread, with one progress bar."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ..errors import InputError
from ..progress import Bar
from ..protocols import PROTOCOLS
from .recipes import Budget, Suite
from .rows import Row, Task, asked, current, key, mend, read
from .suites import SUITES
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
    suite = _known(suite)
    protocol = PROTOCOLS[suite.protocol]
    unknown = set(classes or ()) - set(protocol.classes)
    if unknown:
        raise InputError(f"{suite.name} has no class {', '.join(sorted(unknown))}")
    names: Sequence[str | None] = classes or suite.classes or protocol.classes or [None]
    chosen = _labels(suite, labels)
    folder = str(data_dir) if data_dir else None
    return [
        Task(suite, label, cls, seed, budget, folder, device)
        for seed in range(seeds)
        for cls in names
        for label in chosen
    ]


def run(
    tasks: Sequence[Task],
    folder: str | Path,
    *,
    workers: int = 1,
    hours: float | None = None,
    retry: bool = False,
    on_row: Callable[[Row, int, int], None] | None = None,
) -> list[Row]:
    """Run the tasks that have no row yet, append their rows to ``folder/<suite>.jsonl``, and return the new rows.

    A killed run goes on where it stopped: existing rows are not made again, and failed rows only with ``retry``. No
    trial starts later than ``hours`` after the call. ``on_row`` is called with each new row, the number of rows made so
    far, and the number to make. Raises InputError for a damaged file of rows.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    todo = _missing(tasks, folder, retry)
    rows: list[Row] = []
    with Bar(", ".join(dict.fromkeys(task.suite.name for task in tasks))) as bar:
        bar.update(0, len(todo))
        for row in _results(todo, workers, hours):
            with path_of(row["suite"], folder).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            rows.append(row)
            bar.update(len(rows), len(todo), f"{row['label']} {row['class'] or ''}")
            if on_row:
                on_row(row, len(rows), len(todo))
    return rows


def path_of(suite: str, folder: str | Path) -> Path:
    """The file with a suite's rows."""
    return Path(folder) / f"{suite}.jsonl"


def _missing(tasks: Sequence[Task], folder: Path, retry: bool) -> list[Task]:
    done: set[str] = set()
    for suite in {task.suite.name: task.suite for task in tasks}.values():
        path = path_of(suite.name, folder)
        mend(path)
        found = [row for row in read(path) if not (retry and "error" in row)]
        done |= {key(row) for row in current(suite, found)}
    return [task for task in tasks if key(asked(task)) not in done]


def _results(todo: Sequence[Task], workers: int, hours: float | None) -> Iterator[Row]:
    end = time.monotonic() + 3600 * hours if hours is not None else float("inf")
    if workers <= 1:
        for task in todo:
            if time.monotonic() < end:
                yield trial(task)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        left, running = list(todo), dict[Future[Row], Task]()
        try:
            while left or running:
                while left and len(running) < workers and time.monotonic() < end:
                    running[pool.submit(trial, left[0])] = left[0]
                    del left[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield future.result()
                    del running[future]
        except BrokenProcessPool:  # one trial ended its worker, and the pool with it
            for lost in running.values():
                yield _alone(lost)
    if left:
        yield from _results(left, workers, (end - time.monotonic()) / 3600 if hours is not None else None)


def _alone(task: Task) -> Row:
    """One trial in a separate process; a row with ``error`` if it ends that process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        try:
            return pool.submit(trial, task).result()
        except BrokenProcessPool:
            return asked(task) | {"error": "the process ended, as it does when memory runs out"}


def end_with_parent() -> None:
    """Make this worker end when the grid is killed, because nobody would read its row."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _known(suite: str | Suite) -> Suite:
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
        found = [r.label for r in suite.recipes if _plain(name) in (_plain(r.label), _plain(r.detector))]
        if not found:
            raise InputError(f"{suite.name} has no method {name!r}; it has {', '.join(known)}")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()
