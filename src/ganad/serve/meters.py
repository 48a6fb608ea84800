"""What the service counts, for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .processes import FIGURES, AllWorkers
from .served import Current

if TYPE_CHECKING:
    from .board import Board

_KNOWN = {"/", "/score", "/model", "/health", "/metrics", "/openapi.json", "/docs", "/board", "/events", "/feedback"}


class Meters:
    """Counters of one application; ``waiting`` returns the number of samples in its queue."""

    def __init__(self, waiting: Callable[[], float]):
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("ganad_requests", "Requests by path and status", ["path", "status"], registry=registry)
        self.seconds = Histogram("ganad_score_seconds", "Time from request to answer of /score", registry=registry)
        buckets = (1, 2, 4, 8, 16, 32, 64, 128, 256)
        self.batches = Histogram("ganad_batch_samples", "Samples scored at once", buckets=buckets, registry=registry)
        self.flagged = Counter("ganad_anomalies", "Samples above the threshold", registry=registry)
        Gauge("ganad_waiting_samples", "Samples in the queue", registry=registry).set_function(waiting)

    def follow(self, current: Current) -> None:
        """Count models that took the place of another one, and those that could not."""
        self._gauge("ganad_model_reloads", "Models that took the place of another", lambda: current.reloads)
        self._gauge("ganad_model_failures", "Files that could not take its place", lambda: current.failures)

    def watch(self, board: Board) -> None:
        """Show what the history says."""
        recorder, live = board.recorder, board.live
        self._gauge("ganad_history_written", "Samples handed to the history", lambda: recorder.written)
        self._gauge("ganad_history_behind", "Samples that are not in the history yet", lambda: recorder.behind)
        self._gauge("ganad_history_dropped", "Samples that the history lost", lambda: recorder.dropped)
        self._gauge("ganad_drift", "1 where the model drifts", lambda: live.verdict.drifting)
        self._gauge("ganad_drift_log_martingale", "Natural logarithm; alarm at log(100)", lambda: live.log_martingale)
        self._gauge("ganad_flagged_share", "Of the latest 500 samples", lambda: live.flagged_share)

    def _gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        Gauge(name, meaning, registry=self.registry).set_function(value)

    def answered(self, path: str, status: int) -> None:
        """Count one answer; all other paths share one counter, or any client could fill the memory with names."""
        self.requests.labels(path if path in _KNOWN else "other", str(status)).inc()

    def text(self) -> bytes:
        """Prometheus' text format; of several workers whoever is asked tells the figures of all."""
        return generate_latest(AllWorkers(self.registry) if FIGURES in os.environ else self.registry)
