"""From a body to its answer: read, queue, score, explain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..detector import Detector
from ..errors import InputError
from .answers import explanations, finite, verdicts
from .batching import Batcher, Full, Readers
from .bodies import parse
from .engine import Scorer
from .image_body import is_light
from .limits import Limits
from .rejections import RETRY, Refused

_EXPLAINED_SAMPLES = 100  # of one request, those with the highest scores

#: names, samples, scores and, by sample, reasons
Scored = tuple[list[str], np.ndarray, np.ndarray, dict[int, Any]]
Keep = Callable[[Scored], None]


def forget(scored: Scored) -> None:
    """Keep nothing."""


class Scoring:
    """One detector behind a queue: ``scorer`` scores in one thread, other threads read large bodies.

    ``keep`` gets what was scored, before it is answered; it must return at once.
    """

    def __init__(self, detector: Detector, scorer: Scorer, limits: Limits, keep: Keep = forget):
        self.detector, self.limits, self.keep = detector, limits, keep
        self.batcher = Batcher(scorer, waiting=limits.waiting)
        self.readers = Readers(limits.reading)

    async def answer(self, body: bytes, content_type: str, explain: bool, name: str = "") -> dict[str, Any]:
        """The threshold and a result a sample; ``name`` is what is kept as the body's.

        Refused for a body that cannot be read and while too much waits.
        """
        try:
            async with asyncio.timeout(self.limits.seconds):
                scored = await self._scored(body, content_type, explain)
        except (Full, TimeoutError) as error:
            raise Refused(503, "busy; try again later", **RETRY) from error
        except InputError as error:
            raise Refused(422, str(error)) from error
        names, x, scores, reasons = scored
        self.keep((named(names, name, x), x, scores, reasons))
        results = verdicts(self.detector, names, scores)
        for i, reason in reasons.items():
            results[i]["explanation"] = reason
        return {"threshold": finite(self.detector.threshold_), "results": results}

    async def _scored(self, body: bytes, content_type: str, explain: bool) -> Scored:
        read = partial(parse, body, content_type, self.detector, self.limits)
        samples = read() if is_light(body) else await self.readers.run(read)
        x, names = samples.x, samples.names or []
        scores = samples.judged(await self.batcher.submit(x))
        if not explain:
            return names, x, scores, {}
        shown = np.argsort(-scores, kind="stable")[:_EXPLAINED_SAMPLES]
        reasons = await self.batcher.run(lambda: explanations(self.detector, x[shown]), len(shown))
        return names, x, scores, dict(zip(shown.tolist(), reasons))


def named(names: list[str], name: str, x: np.ndarray) -> list[str]:
    """What the history calls the samples of a body: by the name that it came with, if any."""
    if not name:
        return names
    return [name] if x.ndim > 2 else [f"{name}, row {row}" for row in names]
