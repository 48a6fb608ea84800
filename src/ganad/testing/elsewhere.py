"""Scores of a model file in another process: one that has imported ganad, and neither a method nor a fitted model.

A start takes seconds, most of them torch's. So one process starts for all files and forks for each: what one file
loads, the next does not find. Where forks are not safe, outside Linux, every file has a start of its own.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

MODEL, SAMPLES, _SCORES = "model.safetensors", "x.npy", "scores.json"

_SERVER = f"""
import gc, importlib, json, os, sys, traceback
import numpy as np
import torch
import ganad, ganad.loading

def score(folder, modules, path, cwd, environment):
    sys.path[:] = path
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for module in modules:
        importlib.import_module(module)
    model = ganad.load(folder + "/{MODEL}", device="cpu")
    scores = model.anomaly_score(np.load(folder + "/{SAMPLES}"))
    with open(folder + "/{_SCORES}", "w") as file:
        json.dump(scores.tolist(), file)

gc.freeze()
for line in sys.stdin:
    pid = os.fork() if sys.platform == "linux" else 0
    if pid == 0:
        os.dup2(2, 1)
        code = 1
        try:
            score(**json.loads(line))
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

_lock = threading.Lock()


def scores(folder: str, modules: Sequence[str]) -> list[float]:
    """Anomaly scores of the samples in ``folder/x.npy`` by the model in ``folder/model.safetensors``.

    modules: define the classes of the model, if no package registers them; found on ``sys.path``. Raises RuntimeError
    with what the other process says if it cannot import them or load the file, or ends.
    """
    path = list(filter(None, sys.path))
    order = dict(folder=folder, modules=modules, path=path, cwd=os.getcwd(), environment=dict(os.environ))
    with _lock:
        server, errors = _server(os.getpid())
        errors.seek(0)  # the other process writes where this one stands
        errors.truncate()
        try:
            server.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
            server.stdin.flush()  # type: ignore[union-attr]
            answer = server.stdout.readline()  # type: ignore[union-attr]
        except BrokenPipeError:
            answer = ""
        if not answer:  # it has ended: by itself, or because it serves one file only
            _server.cache_clear()
        if code := int(answer or server.wait()):
            errors.seek(0)
            raise RuntimeError(errors.read() or f"it ended with exit code {code} and said nothing")
    return cast("list[float]", json.loads((Path(folder) / _SCORES).read_text()))


@functools.cache
def _server(pid: int) -> tuple[subprocess.Popen[str], IO[str]]:
    """The other process of the process ``pid``, and what it writes to stderr. It ends with this one."""
    errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    atexit.register(_end, server, errors, pid)
    return server, errors


def _end(server: subprocess.Popen[str], errors: IO[str], pid: int) -> None:
    if pid == os.getpid():
        server.communicate()
        errors.close()
