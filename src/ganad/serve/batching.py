"""Requests that arrive together are scored together, by one thread, and only so many of them may wait."""

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


class Readers:
    """Two threads that read large bodies; at most ``waiting`` bodies are with them or wait for them."""

    def __init__(self, waiting: int):
        self.waiting = waiting
        self.n = 0
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="read")

    async def run(self, work: Callable[[], Any]) -> Any:
        """What ``work`` returns; raises Full."""
        if self.n >= self.waiting:
            raise Full
        self.n += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.threads, work)
        finally:
            self.n -= 1


class Batcher:
    """Scores in one thread. While it scores one batch the next one gathers, so an idle service never waits.

    A full batch goes to the thread before its turn, so that the thread need not wait for the event loop between two
    batches. Batches are small, so that the answers of one are written while the next is scored.
    """

    def __init__(self, score: Callable[[np.ndarray], np.ndarray], *, waiting: int, largest: int = 32):
        self.score, self.waiting, self.largest = score, waiting, largest
        self.jobs: deque[Job] = deque()
        self.n_gathered = 0  # samples of self.jobs
        self.n_waiting = 0  # these and the ones with the thread
        self.n_batches = 0  # with the thread
        self.on_batch: Callable[[int], Any] = lambda n: None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="score")

    async def submit(self, x: np.ndarray) -> np.ndarray:
        """Scores ``(n,)`` of samples ``(n, ...)``; raises Full."""
        if self.n_waiting and self.n_waiting + len(x) > self.waiting:
            raise Full
        future: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self.jobs.append((x, future))
        self.n_gathered += len(x)
        self.n_waiting += len(x)
        self._send()
        return await future

    async def run(self, work: Callable[[], Any], n: int) -> Any:
        """Other work for the scoring thread, such as the explanation of n samples; raises Full."""
        if self.n_waiting and self.n_waiting + n > self.waiting:
            raise Full
        self.n_waiting += n
        try:
            return await asyncio.get_running_loop().run_in_executor(self.thread, work)
        finally:
            self.n_waiting -= n

    def _send(self) -> None:
        """Give the thread a batch if it has none, and one ahead if that is full."""
        while self.jobs and self.n_batches <= (self.n_gathered >= self.largest):
            batch: list[Job] = []
            n = 0
            while self.jobs and (not n or n + len(self.jobs[0][0]) <= self.largest):
                x, future = self.jobs.popleft()
                self.n_gathered -= len(x)
                if future.done():  # its client has left, or its time is over
                    self.n_waiting -= len(x)
                    continue
                batch.append((x, future))
                n += len(x)
            if not n:
                return
            self.n_batches += 1
            self.on_batch(n)
            work = functools.partial(self._scored, [x for x, _ in batch])
            scoring = asyncio.get_running_loop().run_in_executor(self.thread, work)
            scoring.add_done_callback(functools.partial(self._answer, batch, n))

    def _scored(self, parts: list[np.ndarray]) -> list[np.ndarray]:
        return np.split(self.score(np.concatenate(parts)), np.cumsum([len(x) for x in parts])[:-1])

    def _answer(self, batch: list[Job], n: int, done: asyncio.Future[list[np.ndarray]]) -> None:
        self.n_batches -= 1
        self.n_waiting -= n
        error = done.exception()
        for i, (_, future) in enumerate(batch):
            if future.done():  # its client has left
                continue
            if error:
                future.set_exception(error)
            else:
                future.set_result(done.result()[i])
        self._send()
