"""Several processes behind one port."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import psutil
import pytest

import ganad


@pytest.fixture
def model(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3))
    detector = ganad.PCAResidual(n_components=2, verbose=0).fit(x)
    detector.remember_source(
        {"kind": "table", "columns": [{"name": n, "kind": "numeric"} for n in "abc"], "label": None}, list("abc")
    )
    detector.save(tmp_path / "m")
    return tmp_path / "m"


def start(model, port):
    command = [sys.executable, "-m", "ganad.cli", "serve", str(model), "--port", str(port), "--workers", "2"]
    return subprocess.Popen([*command, "--engine", "torch"], stderr=subprocess.PIPE, text=True)


def free_port():
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return some.getsockname()[1]


def ask(port, path, body=None):
    headers = {"content-type": "application/json"} if body else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def patiently(port, path, body=None):
    """The answer, once workers are up."""
    for _ in range(600):
        try:
            return ask(port, path, body)
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the service does not come up")


def workers_of(process):
    return [p for p in psutil.Process(process.pid).children() if "spawn_main" in " ".join(p.cmdline())]


def figures(text):
    """The lines of Prometheus' text as names with labels, and numbers."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def test_two_workers_answer_alike_count_together_and_one_that_is_killed_is_replaced(model):
    port, body = free_port(), json.dumps({"rows": [[1.0, 2.0, 3.0]]}).encode()
    process = start(model, port)
    try:
        first = patiently(port, "/score", body)
        answers = {ask(port, "/score", body) for _ in range(19)}
        assert answers == {first}
        for _ in range(5):  # whichever worker is asked
            found = figures(ask(port, "/metrics"))
            assert found['ganad_requests_total{path="/score",status="200"}'] == 20
            (waiting,) = [name for name in found if name.startswith("ganad_waiting_samples")]
            assert int(waiting.split('worker="')[1].split('"')[0]) in [p.pid for p in workers_of(process)]
        killed = workers_of(process)[0]
        killed.kill()
        killed.wait(60)
        for _ in range(600):
            if len(workers_of(process)) == 2:
                break
            time.sleep(0.1)
        assert patiently(port, "/score", body) == first
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        said = process.stderr.read()
        assert said.count("serving ") == 1 and said.index("loading ") < said.index("serving ")
    finally:
        process.kill()
        process.communicate()


HANGUP = """
import functools, os, pathlib, signal, sys, time
from ganad.serve.processes import serve_in_processes

def work(folder, at, on_start):
    signal.signal(signal.SIGHUP, lambda *_: (folder / f"told {os.getpid()}").touch())
    (folder / f"up {os.getpid()}").touch()
    while True:
        time.sleep(0.05)

if __name__ == "__main__":
    serve_in_processes(functools.partial(work, pathlib.Path(sys.argv[1])), 2, "127.0.0.1", 0)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="a system without SIGHUP")
def test_a_hangup_reaches_every_worker_and_ends_none(tmp_path):
    (tmp_path / "script.py").write_text(HANGUP)
    process = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(tmp_path)])

    def pids(word):
        for _ in range(600):
            found = {path.name.split()[1] for path in tmp_path.glob(f"{word} *")}
            if len(found) == 2:
                return found
            time.sleep(0.1)
        raise AssertionError(f"not both workers are {word}")

    try:
        up = pids("up")
        process.send_signal(signal.SIGHUP)
        assert pids("told") == up
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()


@pytest.mark.slow
def test_what_workers_refuse_is_one_sentence(model, tmp_path):
    (tmp_path / "bad").write_bytes(b"no model")
    process = start(tmp_path / "bad", free_port())
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2 and len(err.strip().splitlines()) == 2 and "not a" in err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(model, taken.getsockname()[1])
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2 and "choose another with --host and --port" in err
