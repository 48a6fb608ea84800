"""Several processes behind one port: each loads the model, and the system hands each connection to one that is free."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from typing import Any, cast

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from ..atomic import scratch
from ..engines import end_with_parent
from ..errors import InputError, MissingExtra

FIGURES = "PROMETHEUS_MULTIPROC_DIR"  #: of the environment: the folder in which workers keep what they count
_SPAWN = multiprocessing.get_context("spawn")
_GRACE = 15.0  # seconds that workers have to answer what is under way


def serve_in_processes(
    serve: Callable[..., None], workers: int, host: str, port: int, on_start: Callable[[], Any] | None = None
) -> None:
    """Call ``serve`` in so many processes until SIGTERM or Ctrl-C; one that is killed is started again.

    SIGHUP is passed on to all of them. serve: must be picklable; it gets ``at``, a socket that listens, and
    ``on_start`` to call once it answers. on_start: called here once the first process answers. Raises InputError for an
    address that cannot be listened on, and in the words of a worker for what that one refuses.
    """
    stopping, hanging_up = _event_of("SIGINT", "SIGTERM"), _event_of("SIGHUP")
    with _bound(host, port) as at, scratch() as folder, stopping as stop, hanging_up as hung_up:
        os.environ[FIGURES] = str(folder)
        refusals: SimpleQueue[str] = _SPAWN.SimpleQueue()
        answering = _SPAWN.Event()
        start = functools.partial(_started, serve, at, refusals, answering)
        running = [start() for _ in range(workers)]
        try:
            while not stop.wait(0.2):
                if on_start and answering.is_set():
                    on_start()
                    on_start = None
                if told := hung_up.is_set():
                    hung_up.clear()
                for number, process in enumerate(running):
                    if not refusals.empty():
                        raise InputError(refusals.get())
                    if not process.is_alive():
                        mark_process_dead(process.pid)  # type: ignore[no-untyped-call]
                        running[number] = start()
                    elif told:  # one that is only starting sees by itself that the file changed
                        os.kill(cast(int, process.pid), signal.SIGHUP)
        finally:
            del os.environ[FIGURES]
            _end(running)


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(f"cannot listen on {host}, port {port}; choose another with --host and --port") from error


@contextlib.contextmanager
def _event_of(*names: str) -> Iterator[threading.Event]:
    """Within: these signals, as far as the system has them, set the event."""
    event = threading.Event()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    former = {number: signal.signal(number, lambda *_: event.set()) for number in numbers}
    try:
        yield event
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _started(
    serve: Callable[..., None], at: socket.socket, refusals: SimpleQueue[str], answering: Event
) -> SpawnProcess:
    process = _SPAWN.Process(target=_work, args=(serve, at, refusals, answering))
    process.start()
    return process


def _work(serve: Callable[..., None], at: socket.socket, refusals: SimpleQueue[str], answering: Event) -> None:
    end_with_parent()
    try:
        serve(at=at, on_start=answering.set)
    except (InputError, MissingExtra, OSError) as error:
        refusals.put(str(error))


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_GRACE)
        process.kill()


class AllWorkers:
    """Figures of all workers, for whichever of them is asked: their counts added up, and gauges of the one asked.

    A gauge tells how something is at this moment in one process; it has that process in its label ``worker``.
    """

    def __init__(self, own: Any):
        self.own = own

    def collect(self) -> Iterator[Metric]:
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        yield from (metric for metric in shared.collect() if metric.type != "gauge")
        for metric in self.own.collect():
            if metric.type == "gauge":
                named = {"worker": str(os.getpid())}
                metric.samples = [sample._replace(labels=sample.labels | named) for sample in metric.samples]
                yield metric
