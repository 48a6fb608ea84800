"""Requests that arrive together are scored together, by one thread, and no more of them wait than was agreed."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

Job = tuple[np.ndarray, "asyncio.Future[np.ndarray]"]


class Full(Exception):
    """Too many samples are waiting."""


class Batcher:
    """While one batch is being scored the next one gathers: no timer, and no waiting when nothing else is to do."""

    def __init__(self, score: Callable[[np.ndarray], np.ndarray], *, waiting: int, largest: int = 256):
        self.score, self.waiting, self.largest = score, waiting, largest
        self.jobs: deque[Job] = deque()
        self.n_waiting = 0
        self.on_batch: Callable[[int], Any] = lambda n: None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="score")
        self.task: asyncio.Task[None] | None = None

    async def submit(self, x: np.ndarray) -> np.ndarray:
        """Scores ``(n,)`` of samples ``(n, ...)``; raises Full."""
        if self.n_waiting and self.n_waiting + len(x) > self.waiting:
            raise Full
        future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self.jobs.append((x, future))
        self.n_waiting += len(x)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._work())
        return await future

    async def run(self, work: Callable[[], Any]) -> Any:
        """Other work for the scoring thread, such as an explanation."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    async def _work(self) -> None:
        while self.jobs:
            batch = [self.jobs.popleft()]
            n = len(batch[0][0])
            while self.jobs and n + len(self.jobs[0][0]) <= self.largest:
                batch.append(self.jobs.popleft())
                n += len(batch[-1][0])
            self.on_batch(n)
            try:
                together = np.concatenate([x for x, _ in batch])
                scores = await self.run(functools.partial(self.score, together))
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for part, (_, future) in zip(np.split(scores, np.cumsum([len(x) for x, _ in batch])[:-1]), batch):
                    if not future.done():  # its client may have left
                        future.set_result(part)
            finally:
                self.n_waiting -= n
