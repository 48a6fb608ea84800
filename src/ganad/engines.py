"""Where independent jobs run: one after another here, in processes of this machine; ``ganad.scale`` adds a cluster.

Whoever has jobs gives an engine a function and the items it is called with, and does not know which engine it is. An
item is taken when a worker is free for it, so an iterator that ends early starts no more jobs, and one that makes its
items as it goes never holds all of them.
"""

from __future__ import annotations

import contextlib
import contextvars
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Lost:
    """What comes of an item whose worker ended every time it was tried."""

    reason: str


class Engine(Protocol):
    """Something that calls a function with every item."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        """Each item with its result, in the order in which they come; what the function raises is raised here.

        When the iteration ends early, by Ctrl-C or because nobody goes on with it, what comes later is dropped.
        """
        ...


class Serial:
    """One item after another, in this process."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        for item in items:
            yield item, function(item)


@dataclass(frozen=True)
class Processes:
    """Processes of one thread each. An item that ends its process is tried again in a process of its own."""

    workers: int

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        waiting, done, others = iter(items), False, set(multiprocessing.active_children())
        while not done:
            running: dict[Future[R], T] = {}
            try:
                with self._pool(self.workers) as pool:
                    try:
                        yield from self._fed(pool, function, waiting, running)
                        done = True
                    except (KeyboardInterrupt, GeneratorExit):
                        for worker in set(multiprocessing.active_children()) - others:
                            worker.terminate()  # leaving the pool would wait for their jobs
                        raise
            except BrokenProcessPool:  # one of them ended its worker, and the pool with it
                for lost in running.values():
                    yield lost, self._alone(function, lost)

    def _fed(
        self,
        pool: ProcessPoolExecutor,
        function: Callable[[T], R],
        waiting: Iterator[T],
        running: dict[Future[R], T],
    ) -> Iterator[tuple[T, R | Lost]]:
        while True:
            while len(running) < self.workers:
                try:
                    item = next(waiting)
                except StopIteration:
                    break
                running[_submitted(pool, function, item)] = item
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield running.pop(future), result

    def _alone(self, function: Callable[[T], R], item: T) -> R | Lost:
        with self._pool(1) as pool:
            try:
                return pool.submit(function, item).result()
            except BrokenProcessPool:
                return Lost("the process ended, as it does when memory runs out")

    def _pool(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent)


def _submitted(pool: ProcessPoolExecutor, function: Callable[[T], R], item: T) -> Future[R]:
    """A job of the pool. One that broke meanwhile says so when the result is asked for, as for the jobs it had."""
    try:
        return pool.submit(function, item)
    except BrokenProcessPool as error:
        refused: Future[R] = Future()
        refused.set_exception(error)
        return refused


def local(workers: int) -> Engine:
    """The engine for this machine alone."""
    return Processes(workers) if workers > 1 else Serial()


@contextlib.contextmanager
def on(engine: Engine) -> Iterator[None]:
    """Within: what a fit could do in processes of this machine, such as train the members of an ensemble, runs there.

    ``with engines.on(ganad.scale.Cluster(workers=8)): Ensemble(members=[...]).fit(x)``
    """
    before = _elsewhere.set(engine)
    try:
        yield
    finally:
        _elsewhere.reset(before)


def chosen(workers: int) -> Engine:
    """The engine that ``on`` names, or one of so many processes of this machine."""
    return _elsewhere.get() or local(workers)


_elsewhere: contextvars.ContextVar[Engine | None] = contextvars.ContextVar("elsewhere", default=None)


def end_with_parent() -> None:
    """Make this worker end when its parent is killed; otherwise it would finish its job for nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
