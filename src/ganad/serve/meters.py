"""What the service counts, for Prometheus."""

from __future__ import annotations

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .processes import FIGURES, AllWorkers

_KNOWN = {"/", "/score", "/model", "/health", "/metrics", "/openapi.json", "/docs"}


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

    def answered(self, path: str, status: int) -> None:
        """Count one answer; all other paths share one counter, or any client could fill the memory with names."""
        self.requests.labels(path if path in _KNOWN else "other", str(status)).inc()

    def text(self) -> bytes:
        """Prometheus' text format; of several workers whoever is asked tells the figures of all."""
        return generate_latest(AllWorkers(self.registry) if FIGURES in os.environ else self.registry)
