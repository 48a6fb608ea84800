"""Answers to a query: of DuckDB over files, of an SQLite file, of a PostgreSQL database.

A query is what somebody typed at a command line or wrote in a program. Nothing that is read from a file, and nothing
that a service receives, comes here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pyarrow

from ..errors import InputError, MissingExtra
from .frames import table_of
from .text_file import OFFLINE

_DATABASES = ("sqlite:///", "postgresql:", "postgres:")
_SCHEMES = ("duckdb:", *_DATABASES)
Answer = tuple[list[str], Iterator[pyarrow.RecordBatch]]


def is_query(place: str) -> bool:
    """Whether this names a database or a query, and not a file."""
    return place.startswith(_SCHEMES)


def takes_query(place: str) -> bool:
    """Whether this names a database, whose query may be said beside it; DuckDB's stands in the name."""
    return place.startswith(_DATABASES)


def answered(place: str, query: str | None, rows: int) -> Answer:
    """Names and rows, in parts, of ``duckdb:SELECT ...``, ``sqlite:///file.db`` or ``postgresql://host/database``.

    query: the SQL, where it does not stand in ``place`` (``?query=`` of a file of SQLite). Raises InputError for a
    query that fails, MissingExtra for PostgreSQL without its driver.
    """
    if place.startswith("duckdb:"):
        return _duckdb(place.removeprefix("duckdb:"), rows)
    if place.startswith("sqlite:///"):
        path, _, asked = place.removeprefix("sqlite:///").partition("?")
        return _sqlite(unquote(path), query or _asked(asked), rows)
    return _postgres(place, query, rows)


def shown_place(place: str) -> str:
    """What messages and files call it: without a password."""
    if not place.startswith(("postgresql:", "postgres:")):
        return place
    parts = urlsplit(place)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _asked(options: str) -> str | None:
    return next(iter(parse_qs(options).get("query", [])), None)


def _duckdb(query: str, rows: int) -> Answer:
    import duckdb

    connection = duckdb.connect(config=OFFLINE)
    try:
        relation = connection.sql(query)
        if relation is None:
            raise InputError(f"duckdb:{query}: not a query that has rows; begin with SELECT")
        reader = relation.to_arrow_reader(rows)
    except duckdb.Error as error:
        raise InputError(f"duckdb:{query}: {_first(error)}") from error
    return list(reader.schema.names), _closing(connection, reader, f"duckdb:{query}")


def _closing(connection: Any, reader: Iterable[pyarrow.RecordBatch], place: str) -> Iterator[pyarrow.RecordBatch]:
    try:
        yield from reader
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{place}: {_first(error)}") from error
    finally:
        connection.close()


def _sqlite(path: str, query: str | None, rows: int) -> Answer:
    if not query:
        raise InputError(f"sqlite:///{path}: give the query as well: --query 'SELECT ...'")
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
        connection.execute("PRAGMA query_only = ON")
        cursor = connection.execute(query)
    except sqlite3.Error as error:
        raise InputError(f"{path}: {_first(error)}") from error
    if cursor.description is None:
        raise InputError(f"{path}: not a query that has rows; begin with SELECT")
    names = [column[0] for column in cursor.description]
    return names, _fetched(connection, cursor, names, rows, path)


def _fetched(connection: Any, cursor: Any, names: list[str], rows: int, path: str) -> Iterator[pyarrow.RecordBatch]:
    try:
        while part := cursor.fetchmany(rows):
            yield from table_of(names, part).to_batches()
    except sqlite3.Error as error:
        raise InputError(f"{path}: {_first(error)}") from error
    finally:
        connection.close()


def _postgres(place: str, query: str | None, rows: int) -> Answer:
    if not query:
        raise InputError(f"{shown_place(place)}: give the query as well: --query 'SELECT ...'")
    try:
        import psycopg  # noqa: F401
        import sqlalchemy
    except ImportError as error:
        raise MissingExtra("PostgreSQL needs the extra postgres: pip install 'ganad[postgres]'") from error
    try:
        url = sqlalchemy.make_url(place).set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(url)
        connection = engine.connect().execution_options(stream_results=True, postgresql_readonly=True)
        result = connection.exec_driver_sql(query)  # as it is: a colon begins no parameter
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise InputError(f"{shown_place(place)}: {_first(error)}") from error
    return list(result.keys()), _partitioned(connection, result, rows, shown_place(place))


def _partitioned(connection: Any, result: Any, rows: int, place: str) -> Iterator[pyarrow.RecordBatch]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        for part in result.partitions(rows):
            yield from table_of(list(result.keys()), [tuple(row) for row in part]).to_batches()
    except SQLAlchemyError as error:
        raise InputError(f"{place}: {_first(error)}") from error
    finally:
        connection.close()


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
