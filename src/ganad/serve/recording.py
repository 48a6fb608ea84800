"""What was scored, into the history: off the requests' path, and only so much of it may wait."""

from __future__ import annotations

import base64
import io
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..detector import Detector
from ..history import Entry, Writer
from ..history.entries import new_key
from ..watching.verdicts import Verdicts, is_spot_check, lights, thumbnail
from .scoring import Keep, Scored

_LOG = logging.getLogger("ganad")
_PAUSE = 0.1  # seconds in which samples gather, so that a batch of them is written at once
_PICTURES = 10  # a second, of samples that nobody is asked about
_MOST = 100_000  # samples that may wait
_ROOM = 128 * 2**20  # bytes of them


@dataclass(frozen=True)
class _Waiting:
    verdicts: Verdicts
    scored: Scored
    seen_at: float


class Recorder:
    """A thread that makes entries of what was scored and hands them to ``writer`` as fast as that keeps them.

    What comes while 100,000 samples or 128 MB of them wait is dropped, counted and told in the log. ``spot_checks`` is
    the share of samples, drawn before anything is known of them, that a person will be asked to look at.
    """

    def __init__(self, writer: Writer, spot_checks: float = 0.02):
        self.writer, self.spot_checks = writer, spot_checks
        self.written = 0  #: entries handed to the writer
        self._dropped = self._n = self._bytes = 0
        self._queue: deque[_Waiting] = deque()
        self._lock = threading.Lock()
        self._pictures = 0.0  # of the current second
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="record", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> int:
        """Samples that are not kept yet."""
        return self._n + self.writer.behind

    @property
    def dropped(self) -> int:
        """Samples that were given up."""
        return self._dropped + self.writer.dropped

    def keeping(self, detector: Detector, model: str) -> Keep:
        """What the ``Scoring`` of a detector calls with every answer; it returns at once. model: its SHA-256.

        To be called before the detector answers: which columns count is asked of it here, and only one thread may ask.
        """
        verdicts = Verdicts(detector, model, self.spot_checks)
        if hasattr(detector, "input_") and not detector.input_.is_image:
            verdicts.columns_of(np.zeros((1, *detector.input_.sample_shape)))
        return lambda scored: self._keep(_Waiting(verdicts, scored, time.time()))

    def _keep(self, item: _Waiting) -> None:
        n, size = len(item.scored[0]), item.scored[1].nbytes
        with self._lock:
            if self._n + n > _MOST or self._bytes + size > _ROOM:
                if not self._dropped:
                    _LOG.warning("the history falls behind: %d samples wait, what comes now is dropped", self._n)
                self._dropped += n
                return
            self._n += n
            self._bytes += size
            self._queue.append(item)

    def close(self) -> None:
        """Keep what waits, for some seconds at most, and end."""
        self._closed.set()
        self._thread.join()
        self.writer.close()

    def _work(self) -> None:
        last = False
        while not last:
            last = self._closed.wait(_PAUSE)
            self._pictures = min(_PICTURES, self._pictures + _PICTURES * _PAUSE)
            while self._queue:
                items = self._alike()
                try:
                    for part in self._entries(joined(items)):
                        self._hand_on(part)
                except Exception:  # one answer that cannot be kept must not end the keeping of all others
                    _LOG.exception("samples could not be made entries of the history")
                    self._dropped += sum(len(item.scored[0]) for item in items)
                with self._lock:
                    for item in items:
                        self._queue.popleft()
                        self._n -= len(item.scored[0])
                        self._bytes -= item.scored[1].nbytes

    def _alike(self) -> list[_Waiting]:
        """The first ones of the queue that one batch may hold: of one model and one moment."""
        first, found, n = self._queue[0], list[_Waiting](), 0
        for item in itertools.islice(self._queue.copy(), self.writer.batch):
            n += len(item.scored[0])
            same = item.verdicts is first.verdicts and item.seen_at < first.seen_at + _PAUSE
            same &= item.scored[1].shape[1:] == first.scored[1].shape[1:]  # photos differ in size
            if found and not (same and n <= self.writer.batch):
                break
            found.append(item)
        return found

    def _hand_on(self, part: list[Entry]) -> None:
        """Wait while the database is away: here what waits is smaller, and it is counted in one place."""
        while self.writer.behind > self.writer.waiting // 2 and not self._closed.wait(_PAUSE):
            pass
        self.writer.put(part)
        self.written += len(part)

    def _entries(self, item: _Waiting) -> Iterator[list[Entry]]:
        names, x, scores, reasons = item.scored
        size, verdicts = self.writer.batch, item.verdicts
        for start in range(0, len(names), size):
            part = slice(start, start + size)
            keys = [new_key() for _ in names[part]]
            drawn = [is_spot_check(key, verdicts.spot_checks) for key in keys]
            asked = (scores[part] > verdicts.detector.threshold_) | drawn
            maps = {i - start: reason for i, reason in reasons.items() if start <= i < start + size}
            looks = self._looks(verdicts, x[part], asked, maps)
            yield verdicts.entries(x[part], names[part], scores[part], keys, item.seen_at, looks)

    def _looks(
        self, verdicts: Verdicts, x: np.ndarray, asked: np.ndarray, maps: dict[int, Any]
    ) -> list[dict[str, Any]]:
        """Of every image that a person is asked about a picture, and of some others for the board."""
        if x.ndim == 2:
            return [{"traits": traits} for traits in verdicts.columns_of(x)]
        found: list[dict[str, Any]] = [{"traits": traits} for traits in lights(x)]
        for i, reason in maps.items():
            if isinstance(reason, list) and reason:  # places in a photo
                found[i]["boxes"] = reason
        for i, pixels in enumerate(x):
            if asked[i] or self._pictures >= 1:
                self._pictures -= not asked[i]
                map_ = maps.get(i)
                found[i]["thumbnail"] = thumbnail(overlaid(pixels, map_) if isinstance(map_, str) else pixels)
        return found


def joined(items: list[_Waiting]) -> _Waiting:
    """Several answers as one, with the time of the first."""
    if len(items) == 1:
        return items[0]
    starts = np.cumsum([0] + [len(item.scored[0]) for item in items]).tolist()
    reasons = {start + i: why for start, item in zip(starts, items) for i, why in item.scored[3].items()}
    names = [name for item in items for name in item.scored[0]]
    x, scores = (np.concatenate([item.scored[k] for item in items]) for k in (1, 2))
    return _Waiting(items[0].verdicts, (names, x, scores, reasons), items[0].seen_at)


def overlaid(pixels: np.ndarray, map_: str) -> np.ndarray:
    """An image ``(H, W, 3)`` under its heat map, a PNG in a data URL."""
    below = Image.fromarray(pixels.reshape(pixels.shape[: 2 if pixels.size == np.prod(pixels.shape[:2]) else 3]))
    above = Image.open(io.BytesIO(base64.b64decode(map_.partition(",")[2]))).convert("RGBA")
    return np.asarray(Image.alpha_composite(below.convert("RGBA"), above.resize(below.size)).convert("RGB"))
