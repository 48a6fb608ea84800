"""Ray as an engine: a pool of workers on the machines of a cluster, or on this one."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from .. import registry
from ..engines import Lost
from ..errors import InputError, MissingExtra

T = TypeVar("T")
R = TypeVar("R")

_OBJECTS = 200 * 2**20  # bytes of Ray's store on a machine of our own: only results of a few hundred bytes pass it
_QUIET = dict(log_to_driver=False, logging_level="ERROR")
_PATIENCE = 5.0  # seconds in which an address must answer
_TRIES = 4


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster as an engine; see ``ganad.engines.Engine``.

    Its workers are processes that stay, so that what one has read or loaded serves the next item as well. An item whose
    worker ends is tried again, four times in all, on whatever machine is left. Raises InputError for an address where
    no cluster answers or a share that no machine has, MissingExtra without Ray.
    """

    address: str | None = None  #: "auto", "host:port" or "ray://host:port"; None starts Ray on this machine alone
    workers: int | None = None  #: None means one a core of the cluster, or one a share of a GPU
    gpus: float = 0.0  #: of a worker; 0.25 lets four share one

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        with self.connected() as ray:
            pool = _Pool(ray, function, self.size(ray), self.gpus)
            try:
                yield from pool.results(iter(items))
            finally:
                pool.close()

    @contextlib.contextmanager
    def connected(self) -> Iterator[ModuleType]:
        """Ray, connected for the length of this block; a connection that the program has already is used and kept."""
        ray = imported()
        if self.address is not None:
            _refuse_silence(self.address, self._refusal)
        if ray.is_initialized():
            yield ray
            return
        self._connect(ray)
        try:
            yield ray
        finally:
            ray.shutdown()

    @property
    def _refusal(self) -> str:
        return f"no Ray cluster answers at {self.address}; start one with: ray start --head"

    def _connect(self, ray: ModuleType) -> None:
        if self.address is None:
            from ..devices import available_cores  # imports torch, which workers of other jobs do without

            start(ray, max(self.workers or 1, available_cores()))
            return
        plugins = {name: value for name, value in os.environ.items() if name == registry.PLUGINS}
        try:
            ray.init(address=self.address, runtime_env={"env_vars": plugins}, **_QUIET)
        except Exception as error:  # its kinds of error share no base class
            raise InputError(f"{self._refusal} ({(str(error).splitlines() or [''])[0]})") from error

    def size(self, ray: ModuleType) -> int:
        """Workers that the cluster has room for, as many as were asked for at most; InputError if there is none."""
        there = ray.cluster_resources()
        most = int(there.get("CPU", 0))
        if self.gpus:
            most = min(most, int(there.get("GPU", 0) / self.gpus))
        if most < 1:
            raise InputError(
                f"the cluster has {there.get('CPU', 0):g} cores and {there.get('GPU', 0):g} GPUs, too few for a worker "
                f"with {self.gpus:g} of a GPU; ask for less, or add a machine"
            )
        return min(most, self.workers or most)


@dataclass
class _Job:
    """An item and how often it was given to a worker."""

    item: Any
    tries: int = 0


class _Pool:
    """Workers as Ray actors. One that does not start, for want of room, gets no item, so that no item waits for it."""

    def __init__(self, ray: ModuleType, function: Callable[[Any], Any], size: int, gpus: float):
        self.ray, self.size = ray, size
        self.function = ray.put(function)
        self.kind = ray.remote(num_cpus=1, num_gpus=gpus)(Worker)
        self.idle: list[Any] = []
        self.starting: dict[Any, Any] = {}  # workers by the reference to their first word
        self.busy: dict[Any, tuple[Any, _Job]] = {}  # workers and their jobs by the reference to the result
        self.over = False  # whether all items were given
        self.failed = 0  # workers in a row that did not start

    def results(self, items: Iterator[T]) -> Iterator[tuple[T, Any]]:
        """Each item with its result, or ``Lost``."""
        waiting: deque[_Job] = deque()
        for _ in range(self.size):
            self._start()
        while True:
            self._give(waiting, items)
            if self.over and not waiting and not self.busy:
                return
            (ready, *_), _ = self.ray.wait([*self.busy, *self.starting], num_returns=1)
            if ready in self.starting:
                self._started(ready)
                continue
            worker, job = self.busy.pop(ready)
            try:
                result = self.ray.get(ready)
            except self.ray.exceptions.RayActorError as error:
                self._start()
                if job.tries < _TRIES:
                    waiting.append(job)
                    continue
                result = Lost(f"its worker ended {_TRIES} times, as it does when memory runs out ({_reason(error)})")
            except self.ray.exceptions.RayTaskError as error:
                raise error.cause from None
            else:
                self.idle.append(worker)
                self._give(waiting, items)  # before whoever takes the result makes the worker wait
            yield job.item, result

    def close(self) -> None:
        """End the workers, and with them what they do."""
        for worker in [*self.idle, *self.starting.values(), *(worker for worker, _ in self.busy.values())]:
            self.ray.kill(worker)

    def _start(self) -> None:
        worker = self.kind.remote(self.function, os.getcwd())
        self.starting[worker.hello.remote()] = worker

    def _started(self, reference: Any) -> None:
        worker = self.starting.pop(reference)
        try:
            self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            self.failed += 1
            if self.failed > _TRIES:
                raise InputError(f"no worker of the cluster starts ({_reason(error)})") from error
            self._start()
        else:
            self.failed = 0
            self.idle.append(worker)

    def _give(self, waiting: deque[_Job], items: Iterator[Any]) -> None:
        """Items to the workers that are free; those that lost theirs come first."""
        while self.idle:
            if not waiting:
                waiting.extend(_Job(item) for item in itertools.islice(items, 1))
            if not waiting:
                self.over = True
                return
            worker, job = self.idle.pop(), waiting.popleft()
            job.tries += 1
            self.busy[worker.do.remote(job.item)] = worker, job


class Worker:
    """What runs in a process of the cluster."""

    def __init__(self, function: Callable[[Any], Any], folder: str):
        self.function = function
        with contextlib.suppress(OSError):  # of another machine, where only absolute paths mean anything
            os.chdir(folder)

    def hello(self) -> None:
        """Answered once the worker is there."""

    def do(self, item: Any) -> Any:
        return self.function(item)


def imported() -> ModuleType:
    """Ray, without its reports to others. Raises MissingExtra."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtra("a cluster needs the extra scale: pip install 'ganad[scale]'") from error


def start(ray: ModuleType, cores: int) -> None:
    """Start Ray on this machine. Raises InputError where it does not come up."""
    for attempt in range(_TRIES):
        try:
            ray.init("local", num_cpus=cores, include_dashboard=False, object_store_memory=_OBJECTS, **_QUIET)
            return
        except Exception as error:  # "timed out", after 30 s, on a machine with much else to do
            ray.shutdown()
            if attempt == _TRIES - 1:
                raise InputError(f"Ray does not start on this machine ({_reason(error)})") from error


def _refuse_silence(address: str, refusal: str) -> None:
    """Raise InputError at once where nobody listens; Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # "auto", which Ray finds or does not find on this machine
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError as error:
        raise InputError(f"{refusal} ({error.strerror or error})") from error


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
