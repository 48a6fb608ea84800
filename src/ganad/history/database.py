"""Databases by URL: SQLite with a write-ahead log, PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, event, exc
from sqlalchemy.engine import URL, make_url

from ..display import shown
from ..errors import HistoryUnavailable, InputError, MissingExtra

_BUSY = 30.0  # seconds that a writer of SQLite waits for another one
_CONNECT = 10  # seconds that PostgreSQL has to answer a connection
_POSTGRES = {"postgres", "postgresql", "postgresql+psycopg"}


def parsed(url: str) -> URL:
    """``sqlite:///file.db``, a bare path, or ``postgresql://user@host/name``; InputError for another one."""
    if "://" not in url:
        if not url:
            raise InputError("a history needs a file, such as history.db, or a URL, such as postgresql://host/name")
        return URL.create("sqlite", database=url)
    try:
        known = make_url(url)
    except (exc.ArgumentError, ValueError) as error:  # the text may hold a password, so it is not repeated
        raise InputError(
            "the history's URL cannot be read; it looks like sqlite:///file.db or postgresql://user@host/name"
        ) from error
    if known.drivername in _POSTGRES:
        return known.set(drivername="postgresql+psycopg")
    if known.drivername != "sqlite":
        raise InputError(
            f"a history is kept in SQLite or PostgreSQL, not in {shown(known.drivername)}; "
            "give a file, sqlite:///file.db or postgresql://user@host/name"
        )
    if not known.database or known.database == ":memory:":
        raise InputError("a history needs a file: sqlite:///history.db")
    return known


def place(url: URL) -> str:
    """What messages call the database: the file, or the URL without its password."""
    return url.database or "" if url.drivername == "sqlite" else url.render_as_string(hide_password=True)


def engine_of(url: URL, *, create: bool, durable: bool) -> Engine:
    """Connections to the database; any number of threads may use them.

    Raises InputError where a file cannot be there, MissingExtra without the driver.
    """
    if url.drivername == "sqlite":
        _check_file(Path(url.database or ""), create)
        engine = sqlalchemy.create_engine(url, connect_args={"timeout": _BUSY})
        event.listen(engine, "connect", _prepared(durable))
        return engine
    try:
        return sqlalchemy.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT})
    except ImportError as error:
        raise MissingExtra("a history in PostgreSQL needs the extra postgres: pip install 'ganad[postgres]'") from error


def _check_file(path: Path, create: bool) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it for the history")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder for the history; make it first")
    if not create and not path.is_file():
        raise InputError(f"{path}: no such history; ganad watch or ganad serve --history writes one")


def _prepared(durable: bool) -> Any:
    """What every connection to SQLite is told first.

    With the write-ahead log readers and the writer do not wait for each other. A killed process loses nothing; with
    ``durable`` a power cut loses nothing that was reported as kept either.
    """

    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; pages that are free can be given back
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        cursor.close()

    return prepare


@contextlib.contextmanager
def told(where: str) -> Iterator[None]:
    """Errors of the driver as ours.

    HistoryUnavailable where another try may go well, InputError where the database is not a history.
    """
    try:
        yield
    except exc.DBAPIError as error:
        reason = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
        if isinstance(error, exc.OperationalError | exc.InterfaceError) or error.connection_invalidated:
            raise HistoryUnavailable(f"{where}: the history cannot be reached ({shown(reason[0], 300)})") from error
        raise InputError(f"{where}: not a history that ganad can use ({shown(reason[0], 300)})") from error
    except exc.TimeoutError as error:
        raise HistoryUnavailable(f"{where}: too many ask the history at once; try again") from error
