"""What a service does with requests made to harm: damaged bodies, odd heads, raw bytes, Parquet whose footer lies.

Two real services on this machine, one for a table and one for images. The outcome to aim for is an answer below 500, or
503 with Retry-After; /health answers all the while, and the memory is given back.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for the tests' readers

import httpx
import psutil
from tests.fuzz.targets import TARGETS, _served
from tests.serve.test_foreign_requests import packed_tight, with_small_sizes

BODIES = {
    "body-json": "application/json",
    "body-csv": "text/csv",
    "body-parquet": "application/vnd.apache.parquet",
    "body-image": "image/png",
}
TRIES = 500  #: of each kind of body
ODD = 400  #: requests with odd heads, and as many of raw bytes
FORGED = 20
#: Heads that a client may send by mistake or on purpose.
HEADS: tuple[dict[str, str], ...] = (
    {"Content-Type": "image/png"},
    {"Content-Type": ""},
    {"Content-Type": "text/html; charset=\x80"},
    {"Content-Type": "x" * 5000},
    {"Content-Encoding": "gzip"},
    {"Content-Length": "-1"},
    {"Content-Length": "1", "Transfer-Encoding": "chunked"},
    {"Content-Length": "99999999999999999999"},
    {"Transfer-Encoding": "gzip, chunked"},
    {"Origin": "https://elsewhere.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Host": "elsewhere.example"},
    {"Expect": "100-continue"},
    {"Range": "bytes=0-"},
    {"X": "y" * 70_000},
    {f"X{i}": "y" for i in range(2000)},
)
PATHS = (
    "/score",
    "/score?explain=yes",
    "/score?explain=%00",
    "/%2e%2e/etc/passwd",
    "/model",
    "/docs",
    "/" + "a" * 5000,
    "*",
)
METHODS = ("POST", "GET", "PUT", "HEAD", "OPTIONS", "BREW", "CONNECT")
RAW = "raw bytes"
OUTCOMES = ("200", "4xx", "503", "500", "closed", "waits for more", "no answer", "control characters")


@contextlib.contextmanager
def service(kind: str) -> Iterator[tuple[int, psutil.Process]]:
    """Port and process of ``ganad serve`` for a small model of the kind."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        _served(kind).save(Path(folder) / "m")
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [sys.executable, "-m", "ganad.cli", "serve", f"{folder}/m", "--port", str(port)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_for(port, process)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(120)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the service answers; end the program if it does not within ten minutes."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/health")
            return
        time.sleep(0.2)
    sys.exit("the service does not start")


def answer(port: int, data: bytes, seconds: float) -> tuple[str, str]:
    """What comes back for raw bytes within so many seconds: an outcome, and the answer's text."""
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as s:
            with contextlib.suppress(ConnectionError):
                s.sendall(data)
            while part := s.recv(2**16):
                received += part
    except TimeoutError:
        if not received:
            return "no answer", ""
    except ConnectionError:
        pass
    received = received.removeprefix(b"HTTP/1.1 100 \r\n\r\n")  # "go on", before the answer
    if not received.startswith(b"HTTP/1.1 "):
        return "closed", ""
    status = received[9:12].decode()
    text = received.partition(b"\r\n\r\n")[2].partition(b"HTTP/1.1 ")[0].decode(errors="replace")
    outcome = status if status in ("200", "500", "503") else f"{status[0]}xx"
    return outcome, "" if status == "200" else text.replace("\r\n", " ")  # which chunks are divided by


def request(method: str, path: str, heads: dict[str, str], body: bytes) -> bytes:
    """A request as bytes, whatever its heads say."""
    given = {"Host": "127.0.0.1", "Content-Length": str(len(body)), "Connection": "close"} | heads
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def requests(kind: str, share: float, source: random.Random) -> Iterator[tuple[str, bytes]]:
    """What is sent to the service of a kind, each with the name of its family."""
    for name, content_type in BODIES.items():
        if (name == "body-image") == (kind == "images"):
            for _ in range(round(TRIES * share)):
                yield name, request("POST", "/score", {"Content-Type": content_type}, TARGETS[name].one(source))
    if kind == "images":
        return
    good = request("POST", "/score", {"Content-Type": "application/json"}, b"[[1, 2, 0, 1]]")
    for _ in range(round(ODD * share)):
        heads = {"Content-Type": "application/json"} | source.choice(HEADS)
        yield "odd heads", request(source.choice(METHODS), source.choice(PATHS), heads, b"[[1, 2, 0, 1]]")
    for _ in range(round(ODD * share)):
        yield RAW, TARGETS["idx"].mutate(good, source, (b"\r\n", b"\x00", b" ", b":", b"HTTP/9.9"))
    forged = with_small_sizes(packed_tight(1000, 100_000))
    for _ in range(max(1, round(FORGED * share))):
        yield "forged Parquet", request("POST", "/score", {"Content-Type": BODIES["body-parquet"]}, forged)


def count(kind: str, share: float, seed: int) -> tuple[dict[str, Counter[str]], dict[str, Any]]:
    """Outcomes by family, and memory in MB before, at most and after."""
    counts: dict[str, Counter[str]] = {}
    with service(kind) as (port, process):
        first = most = process.memory_info().rss
        for i, (family, data) in enumerate(requests(kind, share, random.Random(seed))):
            outcome, text = answer(port, data, 1 if family == RAW else 60)
            if family == RAW and outcome == "no answer":
                outcome = "waits for more"  # as it must, for 30 s, where a head is not complete
            row = counts.setdefault(family, Counter())
            row.update(["requests", outcome, *([] if text.isprintable() else ["control characters"])])
            if outcome in ("500", "no answer") or not text.isprintable():
                print(f"{family}: {outcome} {ascii(text)[:200]} for {ascii(data)[:300]}", file=sys.stderr, flush=True)
            most = max(most, process.memory_info().rss)
            if i % 50 == 0 and httpx.get(f"http://127.0.0.1:{port}/health", timeout=60).status_code != 200:
                row["no answer"] += 1
        memory = dict(first=first >> 20, most=most >> 20, last=process.memory_info().rss >> 20)
    return counts, memory


def found(share: float, seed: int) -> tuple[dict[str, Counter[str]], tuple[str, ...], dict[str, dict[str, int]]]:
    """Counts by family of requests, their columns, and memory by service."""
    counts, memory = {}, {}
    for kind in ("table", "images"):
        rows, memory[f"service of {kind}"] = count(kind, share, seed)
        counts |= rows
    return counts, ("requests", *OUTCOMES), memory
