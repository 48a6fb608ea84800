"""What a history holds: samples with their verdicts, files that are done, models."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

Feedback = Literal["normal", "anomaly"]


RANDOM = 32  #: characters of a random key; one that is made of its sample has another length


def new_key() -> str:
    """A key that no other sample has, ``RANDOM`` characters long."""
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a model said of one sample."""

    name: str  #: what a person calls the sample: a path, a row
    score: float  #: higher is more anomalous
    is_anomaly: bool  #: score > threshold
    threshold: float  #: of the model at that time; infinite where it flags nothing
    seen_at: float  #: seconds since 1970-01-01 UTC
    model: str  #: SHA-256 of the model's file
    p_value: float | None = None  #: conformal, of a calibrated model
    #: What is unique to the sample: the same key of the same model is kept once. By itself it is a random one.
    key: str = field(default_factory=new_key)
    boxes: list[Any] | None = None  #: regions that were flagged, as JSON
    thumbnail: bytes | None = None  #: a small JPEG or PNG
    traits: dict[str, float] = field(default_factory=dict)  #: what may change over time, such as brightness
    spot_check: bool = False  #: chosen at random, before its verdict was known, to be looked at by a person


@dataclass(frozen=True, kw_only=True, slots=True)
class Row(Entry):
    """An entry that is kept."""

    id: int  #: ascending in the order of keeping
    feedback: Feedback | None = None  #: what a person says it is
    feedback_at: float | None = None  #: seconds since 1970-01-01 UTC


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRecord:
    """A file whose samples are all in the history, or that could not be read."""

    key: str  #: of this content of this file, such as a hash of path, size and time; or of a table's flagged rows
    name: str  #: its path, for people
    model: str  #: SHA-256 of the model's file
    seen_at: float  #: seconds since 1970-01-01 UTC
    flagged: bool = False  #: whether one of its samples was
    problem: str | None = None  #: why it could not be read
    acted: bool = False  #: whether what is to happen to a flagged file has happened


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRecord:
    """A model that wrote to the history."""

    sha256: str  #: of its file
    name: str  #: of its file
    method: str  #: its class
    threshold: float
    false_alarm_rate: float | None = None  #: the share of normal samples that its threshold may flag
    parent: str | None = None  #: SHA-256 of the model that it was made from
    calibration: bytes | None = None  #: its scores of held-out normal samples, float64; None if it is not calibrated
    registered_at: float = 0.0  #: when it first wrote, seconds since 1970-01-01 UTC


class Filter(TypedDict, total=False):
    """Which rows; what is left out or None does not matter."""

    since: float | None  #: seen at this time or later, seconds since 1970-01-01 UTC
    until: float | None  #: seen before this time
    flagged: bool | None  #: called an anomaly, or not
    feedback: Literal["normal", "anomaly", "none"] | None  #: what a person said; "none": nothing yet
    model: str | None  #: SHA-256 of the model's file
    spot_check: bool | None  #: chosen at random to be looked at, or not
    review: bool | None  #: for a person to look at: flagged ones and spot checks; False: the others
