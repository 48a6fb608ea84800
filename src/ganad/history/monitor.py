"""A history's samples of one model, read as they come, and the verdict on them."""

from __future__ import annotations

import math
import time

import numpy as np

from .changes import Change, changes
from .drift import Drift, promised
from .entries import ModelRecord, Row
from .store import History
from .verdict import NOT_CALIBRATED, Verdict, verdict

_LONGEST = 200_000  # samples that are read at first: the latest
_REST = 10  # times as long as reading everything took, before it is done again
_AGAIN = 30.0  # seconds for which what changed most is remembered
_COMPARED = 1000  # samples on either side of the beginning of drift


class Monitor:
    """Follows what one model says; ``refresh`` reads what is new.

    Samples that a person calls anomalies are left out. A mark that is made later therefore has everything read again,
    the latest 200,000 samples at most, and soon rather than at once where that takes long.
    """

    def __init__(self, history: History, model: ModelRecord):
        self.history, self.model = history, model
        self._calibration = None if model.calibration is None else np.frombuffer(model.calibration)
        self._start((0, 0.0))

    def _start(self, confirmed: tuple[int, float]) -> None:
        self.last_id: int | None = None  #: of the samples that were looked at, of any model; None before the first look
        self.drift = None if self._calibration is None else Drift(self._calibration)
        self._confirmed, self._again_from, self._compared_at = confirmed, 0.0, -math.inf
        self._changes: list[Change] = []

    def refresh(self) -> bool:
        """Read what is new, and return whether anything was; raises HistoryUnavailable."""
        if self.drift is None:
            return False
        started = time.monotonic()
        confirmed = self.history.confirmed(self.model.sha256)
        if confirmed != self._confirmed and started >= self._again_from:
            self._start(confirmed)
        first = self.last_id is None
        self.last_id, times, scores, flagged = self.history.scores(
            self.model.sha256, after_id=self.last_id or 0, newest=_LONGEST if first else None
        )
        self.drift.update(scores, times, flagged)
        if first:
            self._again_from = time.monotonic() + _REST * (time.monotonic() - started)
        return first or len(scores) > 0

    def verdict(self) -> Verdict:
        """What is known now."""
        if self._calibration is None or self.drift is None:
            return Verdict(False, NOT_CALIBRATED)
        rate = self.model.false_alarm_rate or promised(self._calibration, self.model.threshold)
        began = self.drift.began
        if began is None:
            return verdict(self.drift, rate)
        if time.monotonic() >= self._compared_at + _AGAIN:
            self._changes = changes(self._rows(until=began), self._rows(since=began))
            self._compared_at = time.monotonic()
        return verdict(self.drift, rate, self._changes)

    def _rows(self, since: float | None = None, until: float | None = None) -> list[dict[str, float]]:
        which = dict(model=self.model.sha256, since=since, until=until)
        found: list[Row] = self.history.rows(limit=_COMPARED, newest=True, thumbnails=False, **which)  # type: ignore[arg-type]
        return [row.traits for row in found if row.feedback != "anomaly"]
