"""A service under hostile and slow load: requests made from its own description, damaged files, trickled bodies."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import numpy as np
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ganad.serve.bodies import KINDS

from ..samples import normal
from .test_service import COLUMNS, long_texts, lying, many, png


@contextlib.contextmanager
def command(model, folder, *options):
    """URL and process of ``ganad serve``."""
    model.save(folder / "model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["serve", str(folder / "model"), "--port", str(port), *options]
    process = subprocess.Popen([sys.executable, "-m", "ganad.cli", *words])
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/health")
                break
            time.sleep(0.2)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


#: Bodies that once ended in 500 or cost far more than their bytes.
COSTLY = [
    (b"a" * 150_000, "text/csv"),
    (b"a," * 500_000, "text/csv"),
    (b"a\n" + b"1\n" * 2_000_000, "text/csv"),
    (b'[{"width":1,"height":1,"colour":[1]}]', "application/json"),
    (b'[{"width":1,"height":1,"colour":"\\ud800"}]', "application/json"),
    (json.dumps([{f"c{i}": 1} for i in range(5_000)]).encode(), "application/json"),
    (b"[" + b"{}," * 300_000 + b"{}]", "application/json"),
    (b"[" + b"[]," * 10_000_000 + b"[]]", "application/json"),
    ((",".join(COLUMNS) + "\n" + "1,1,x" + ",1" * 9_997).encode(), "text/csv"),
    *((body, "application/vnd.apache.parquet") for body in (many(), lying(), long_texts())),
    (png(np.zeros((4000, 4001), np.uint8)), "image/png"),
]


def damaged(rng, picture):
    """A body and its type: a picture cut, flipped or none at all, odd JSON, random bytes."""
    kind = rng.integers(7)
    if kind == 6:
        return COSTLY[rng.integers(len(COSTLY))]
    if kind == 0:
        return picture[: rng.integers(len(picture))], "image/png"
    if kind == 1:
        flipped = bytearray(picture)
        for place in rng.integers(0, len(picture), 5):
            flipped[place] ^= 1 << rng.integers(8)
        return bytes(flipped), "image/png"
    if kind == 2:
        huge = {"rows": [{"width": v} for v in (float("nan"), 1e308, -1e400, None, "x" * 100)]}
        return json.dumps(huge).encode(), "application/json"
    if kind == 3:
        return b"[" * int(rng.integers(1, 3000)), "application/json"
    if kind == 4:
        return rng.bytes(rng.integers(1, 5000)), str(rng.choice(["image/jpeg", "image/*", "x/y", *KINDS]))
    return b"PAR1" + rng.bytes(500), "application/vnd.apache.parquet"


def fuzz(url, n):
    """Statuses of ``n`` requests: half made from the service's description, half damaged bodies."""
    statuses = []
    description = schemathesis.openapi.from_url(f"{url}/openapi.json")
    with httpx.Client(base_url=url) as client:

        @settings(
            max_examples=n // 2,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of([o.ok().as_strategy() for o in description.get_all_operations()]))
        def made(case):
            statuses.append(case.call(base_url=url).status_code)

        made()
        rng, picture = np.random.default_rng(0), png(normal("images")[0])
        while len(statuses) < n:
            body, kind = damaged(rng, picture)
            statuses.append(client.post("/score", content=body, headers={"Content-Type": kind}).status_code)
    return statuses


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["picture_model", "table_model"])
def test_a_thousand_fuzzed_requests_leave_it_well(kind, request, tmp_path):
    with command(request.getfixturevalue(kind), tmp_path) as (url, process):
        fuzz(url, 100)  # what is loaded once is loaded
        for body, type_ in COSTLY * 3:  # and what the allocator keeps for the largest bodies is kept
            httpx.post(f"{url}/score", content=body, headers={"Content-Type": type_}, timeout=60)
        before = psutil.Process(process.pid).memory_info().rss
        statuses = fuzz(url, 1000)
        grown = psutil.Process(process.pid).memory_info().rss - before
        assert len(statuses) >= 1000 and all(s < 500 or s == 503 for s in statuses)
        assert len(set(statuses)) > 2  # it was not one refusal for all
        assert httpx.get(f"{url}/health").status_code == 200
        assert grown < 50 * 2**20


@pytest.mark.slow
def test_a_hundred_slow_clients_do_not_keep_others_waiting(picture_model, tmp_path):
    picture = png(normal("images")[0])
    head = (
        f"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    )
    with command(picture_model, tmp_path) as (url, process), contextlib.ExitStack() as stack:
        for _ in range(50):
            httpx.post(f"{url}/score", content=picture, headers={"Content-Type": "image/png"})
        before = psutil.Process(process.pid).memory_info().rss
        port = int(url.rpartition(":")[2])
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(100)]
        stopped = threading.Event()

        def trickle():
            for s in slow:
                s.sendall(head.encode())
            sent = 0
            while not stopped.is_set():
                if sent < len(picture) - 1:
                    for s in slow:
                        s.sendall(picture[sent : sent + 1])
                    sent += 1
                time.sleep(0.01)
            for s in slow:
                s.sendall(picture[sent:])

        thread = threading.Thread(target=trickle)
        thread.start()
        statuses = []
        with httpx.Client() as client:
            for _ in range(200):
                answer = client.post(f"{url}/score", content=picture, headers={"Content-Type": "image/png"})
                statuses.append(answer.status_code)
        grown = psutil.Process(process.pid).memory_info().rss - before
        stopped.set()
        thread.join()
        assert statuses == [200] * 200
        assert grown < 50 * 2**20
        assert all(s.recv(4096).startswith(b"HTTP/1.1 200 ") for s in slow)  # slow, and served in the end
