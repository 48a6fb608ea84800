"""What the board shows, made once a second in a thread for all who look."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HistoryUnavailable
from ..history import History, Row
from ..history.drift import ALARM
from ..history.monitor import Monitor
from ..history.verdict import NOT_CALIBRATED, Verdict
from ..watching.verdicts import record_of
from .answers import finite
from .recording import Recorder
from .served import Served

_LOG = logging.getLogger("ganad")
_EVERY = 1.0  # seconds
_LATEST = 24  # samples shown
_QUEUE = 12  # samples shown of those that wait for a person
_BINS = 10


class Live:
    """Follows the history for the model that is served; ``snapshot`` is JSON, ``version`` grows with every new one."""

    def __init__(self, history: History, recorder: Recorder, path: Path):
        self.history, self.recorder, self.path = history, recorder, path
        self.verdict = Verdict(False, "starting")
        self.monitor: Monitor | None = None
        self.version, self.snapshot = 0, b"{}"
        self.viewers = 0  #: without any, no snapshot is made
        self._served: Served | None = None
        self._asked = threading.Event()  # to look again at once
        self._closed = False
        self._shown: tuple[Any, ...] = ()
        self._thread = threading.Thread(target=self._work, name="live", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def serve(self, served: Served) -> None:
        """Follow this model from now on."""
        self._served = served
        self._asked.set()

    def look(self) -> None:
        """Something was marked: look again now."""
        self._shown = ()
        self._asked.set()

    def close(self) -> None:
        """End."""
        self._closed = True
        self._asked.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def log_martingale(self) -> float:
        """Natural logarithm; not a number where the model is not calibrated."""
        drift = self.monitor and self.monitor.drift
        return drift.log_martingale if drift else math.nan

    @property
    def flagged_share(self) -> float:
        """Of the latest samples; not a number of none."""
        rate = self.verdict.rate
        return math.nan if rate is None or rate.share is None else rate.share

    def _work(self) -> None:
        while not self._closed:
            try:
                self._look()
            except HistoryUnavailable:
                self._publish({"problem": "the history cannot be reached; what is scored waits for it"})
                self._shown = ()  # so that its return is told
            except Exception:  # a board that fails must not end the service, and tries again
                _LOG.exception("the board could not be made")
            self._asked.wait(_EVERY)
            self._asked.clear()

    def _look(self) -> None:
        served = self._served
        if served is None:
            return
        if self.monitor is None or self.monitor.model.sha256 != served.sha256:
            self.monitor = self._begun(served)
        if self.monitor.refresh() or self._shown == ():
            self.verdict = self.monitor.verdict()
        seen = self.monitor.drift.n if self.monitor.drift else 0
        state = (served.sha256, seen, self.recorder.behind > 0, self.recorder.dropped, self.recorder.written)
        if self.viewers and state != self._shown:
            self._shown = state
            self._publish(self._state(served, self.monitor))

    def _begun(self, served: Served) -> Monitor:
        record = record_of(served.detector, self.path.name, served.sha256)
        self.history.register(record)
        return Monitor(self.history, record)

    def _publish(self, changed: dict[str, Any]) -> None:
        known = json.loads(self.snapshot) | {"problem": None} | changed
        text = json.dumps(known).encode()
        if text != self.snapshot:
            self.snapshot = text
            self.version += 1

    def _state(self, served: Served, monitor: Monitor) -> dict[str, Any]:
        latest = self.history.rows(limit=_LATEST, newest=True)
        queue = self.history.rows(limit=_QUEUE, newest=True, review=True, feedback="none")
        return {
            "model": {"method": type(served.detector).__name__, "sha256": served.sha256[:12]},
            "latest": [shown(row) for row in latest],
            "queue": [shown(row) for row in queue],
            "waiting": self.history.count(review=True, feedback="none"),
            "written": self.recorder.written,
            "behind": self.recorder.behind,
            "dropped": self.recorder.dropped,
            "at": time.time(),
            **statistics(monitor, self.verdict),
        }


def statistics(monitor: Monitor, verdict: Verdict) -> dict[str, Any]:
    """Verdict, rate, histogram of p-values and curve of the martingale, in powers of ten."""
    drift, rate = monitor.drift, verdict.rate
    known: dict[str, Any] = {"drifting": verdict.drifting, "sentence": verdict.sentence, "since": verdict.since}
    known["changes"] = [str(change) for change in verdict.changes]
    if drift is None or rate is None:
        return known | {"sentence": NOT_CALIBRATED, "rate": None}
    counts = np.histogram(drift.p_values, bins=_BINS, range=(0, 1))[0].tolist()
    curve = [[at, round(log / math.log(10), 3)] for at, log in drift.curve]
    return known | {
        "rate": {"share": rate.share, "low": rate.low, "high": rate.high, "promised": rate.promised, "n": rate.n},
        "histogram": counts,
        "curve": curve,
        "evidence": round(drift.log_martingale / math.log(10), 3),
        "alarm": math.log10(ALARM),
        "scored": drift.n,
    }


def shown(row: Row) -> dict[str, Any]:
    """A row as the board shows it."""
    return {
        "id": row.id,
        "name": row.name[:200],
        "score": finite(row.score),
        "threshold": finite(row.threshold),
        "p_value": row.p_value,
        "is_anomaly": row.is_anomaly,
        "seen_at": row.seen_at,
        "spot_check": row.spot_check,
        "feedback": row.feedback,
        "picture": row.thumbnail is not None,
        "boxes": row.boxes,
    }
