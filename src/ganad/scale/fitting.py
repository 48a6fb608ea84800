"""One fit on many machines: the same command on every worker, joined as ``torchrun`` joins them."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from ..errors import InputError
from .cluster import Cluster, Worker

_TRIES = 4
_COMMAND = "ganad.cli.main"  #: by name, as a console script is: the command line knows this room, not the reverse


@dataclass(frozen=True)
class Place:
    """What a worker must know to join the others."""

    number: int
    count: int
    host: str
    port: int
    arguments: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What ``torchrun`` would set. LOCAL_RANK is 0, because Ray shows each worker its own GPU alone."""
        place = {"RANK": self.number, "WORLD_SIZE": self.count, "MASTER_PORT": self.port, "LOCAL_RANK": 0}
        return {name: str(value) for name, value in place.items()} | {"MASTER_ADDR": self.host}


@dataclass(frozen=True)
class Ended:
    """What the command of a worker said."""

    code: int
    out: str
    err: str


def fit(arguments: Sequence[str], checkpoint: Path, cluster: Cluster) -> Ended:
    """Run ``ganad`` with these arguments of ``ganad fit`` on the workers of a cluster; what the first of them said.

    Where a worker is lost, all begin again from the checkpoint, three times at most. All machines must see the data and
    the place of the model. Raises InputError where the cluster has too few cores, or loses workers every time.
    """
    with cluster.connected() as ray:
        workers = cluster.size(ray)
        if workers < (cluster.workers or 1):
            raise InputError(f"the cluster has room for {workers} workers, not for {cluster.workers}; ask for less")
        for _ in range(_TRIES):
            try:
                return _together(ray, arguments, cluster.gpus, workers)
            except ray.exceptions.RayActorError:
                if checkpoint.is_dir() and "--resume" not in arguments:
                    arguments = [*arguments, "--resume"]
    raise InputError(f"a worker of the fit was lost {_TRIES} times; {checkpoint} keeps how far it came, if it is there")


def _together(ray: ModuleType, arguments: Sequence[str], gpus: float, workers: int) -> Ended:
    kind = ray.remote(num_cpus=1, num_gpus=gpus)(Worker)
    actors = [kind.remote(_act, os.getcwd()) for _ in range(workers)]
    try:
        host, port = ray.get(actors[0].do.remote(None))
        places = [Place(number, workers, host, port, tuple(arguments)) for number in range(workers)]
        waiting = [actor.do.remote(place) for actor, place in zip(actors, places)]
        first, left = waiting[0], waiting
        while left:
            done, left = ray.wait(left)
            ray.get(done)  # a lost worker is told of here, whatever the others make of it
        ended: Ended = ray.get(first)
        return ended
    finally:
        for actor in actors:
            ray.kill(actor)


def _act(place: Place | None) -> Any:
    """In a worker: an address where the others find it, or the command at its place among them."""
    if place is None:
        with socket.socket() as free:
            free.bind(("", 0))
            return importlib.import_module("ray").util.get_node_ip_address(), free.getsockname()[1]
    os.environ.update(place.environment)
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            importlib.import_module(_COMMAND).run(list(place.arguments))
        except (SystemExit, typer.Exit) as end:
            code = int((end.exit_code if isinstance(end, typer.Exit) else end.code) or 0)
    return Ended(code, out.getvalue(), err.getvalue())
