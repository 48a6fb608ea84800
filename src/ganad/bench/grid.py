"""All trials of a suite: resumable, in processes of one thread, with progress over the whole."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..progress import Bar
from ..protocols import PROTOCOLS
from .suites import SUITES, Budget, Suite
from .trial import asked, parameters, trial

Row = dict[str, Any]


def run(
    suite: str | Suite,
    folder: str | Path,
    *,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    seeds: int = 3,
    budget: Budget = "quick",
    workers: int = 1,
    data_dir: str | Path | None = None,
    device: str = "auto",
    hours: float | None = None,
    retry: bool = False,
    on_row: Callable[[Row, int, int], None] | None = None,
) -> list[Row]:
    """Run what is missing of a suite and append it to ``folder/<suite>.jsonl``; returns the new rows.

    Killed and started again it goes on: rows that are there are not made anew, failed ones only with ``retry``.
    ``hours``: no trial is begun after that time. ``device`` is the detectors'; a row says on which it was made, and is
    not made anew on another. Raises InputError for an unknown suite, label or class, or a device that is not there.
    """
    from ..devices import choose_device

    choose_device(device)  # else every trial would fail, one by one
    entry = _known(suite)
    chosen = _labels(entry, labels)
    names: Sequence[str | None] = classes or entry.classes or PROTOCOLS[entry.protocol].classes or [None]
    unknown = set(classes or ()) - set(PROTOCOLS[entry.protocol].classes)
    if unknown:
        raise InputError(f"{entry.name} has no class {', '.join(sorted(unknown))}")
    path = Path(folder) / f"{entry.name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    mend(path)
    found = current(entry, (row for row in read(path) if not (retry and "error" in row)))
    done = {key(row) for row in found}
    grid = [
        (entry, label, cls, seed, budget, str(data_dir) if data_dir else None, device)
        for seed in range(seeds)  # a whole table with one seed before the second begins
        for cls in names
        for label in chosen
    ]
    todo = [t for t in grid if key(asked(*t[:5])) not in done]
    rows: list[Row] = []
    with Bar(entry.name) as bar:
        bar.update(0, len(todo))
        for row in _results(todo, workers, hours):
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            rows.append(row)
            bar.update(len(rows), len(todo), f"{row['label']} {row['class'] or ''}")
            if on_row:
                on_row(row, len(rows), len(todo))
    return rows


def _results(todo: list[tuple[Any, ...]], workers: int, hours: float | None) -> Iterator[Row]:
    end = time.monotonic() + 3600 * hours if hours is not None else float("inf")
    if workers <= 1:
        for arguments in todo:
            if time.monotonic() < end:
                yield trial(*arguments)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        left, running = list(todo), dict[Future[Row], tuple[Any, ...]]()
        try:
            while left or running:
                while left and len(running) < workers and time.monotonic() < end:
                    running[pool.submit(trial, *left[0])] = left[0]
                    del left[0]
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield future.result()
                    del running[future]
        except BrokenProcessPool:  # one of them ended its worker, and the pool with it
            for lost in running.values():
                yield _alone(lost)
    if left:
        yield from _results(left, workers, (end - time.monotonic()) / 3600 if hours is not None else None)


def _alone(arguments: tuple[Any, ...]) -> Row:
    """One trial in a process of its own; a row with ``error`` if it ends that process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        try:
            return pool.submit(trial, *arguments).result()
        except BrokenProcessPool:
            return asked(*arguments[:5]) | {"error": "the process ended, as it does where memory runs out"}


def end_with_parent() -> None:
    """Let this worker end when the grid is killed; it would finish its trial, an hour perhaps, for nobody."""
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
        raise InputError(f"no suite {suite!r}, nor data of that name; there are {', '.join(SUITES)}")
    return SUITES[suite]


def _labels(entry: Suite, labels: Sequence[str] | None) -> list[str]:
    known = [r.label for r in entry.recipes]
    if labels is None:
        return known
    chosen: list[str] = []
    for name in labels:
        found = [r.label for r in entry.recipes if name.lower() in (r.label.lower(), r.detector.lower())]
        if not found:
            raise InputError(f"{entry.name} has no method {name!r}; it has {', '.join(known)}")
        chosen += found
    return chosen


def key(row: Row) -> str:
    """What makes two rows the same trial."""
    names = ("suite", "label", "class", "seed", "budget", "preset", "settings")
    return json.dumps([*(row[name] for name in names), row.get("data_hash")], sort_keys=True)


def current(entry: Suite, rows: Iterable[Row]) -> list[Row]:
    """The rows that the suite as it stands would make: one a trial, the last, since a retry comes after a failure.

    A row that says its detector's settings in full is none of them once a default or a preset has changed.
    """
    labels = {r.label for r in entry.recipes}
    found = {}
    for row in rows:
        if row.get("suite") != entry.name or row["label"] not in labels:
            continue
        wanted = asked(entry, row["label"], row["class"], row["seed"], row["budget"])
        if key(row) == key(wanted) and row.get("parameters") in (None, _parameters(wanted)):
            found[key(row)] = row
    return list(found.values())


def _parameters(wanted: Row) -> dict[str, Any]:
    return _known_parameters(wanted["detector"], wanted["preset"], json.dumps(wanted["settings"]))


@functools.cache
def _known_parameters(detector: str, preset: str | None, settings: str) -> dict[str, Any]:
    return parameters(detector, preset, json.loads(settings))


def read(path: Path) -> list[Row]:
    """The rows of a results file; InputError, with file and line, for one that is no row."""
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise InputError(f"{path}, line {number}, is no row of results; remove it") from error
    return rows


def mend(path: Path) -> None:
    """Remove a last line that a kill cut short."""
    if not path.exists():
        return
    text = path.read_bytes()
    if text and not text.endswith(b"\n"):
        path.write_bytes(text[: text.rfind(b"\n") + 1])
