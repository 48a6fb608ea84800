"""A service that is killed while it answers: nothing torn, no temporary files, its port free, and the next one serves.

A quick run kills one with a history twice; ``-m slow`` kills thirty times, and one with worker processes as well.
"""

import contextlib
import json
import math
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from pathlib import Path

import httpx
import pytest

from ganad.history import History

from ..warm import Warm, hidden

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and kills with SIGKILL")
BODIES = (
    (b"width,height,colour\n" + b"1,1,x\n0.5,0.2,y\n" * 200, "text/csv"),
    (json.dumps([[1, 2, 0, 1]] * 50).encode(), "application/json"),
)


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def warm(tmp_path_factory, temporary):
    modules = "ganad.serve.app ganad.serve.board ganad.serve.processes uvicorn.protocols.http.h11_impl".split()
    server = Warm(tmp_path_factory.mktemp("said") / "words", *modules, TMPDIR=str(temporary))
    yield server
    server.end()


def is_free(port):
    """Whether nobody answers at a port, and another program may listen there."""
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
    return True


def some_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def service(warm, folder, port, *options):
    """The command, once it answers; ended at the end whatever comes."""
    command = warm.start(folder, "serve", folder / "model", "--port", port, "--engine", "torch", *options)
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                assert httpx.get(f"{url}/health").status_code == 200
                break
            assert time.monotonic() < deadline, command.words()
            time.sleep(0.02)
        yield command
    finally:
        command.send(signal.SIGKILL)
        command.code()


class Clients:
    """Threads that send until the service is gone; ``sent`` and ``answered`` are the names of their requests."""

    def __init__(self, port, mark):
        self.url, self.mark = f"http://127.0.0.1:{port}/score", mark
        self.sent, self.answered, self.statuses = [], [], set()
        self.threads = [threading.Thread(target=self.work, args=[i]) for i in range(3)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        with httpx.Client(timeout=30) as client, contextlib.suppress(httpx.TransportError):
            for i in range(10_000):
                body, kind = BODIES[i % len(BODIES)]
                name = f"{self.mark}.{number}.{i}"
                self.sent.append(name)
                answer = client.post(self.url, params={"name": name}, content=body, headers={"Content-Type": kind})
                self.statuses.add(answer.status_code)
                assert len(answer.json()["results"]) in (401, 400, 50)  # an answer is whole, or there is none
                self.answered.append(name)

    def wait(self, answers):
        deadline = time.monotonic() + 60
        while len(self.answered) < answers:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def join(self):
        for thread in self.threads:
            thread.join(60)
        assert self.statuses <= {200}


def check_history(path, sent):
    """Every row is whole, of a request that was sent, and there once."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with History(path, create=False) as history:
        rows = history.rows()
    assert all(math.isfinite(row.score) and math.isfinite(row.threshold) for row in rows)
    names = [row.name for row in rows]
    assert len(set(names)) == len(names)
    assert {name.partition(", row ")[0] for name in names} <= set(sent)
    return rows


def killed_and_started_again(warm, folder, temporary, kills, seed, *options):
    """Kill the service at random moments of its work, then check what is left, and that the next one serves."""
    source, port, sent = random.Random(seed), some_port(), []
    kept = folder / "history.db"
    for kill in range(kills):
        with service(warm, folder, port, *options) as command:
            clients = Clients(port, kill)
            clients.wait(3)
            time.sleep(0.3 * source.random())
            command.send(signal.SIGKILL)
            assert command.code() == -signal.SIGKILL
        clients.join()
        sent += clients.sent
        assert is_free(port)
        if kept.exists():
            check_history(kept, sent)
    left = set(temporary.iterdir())
    with service(warm, folder, port, *options) as command:
        # what the killed one left is removed by the next, which has a folder of its own with workers
        assert not left & set(temporary.iterdir()) and len(list(temporary.iterdir())) == ("--workers" in options)
        body, kind = BODIES[0]
        answer = httpx.post(f"http://127.0.0.1:{port}/score?name=last", content=body, headers={"Content-Type": kind})
        assert len(answer.json()["results"]) == 400
        command.send(signal.SIGTERM)
        assert command.code() == 0
        assert "Traceback" not in command.words()
    assert is_free(port)
    assert not list(temporary.iterdir())
    if kept.exists():
        rows = check_history(kept, [*sent, "last"])
        assert sum(row.name.startswith("last") for row in rows) == 400  # what was answered before SIGTERM is kept
    assert [name for name in hidden(folder) if not name.startswith(".model")] == []


@pytest.fixture
def place(table_model, tmp_path):
    table_model.save(tmp_path / "model")
    return tmp_path


def test_a_service_that_was_killed_leaves_nothing_torn(warm, place, temporary):
    killed_and_started_again(warm, place, temporary, 2, "quick", "--history", place / "history.db")


@pytest.mark.slow
@pytest.mark.parametrize("history", [False, True], ids=["alone", "with history"])
def test_fifteen_kills(warm, place, temporary, history):
    options = ["--history", place / "history.db"] if history else []
    killed_and_started_again(warm, place, temporary, 15, f"slow {history}", *options)


@pytest.mark.slow
def test_with_workers_all_end_with_the_one_that_was_killed(warm, place, temporary):
    port = some_port()
    with service(warm, place, port, "--workers", "2") as command:
        command.send(signal.SIGKILL)
        assert command.code() == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while not is_free(port):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert list(temporary.iterdir())
    killed_and_started_again(warm, place, temporary, 0, "", "--workers", "2")


@pytest.mark.parametrize("history", [pytest.param(False, marks=pytest.mark.slow), True], ids=["alone", "with history"])
def test_a_second_ctrl_c_ends_it_though_a_request_is_under_way(warm, place, temporary, history):
    port = some_port()
    options = ["--history", place / "history.db"] if history else []
    with service(warm, place, port, *options) as command, socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(
            b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 99\r\n\r\na,"
        )
        time.sleep(0.3)
        command.send(signal.SIGINT)
        time.sleep(0.5)
        assert Path(f"/proc/{command.pid}").exists() or not Path("/proc").exists()  # it waits for that request
        began = time.monotonic()
        command.send(signal.SIGINT)
        assert command.code() in (0, 130)
        assert time.monotonic() - began < 9  # and no longer for the ten seconds that it would have
        assert "Traceback" not in command.words()
    assert is_free(port)
    assert not list(temporary.iterdir())
    if history:
        check_history(place / "history.db", [])
