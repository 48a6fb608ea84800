"""The history in its database: one transaction a call, from any number of threads and processes."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, Unpack, get_args

import numpy as np
import sqlalchemy
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    Table,
    delete,
    func,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

from ..errors import InputError
from . import tables
from .database import engine_of, parsed, place, told
from .entries import RANDOM, Entry, Feedback, FileRecord, Filter, ModelRecord, Row
from .tables import files, forgotten, models, samples

_ASKED = 500  # keys in one question
_PAGE = 1000  # rows read at a time
_DAY = 86_400.0
_TURN = int.from_bytes(b"ganad")  # the lock of whoever adds samples, a number for all programs that use the database


class History:
    """Samples with verdicts, files and models in the database at ``url``; threads may share it.

    url: ``history.db``, ``sqlite:///history.db`` or ``postgresql://user@host/name``. create: make what is missing.
    durable: of SQLite, wait for the disk before a call returns, so that not even a power cut takes back what was kept.

    Raises MissingExtra without the driver, and InputError for a place that cannot hold a history, for one that is
    missing and for one of another version. This and every method raise HistoryUnavailable while the database cannot
    be reached.
    """

    def __init__(self, url: str | Path, *, create: bool = True, durable: bool = True):
        known = parsed(str(url))
        self.place = place(known)  #: for messages
        self._engine = engine_of(known, create=create, durable=durable)
        try:
            self._open(create)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # -- writing ------------------------------------------------------------------------------------------

    def add(self, entries: Iterable[Entry], done: Iterable[FileRecord] = ()) -> None:
        """Keep entries, and files that are done with them, all or none; what is there already is left as it is."""
        kept = [tables.record(entry) for entry in entries]
        finished = [_values(file) for file in done]
        with self._begin() as connection:
            if kept:
                self._take_turn(connection)
            self._insert(connection, samples, kept)
            self._insert(connection, files, finished)

    def acted(self, file: FileRecord) -> None:
        """Remember that what was to happen to a flagged file has happened."""
        own = (files.c.model == file.model) & (files.c.key == file.key)
        with self._begin() as connection:
            connection.execute(update(files).where(own).values(acted=True))

    def mark(self, id: int, feedback: Feedback | None) -> None:
        """Keep what a person says of a row; None takes it back. InputError for a row that is not there."""
        self.mark_all([(id, feedback)])

    def mark_all(self, marks: Iterable[tuple[int, Feedback | None]]) -> None:
        """As ``mark``, of several rows, all or none."""
        with self._begin() as connection:
            for id, feedback in marks:
                if feedback not in (None, *get_args(Feedback)):
                    raise InputError(f"feedback {feedback!r} is not one of {', '.join(get_args(Feedback))}")
                at = None if feedback is None else time.time()
                change = update(samples).where(samples.c.id == id).values(feedback=feedback, feedback_at=at)
                if connection.execute(change).rowcount == 0:
                    raise InputError(f"{self.place}: no sample {id}")

    def register(self, model: ModelRecord) -> None:
        """Keep what is known of a model, once."""
        with self._begin() as connection:
            self._insert(connection, models, [_values(model)])

    def prune(self, max_age_days: float | None = None, max_mb: float | None = None) -> int:
        """Forget the oldest samples, and return how many.

        max_age_days: those seen longer ago. max_mb: what exceeds so many megabytes of samples, thumbnails included.
        Files that are done stay known, and so do the rows of tables that may grow, or they would be scored again.
        InputError for a negative bound.
        """
        for name, bound in (("max_age_days", max_age_days), ("max_mb", max_mb)):
            if bound is not None and not bound >= 0:
                raise InputError(f"{name}={bound} must be 0 or more")
        old: list[ColumnElement[bool]] = []
        if max_age_days is not None:
            old.append(samples.c.seen_at < time.time() - max_age_days * _DAY)
        if max_mb is not None:
            newer = func.sum(samples.c.bytes).over(order_by=samples.c.id.desc())
            sizes = select(samples.c.id, newer.label("newer")).subquery()
            last = select(func.max(sizes.c.id)).where(sizes.c.newer > max_mb * 1e6).scalar_subquery()
            old.append(samples.c.id <= last)
        if not old:
            return 0
        self._complete()
        is_file = select(files.c.key).where(files.c.model == samples.c.model, files.c.key == samples.c.key).exists()
        met_again = select(samples.c.model, samples.c.key, samples.c.is_anomaly).where(
            or_(*old), func.length(samples.c.key) != RANDOM, ~is_file
        )
        with self._begin() as connection:
            self._take_turn(connection)  # both statements must mean the same samples
            connection.execute(self._new(forgotten).from_select(["model", "key", "is_anomaly"], met_again))
            gone = connection.execute(delete(samples).where(or_(*old))).rowcount
        if self._engine.dialect.name == "sqlite":  # PostgreSQL does so by itself
            with self._begin() as connection:
                # as a script, which is run to its end: otherwise the driver stops after the first page
                connection.connection.cursor().executescript("PRAGMA incremental_vacuum")
        return gone

    # -- reading ------------------------------------------------------------------------------------------

    def rows(
        self,
        *,
        after_id: int = 0,
        limit: int | None = None,
        newest: bool = False,
        thumbnails: bool = True,
        **which: Unpack[Filter],
    ) -> list[Row]:
        """Rows that pass the filter, in the order of keeping, or the ``newest`` first.

        Without ``thumbnails`` theirs are None. InputError for a feedback that is none.
        """
        columns = [c for c in samples.c if thumbnails or c is not samples.c.thumbnail]
        order = samples.c.id.desc() if newest else samples.c.id
        found = select(*columns).where(samples.c.id > after_id, *_conditions(which)).order_by(order).limit(limit)
        with self._begin() as connection:
            return [tables.row(values) for values in connection.execute(found).mappings()]

    def pages(self, **which: Unpack[Filter]) -> Iterator[list[Row]]:
        """All rows that pass the filter, a thousand at a time, so that any number fits into memory."""
        page = self.rows(limit=_PAGE, **which)
        while page:
            yield page
            page = self.rows(after_id=page[-1].id, limit=_PAGE, **which)

    def count(self, **which: Unpack[Filter]) -> int:
        """The number of rows that pass the filter."""
        with self._begin() as connection:
            return connection.scalar(select(func.count()).select_from(samples).where(*_conditions(which))) or 0

    def confirmed(self, model: str) -> tuple[int, float]:
        """How many samples of a model a person calls anomalies, and when they last did; 0 for never."""
        found = select(func.count(), func.max(samples.c.feedback_at)).where(
            *_conditions(Filter(model=model, feedback="anomaly"))
        )
        with self._begin() as connection:
            n, last = connection.execute(found).one()
        return n, last or 0.0

    def p_values(
        self, model: str | None = None, since: float | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ids, times and p-values, each ``(n,)``, of the samples that have one, in the order of keeping."""
        columns = (samples.c.id, samples.c.seen_at, samples.c.p_value)
        own = _conditions(Filter(model=model, since=since))
        found = select(*columns).where(samples.c.p_value.is_not(None), *own).order_by(samples.c.id)
        with self._begin() as connection:
            read = np.array([tuple(values) for values in connection.execute(found)], float).reshape(-1, 3)
        return read[:, 0].astype(np.int64), read[:, 1], read[:, 2]

    def scores(
        self, model: str, *, after_id: int = 0, newest: int | None = None
    ) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        """Times, scores and verdicts, each ``(n,)``, of a model's samples but those a person calls anomalies.

        In the order of keeping; with ``newest`` those of so many of the latest samples of all models. First comes the
        highest id of all samples that were looked at, of whatever model: what to ask after the next time.
        """
        c = samples.c
        found = select(c.seen_at, c.score, c.is_anomaly, c.id, c.model, c.feedback).where(c.id > after_id)
        with self._begin() as connection:
            read = connection.execute(found.order_by(c.id.desc()).limit(newest)).all()
        # chosen here: a database would rather read all samples of the model than the few after one
        own = [(row[0], row[1], row[2]) for row in read[::-1] if row[4] == model and row[5] != "anomaly"]
        numbers = np.array(own, float).reshape(-1, 3)
        last: int = read[0][3] if read else after_id
        return last, numbers[:, 0], numbers[:, 1], numbers[:, 2].astype(bool)

    def seen(self, keys: Iterable[str], by: Sequence[str] | None = None) -> dict[str, bool]:
        """Those of the keys that have or had an entry, by one of these models or by any, and whether it is flagged."""

        def among(table: Table, some: list[str]) -> Select[Any]:
            own = [] if by is None else [table.c.model.in_(by)]
            return select(table.c.key, table.c.is_anomaly).where(table.c.key.in_(some), *own)

        found = self._asked(keys, lambda some: union(among(samples, some), among(forgotten, some)))
        return {values["key"]: values["is_anomaly"] for values in found}

    def finished(self, keys: Iterable[str], by: Sequence[str]) -> dict[str, FileRecord]:
        """Those of the keys whose file is done, by one of these models."""
        found = self._asked(keys, lambda some: select(files).where(files.c.key.in_(some), files.c.model.in_(by)))
        return {values["key"]: FileRecord(**values) for values in found}

    def models(self) -> list[ModelRecord]:
        """The models that wrote, in the order of their first time."""
        found = select(models).order_by(models.c.registered_at, models.c.sha256)
        with self._begin() as connection:
            return [ModelRecord(**values) for values in connection.execute(found).mappings()]

    def lineage(self, sha256: str, parent: str | None = None) -> list[str]:
        """A model and those that it was made from, as far as they are known here; ``parent``: of one not known yet."""
        parents = {known.sha256: known.parent for known in self.models()} | ({sha256: parent} if parent else {})
        found: list[str] = []
        model: str | None = sha256
        while model is not None and model not in found:
            found.append(model)
            model = parents.get(model)
        return found

    # -- within -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        with told(self.place), self._engine.begin() as connection:
            yield connection

    def _take_turn(self, connection: Connection) -> None:
        """Have no other one add samples until this transaction ends, as SQLite does by itself.

        PostgreSQL gives an id when a row is written. Of two transactions the later id could appear first, and whoever
        asks for rows after that one would miss the other.
        """
        if self._engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_TURN)))

    def _insert(self, connection: Connection, table: Table, values: list[dict[str, Any]]) -> None:
        if values:
            connection.execute(self._new(table), values)

    def _new(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An insert that leaves what is there already as it is."""
        if self._engine.dialect.name == "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing()
        return sqlite.insert(table).on_conflict_do_nothing()

    def _asked(
        self, keys: Iterable[str], question: Callable[[list[str]], Select[Any] | CompoundSelect[Any]]
    ) -> Iterator[dict[str, Any]]:
        waiting = list(keys)
        for start in range(0, len(waiting), _ASKED):
            with self._begin() as connection:
                found = connection.execute(question(waiting[start : start + _ASKED])).mappings().all()
            yield from map(dict, found)

    def _open(self, create: bool) -> None:
        """Make the tables, or check that they are there and of our version."""
        version = self._version()
        if version is None and not create:
            raise InputError(f"{self.place}: holds no history of ganad")
        if version is None:
            self._create()
            version = self._version()
        if version != tables.VERSION:
            raise InputError(
                f"{self.place}: a history of version {version}, and this ganad reads version {tables.VERSION}; "
                "use the ganad that wrote it, or another file"
            )
        if create:
            self._complete()

    def _complete(self) -> None:
        """Make what a history of an earlier ganad lacks; one that is only read may stay as it is."""
        with self._begin() as connection:
            complete = sqlalchemy.inspect(connection).has_table(forgotten.name)
        if not complete:
            self._create()

    def _version(self) -> int | None:
        """None where there are no tables, or another process has just begun to make them."""
        with self._begin() as connection:
            if not sqlalchemy.inspect(connection).has_table(tables.history.name):
                return None
            return connection.scalar(select(tables.history.c.version))

    def _create(self) -> None:
        with told(self.place):
            try:
                self._create_missing()
            except IntegrityError:  # another process did so at the same moment
                self._create_missing()

    def _create_missing(self) -> None:
        with self._engine.begin() as connection:
            for table in tables.metadata.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    connection.execute(CreateIndex(index, if_not_exists=True))
            self._insert(connection, tables.history, [{"id": 1, "version": tables.VERSION}])


def _values(thing: FileRecord | ModelRecord) -> dict[str, Any]:
    found = {f.name: getattr(thing, f.name) for f in dataclasses.fields(thing)}
    return {k: tables.storable(v) if isinstance(v, str) else v for k, v in found.items()}


def _conditions(which: Filter) -> list[ColumnElement[bool]]:
    """What a row must be to pass the filter."""
    c, found = samples.c, list[ColumnElement[bool]]()
    feedback = which.get("feedback")
    if feedback == "none":
        found.append(c.feedback.is_(None))
    elif feedback in get_args(Feedback):
        found.append(c.feedback == feedback)
    elif feedback is not None:
        raise InputError(f"feedback {feedback!r} is not one of {', '.join(get_args(Feedback))}, none")
    checks = {
        "since": lambda value: c.seen_at >= value,
        "until": lambda value: c.seen_at < value,
        "flagged": c.is_anomaly.is_,
        "model": lambda value: c.model == value,
        "spot_check": c.spot_check.is_,
        "review": (c.is_anomaly | c.spot_check).is_,
    }
    given = {name: value for name, value in which.items() if name in checks and value is not None}
    return found + [checks[name](value) for name, value in given.items()]
