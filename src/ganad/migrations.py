"""Settings of older versions, as model files and rows of results have them, translated to today's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """Changes of one version to the settings of a class and its subclasses."""

    version: str  #: the first with the change, such as "0.2"
    added: Mapping[str, Any] = field(default_factory=dict)  #: new settings, with the value that acts as before
    renamed: Mapping[str, str] = field(default_factory=dict)  #: old name to new name
    dropped: frozenset[str] = frozenset()  #: settings that meant nothing


def upgraded(cls: type, settings: Mapping[str, Any], written_by: str) -> dict[str, Any]:
    """``settings`` that version ``written_by`` of ganad stored for ``cls``, under today's names.

    A setting that did not exist then takes the value with which it acts as that version did. This may differ from
    today's default.

    >>> @dataclass
    ... class Net:
    ...     false_alarm_rate: float = 0.01
    ...     warm_up: int = 5
    ...     CHANGES = (Change("0.2", added={"warm_up": 0}, renamed={"alpha": "false_alarm_rate"}),)
    >>> upgraded(Net, {"alpha": 0.05}, written_by="0.1.3")
    {'false_alarm_rate': 0.05, 'warm_up': 0}
    """
    known = {f.name for f in dataclasses.fields(cls)}
    found = dict(settings)
    for change in _changes(cls):
        if _number(written_by) >= _number(change.version):
            continue
        for old, new in change.renamed.items():
            if old in found and old not in known:
                found[new] = found.pop(old)
        for name in change.dropped - known:
            found.pop(name, None)
        for name, value in change.added.items():
            if name in known:
                found.setdefault(name, value)
    return found


def _changes(cls: type) -> Iterator[Change]:
    """The changes of the class before those of its bases, so that it may override the values of theirs."""
    for base in cls.__mro__:
        yield from vars(base).get("CHANGES", ())


def _number(version: str) -> tuple[int, ...]:
    """The minor version, ``"0.2.1" -> (0, 2)``; a version that cannot be read is the oldest."""
    parts = version.split(".")[:2]
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (0, 0)
