"""The model that answers, and how another one takes its place without a request being dropped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..detector import Detector
from ..errors import InputError
from .answers import finite
from .limits import Limits
from .photos import EngineName, columns_of, input_of, scoring_of
from .scoring import Keep, Scoring, forget

_LOG = logging.getLogger("ganad")
_LOOK = 1.0  # seconds between two looks at the model's file


@dataclass(frozen=True)
class Served:
    """One model and what scores with it. A request keeps to the one that it began with."""

    detector: Detector
    engine: str
    scoring: Scoring
    sha256: str  #: of its file; empty of a model that has none

    @classmethod
    def of(
        cls,
        detector: Detector,
        engine: EngineName,
        limits: Limits,
        sha256: str = "",
        keeping: Callable[[Detector, str], Keep] = lambda detector, sha256: forget,
    ) -> Served:
        """``keeping`` makes what keeps the answers of a detector, before it answers.

        Raises InputError or MissingExtra for a model or an engine that cannot be had.
        """
        name, scoring = scoring_of(detector, engine, limits, keeping(detector, sha256))
        return cls(detector, name, scoring, sha256)

    def about(self) -> dict[str, Any]:
        """Method, input and threshold."""
        detector = self.detector
        return {
            "method": type(detector).__name__,
            **input_of(detector),
            "columns": list(getattr(detector, "columns_", None) or []),
            "threshold": finite(detector.threshold_),
            "calibrated": hasattr(detector, "calibration_"),
            "sha256": self.sha256,
            "engine": self.engine,
            "version": __version__,
        }


class Current:
    """The model that answers now; ``on_change`` is told of every one, the first as well."""

    def __init__(self, served: Served, on_change: Callable[[Served], None]):
        self.on_change = on_change
        self.reloads = self.failures = 0
        self.put(served)

    def put(self, served: Served) -> None:
        """Answer with this model from the next request on; those under way end with theirs."""
        self.on_change(served)
        self.served = served

    async def reload(self, load: Callable[[], Served]) -> None:
        """Answer with what ``load`` returns, which runs in a thread.

        If it cannot, or the new model takes other samples, the old one goes on answering.
        """
        try:
            new = await asyncio.to_thread(load)
            _refuse_other(self.served.detector, new.detector)
        except Exception as error:  # whatever is wrong with a file, the service stays up
            self.failures += 1
            _LOG.error("the model is not replaced: %s", error)
            return
        if new.sha256 != self.served.sha256:
            self.put(new)
            self.reloads += 1
            _LOG.info("answering with the model %s", new.sha256[:12])


def _refuse_other(old: Detector, new: Detector) -> None:
    """Raise InputError for a model that takes other samples: clients go on sending those of the old one."""
    kinds = input_of(old)["kind"], input_of(new)["kind"]
    if kinds[0] != kinds[1]:
        raise InputError(f"the file's model is for {kinds[1]} and this service for {kinds[0]}; start another service")
    if columns_of(old) != columns_of(new):
        raise InputError("the file's model is for a table with other columns; start another service for it")


class ModelFile:
    """A model's file, and a task that reloads it on SIGHUP and when it has changed."""

    def __init__(self, path: Path):
        self.path, self.known = path, signature(path)

    async def follow(self, reload: Callable[[], Any]) -> None:
        """Await ``reload()`` on SIGHUP, and when the file is another one for two looks, so that it is whole."""
        hung_up = asyncio.Event()
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)
        seen = self.known
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hung_up.wait(), _LOOK)
            now = signature(self.path)
            if hung_up.is_set() or (now == seen and now not in (None, self.known)):
                hung_up.clear()
                self.known = now
                await reload()
            seen = now


def signature(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is replaced or written; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
