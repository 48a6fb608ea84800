"""A history that is waited for while it cannot be reached."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from ..errors import HistoryUnavailable

_LOG = logging.getLogger("ganad")
_FIRST, _LONGEST = 0.1, 5.0  # seconds between two tries

T = TypeVar("T")


class Stopped(Exception):
    """The watch was asked to end while it waited for the history; what it had scored is scored again next time."""


def patiently(call: Callable[[], T], stop: threading.Event) -> T:
    """What ``call`` returns once the history can be reached; the log says that it waits. Raises Stopped."""
    pause, waited = _FIRST, False
    while True:
        try:
            result = call()
        except HistoryUnavailable as error:
            if not waited:
                _LOG.warning("%s; waiting for it", error)
            waited = True
            if stop.wait(pause):
                raise Stopped from error
            pause = min(2 * pause, _LONGEST)
            continue
        if waited:
            _LOG.warning("the history is back")
        return result
