"""Score the rows of a stream as they come: JSON lines, or CSV with a line of names."""

from __future__ import annotations

import csv
import itertools
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..data import Samples
from ..data.json_rows import json_table, plain_rows
from ..data.table import encode
from ..data.table_options import Place
from ..data.text_file import Dialect, refuse_twice
from ..detector import Detector
from ..display import shown
from ..errors import InputError
from ..history import Entry
from .keeping import Stopped, patiently
from .verdicts import Verdicts

if TYPE_CHECKING:
    from ..history import History

_LOG = logging.getLogger("ganad")
_BATCH = 512  # rows scored and kept together, where so many wait
_WAITING = 4096  # rows that are read ahead; then whoever writes the stream waits
_LOOK = 0.1  # seconds between two looks whether to stop
_WHERE = Path("standard input")


class _Line(NamedTuple):
    number: int  #: of the stream, from 1
    row: Any  #: an object or a list
    problem: str | None = None
    dialect: Dialect | None = None  #: of CSV, whose cells are texts; None where they have types


class StreamWatcher:
    """Scores the rows of a table that come line by line.

    model: SHA-256 of the detector's file. told: gets every entry once it is kept. spot_checks: the share of rows that
    a person should look at. unreadable: rows that could not be read, each of which the log tells.

    Raises InputError for a detector of images.
    """

    def __init__(
        self,
        detector: Detector,
        model: str,
        history: History,
        *,
        told: Callable[[Entry], object] = lambda entry: None,
        spot_checks: float = 0.0,
    ):
        if detector.input_.is_image:
            raise InputError("a stream holds rows of a table, and this model scores images; give a folder to watch")
        self.detector, self.history, self.told = detector, history, told
        self.verdicts = Verdicts(detector, model, spot_checks)
        self.source: dict[str, Any] | None = getattr(detector, "source_", None)
        self.unreadable = 0

    def run(self, lines: Iterable[str], stop: threading.Event) -> None:
        """Score until the lines end or ``stop`` is set; rows that come together are scored together.

        After ``stop`` no more is read, and what was read is scored. Where the history is away by then, the log says
        from which line on rows are lost.
        """
        waiting: queue.Queue[_Line | None] = queue.Queue(_WAITING)
        threading.Thread(target=_read, args=(lines, waiting, stop), name="stream", daemon=True).start()
        while True:
            stopping = stop.is_set()
            some, ended = _some(waiting)
            if some:
                try:
                    self._take(some, stop)
                except Stopped:
                    _LOG.warning("stopped without the history: rows from line %d on are not kept", some[0].number)
                    return
            if ended or (stopping and not some):
                return

    def _take(self, lines: list[_Line], stop: threading.Event) -> None:
        for line in lines:
            if line.problem is not None:
                self._cannot_read(line.number, line.problem)
        names, entries = [], []
        for good, samples in self._samples([line for line in lines if line.problem is None]):
            names = [f"line {line.number}" for line in good]
            entries += self.verdicts.entries(samples.x, names, self.detector.anomaly_score(samples))
        if not entries:
            return
        patiently(lambda: self.history.add(entries), stop)
        for entry in entries:
            self.told(entry)

    def _samples(self, lines: list[_Line]) -> Iterator[tuple[list[_Line], Samples]]:
        """The lines that can be read with their samples, in parts; the others are told."""
        if not lines:
            return
        try:
            yield lines, self._encoded(lines)
        except InputError as error:
            if len(lines) == 1:
                self._cannot_read(lines[0].number, str(error))
                return
            for line in lines:  # one of them is bad: find out which
                yield from self._samples([line])

    def _encoded(self, lines: list[_Line]) -> Samples:
        rows = [line.row for line in lines]
        if all(isinstance(row, list) for row in rows):
            samples = Samples(plain_rows(rows, self.detector.input_.sample_shape[0]))
        elif not all(isinstance(row, dict) for row in rows):
            raise InputError("a row is an object of column and value, or a list of numbers")
        elif not self.source:
            raise InputError("this model was trained on an array without column names; send JSON lists of numbers")
        else:
            known = [recipe["name"] for recipe in self.source["columns"]]
            place = Place(_WHERE, lines[0].dialect, lines[0].number)
            samples = encode(json_table(rows, known), place, source=self.source | {"label": None})
        with np.errstate(over="ignore"):
            if not np.isfinite(samples.x.astype(np.float32)).all():
                raise InputError("every number must be finite, below 3.4e38 in size")
        return samples

    def _cannot_read(self, number: int, problem: str) -> None:
        self.unreadable += 1
        _LOG.warning("line %d: cannot be read: %s", number, shown(problem, 500))


def _some(waiting: queue.Queue[_Line | None]) -> tuple[list[_Line], bool]:
    """What has come, perhaps nothing, and whether that was all."""
    found: list[_Line] = []
    while len(found) < _BATCH:
        try:
            line = waiting.get(timeout=0 if found else _LOOK)
        except queue.Empty:
            break
        if line is None:
            return found, True
        found.append(line)
    return found, False


def _read(lines: Iterable[str], waiting: queue.Queue[_Line | None], stop: threading.Event) -> None:
    try:
        for line in _parsed(lines):
            waiting.put(line)
            if stop.is_set():
                break
    except (OSError, ValueError) as error:
        waiting.put(_Line(0, None, str(error)))
    waiting.put(None)


def _parsed(lines: Iterable[str]) -> Iterator[_Line]:
    """The rows: JSON if the first line begins like it, else CSV."""
    rest = iter(lines)
    number, first = 0, ""
    for number, first in enumerate(rest, 1):  # noqa: B007
        if first.strip():
            break
    if first.lstrip()[:1] in ("{", "["):
        yield from _json_lines(itertools.chain([first], rest), number)
    elif first.strip():
        yield from _csv_lines(itertools.chain([first], rest), number)


def _json_lines(lines: Iterable[str], first: int) -> Iterator[_Line]:
    for number, text in enumerate(lines, first):
        if not text.strip():
            continue
        try:
            yield _Line(number, json.loads(text))
        except (ValueError, RecursionError) as error:
            yield _Line(number, None, f"not JSON ({error})")


def _csv_lines(lines: Iterator[str], first: int) -> Iterator[_Line]:
    head = next(lines)
    delimiter = max(",;\t|", key=lambda mark: (head.count(mark), mark == ","))
    dialect = Dialect(delimiter, "utf-8")
    try:
        names = [name.strip() for name in _cells(head, delimiter)]
        refuse_twice(names, _WHERE)
    except (csv.Error, InputError) as error:
        yield _Line(first, None, str(error))
        return
    number = first
    for number, text in enumerate(lines, first + 1):
        try:
            cells = _cells(text, delimiter)
        except csv.Error as error:
            yield _Line(number, None, f"not CSV ({error})")
            continue
        if len(cells) == len(names):
            yield _Line(number, dict(zip(names, cells)), dialect=dialect)
        elif cells:
            yield _Line(number, None, f"{len(cells)} cells, and the first line names {len(names)} columns")
    if number == first:
        yield _Line(first, None, "it is taken for the columns' names, and no row follows")


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line, which is a row by itself: a quotation mark without its other half spoils no other row.

    Raises csv.Error.
    """
    return next(csv.reader([line], delimiter=delimiter, strict=True), [])
