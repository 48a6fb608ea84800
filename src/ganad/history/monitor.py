"""A history's samples of one model, read as they come, and the verdict on them."""

from __future__ import annotations

import numpy as np

from .drift import Drift, promised
from .entries import Row
from .store import History
from .traits import changes
from .verdict import NOT_CALIBRATED, Verdict, verdict

_LONGEST = 200_000  # samples that are read at first: the latest
_COMPARED = 1000  # samples on either side of the beginning of drift


class Monitor:
    """Follows what one model says; ``refresh`` reads what is new.

    Samples that a person calls anomalies are left out. A mark that is made later therefore has everything read again,
    the latest 200,000 samples at most. model: SHA-256 of its file; calibration: its scores ``(m,)``, None of a model
    that is not calibrated.
    """

    def __init__(self, history: History, model: str, calibration: np.ndarray | None, threshold: float):
        self.history, self.model, self.calibration, self.threshold = history, model, calibration, threshold
        self._confirmed = 0
        self._start()

    def _start(self) -> None:
        self.last_id = 0  #: of what was read
        self.drift = None if self.calibration is None else Drift(self.calibration)

    def refresh(self) -> bool:
        """Read what is new, and return whether anything was; raises HistoryUnavailable."""
        if self.drift is None:
            return False
        confirmed = self.history.count(model=self.model, feedback="anomaly")
        again = confirmed != self._confirmed
        if again:
            self._start()
        self._confirmed = confirmed
        most = _LONGEST if self.last_id == 0 else None
        ids, times, scores, flagged = self.history.scores(self.model, after_id=self.last_id, newest=most)
        self.drift.update(scores, times, flagged)
        self.last_id = int(ids[-1]) if len(ids) else self.last_id
        return again or len(ids) > 0

    def verdict(self) -> Verdict:
        """What is known now."""
        if self.calibration is None or self.drift is None:
            return Verdict(False, NOT_CALIBRATED)
        rate, began = promised(self.calibration, self.threshold), self.drift.began
        if began is None:
            return verdict(self.drift, rate)
        before = self._rows(until=began)
        return verdict(self.drift, rate, changes(before, self._rows(since=began)))

    def _rows(self, since: float | None = None, until: float | None = None) -> list[dict[str, float]]:
        which = dict(model=self.model, since=since, until=until)
        found: list[Row] = self.history.rows(limit=_COMPARED, newest=True, thumbnails=False, **which)  # type: ignore[arg-type]
        return [row.traits for row in found if row.feedback != "anomaly"]
