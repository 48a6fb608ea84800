"""The tables of a history, and entries as their rows and back. Times are seconds since 1970-01-01 UTC."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from .entries import Entry, Row

VERSION = 1  #: of the tables; another one is refused

metadata = MetaData()

#: One row: what the other tables look like.
history = Table(
    "ganad_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

samples = Table(
    "ganad_samples",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("model", String(64), nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("score", Double, nullable=False),
    Column("is_anomaly", Boolean, nullable=False),
    Column("p_value", Double),
    Column("threshold", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("boxes", Text),
    Column("thumbnail", LargeBinary),
    Column("traits", Text),
    Column("spot_check", Boolean, nullable=False),
    Column("feedback", String(16)),
    Column("feedback_at", Double),
    Column("bytes", Integer, nullable=False),  # about what the row takes, for retention by size
    UniqueConstraint("model", "key"),
    Index("ganad_samples_seen_at", "seen_at"),
    sqlite_autoincrement=True,  # an id is never given twice, so whoever asks for rows after one misses none
)

files = Table(
    "ganad_files",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("flagged", Boolean, nullable=False),
    Column("problem", Text),
    Column("acted", Boolean, nullable=False),
)

#: Samples that retention took and that may be met again, as the rows of a table that grows. Histories of earlier
#: versions of ganad lack it until one of this version writes to them.
forgotten = Table(
    "ganad_forgotten",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("is_anomaly", Boolean, nullable=False),
)

models = Table(
    "ganad_models",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("false_alarm_rate", Double),
    Column("parent", String(64)),
    Column("calibration", LargeBinary),
    Column("registered_at", Double, nullable=False),
)

#: What waits for a person is found without reading all that does not.
_waiting = (samples.c.is_anomaly | samples.c.spot_check).is_(True) & samples.c.feedback.is_(None)
Index("ganad_samples_waiting", samples.c.id, sqlite_where=_waiting, postgresql_where=_waiting)
_marked = samples.c.feedback.is_not(None)
Index("ganad_samples_marked", samples.c.model, samples.c.feedback, sqlite_where=_marked, postgresql_where=_marked)

_ROW_OVERHEAD = 200  # bytes of numbers, hash and index


def record(entry: Entry) -> dict[str, Any]:
    """An entry as a row of ``samples``. A score that is no number is an infinite one, an anomaly."""
    values = {f.name: getattr(entry, f.name) for f in dataclasses.fields(Entry)}
    traits = {name: value for name, value in entry.traits.items() if math.isfinite(value)}
    # SQLite takes NaN for nothing, and the row would be refused with all that are kept with it
    is_number = not math.isnan(entry.score)
    values |= {
        "name": storable(entry.name),
        "score": float(entry.score) if is_number else math.inf,
        "is_anomaly": bool(entry.is_anomaly) or not is_number,
        "boxes": None if entry.boxes is None else _json(entry.boxes),
        "traits": _json(traits) if traits else None,
    }
    long = ("name", "key", "boxes", "traits", "thumbnail")
    return values | {"bytes": _ROW_OVERHEAD + sum(len(values[name] or "") for name in long)}


def row(values: Any) -> Row:
    """A row of ``samples``, perhaps without its thumbnail."""
    known = {k: v for k, v in values.items() if k != "bytes"}
    boxes, traits = known["boxes"], known["traits"]
    known["boxes"] = None if boxes is None else msgspec.json.decode(boxes)
    known["traits"] = {} if traits is None else msgspec.json.decode(traits)
    return Row(**known)


def storable(text: str) -> str:
    """The text as every database takes it: no half characters, as in file names that are not UTF-8, and no NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _json(value: Any) -> str:
    return storable(msgspec.json.encode(value).decode())
