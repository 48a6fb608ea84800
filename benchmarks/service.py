"""Throughput and latency of `ganad serve` on loopback, beside the bare model.

    python benchmarks/service.py [--seconds 5] [--size 28]

A GANomaly on random images is served; 1, 8 and 64 clients in another process post PNG files without a pause, then 1
beside 100 that trickle theirs. Clients and server share the machine's cores; the cores that each of them took are
beside, and the bare model is measured again before every row, because a machine with other work changes. Writes
results/service.json and the table of docs/guide/serving.md.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
import numpy as np
import psutil
from PIL import Image

PORT = 8765
RESULTS = Path(__file__).parent / "results" / "service.json"
GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "serving.md"


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def request(body: bytes) -> bytes:
    head = f"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answer(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, its body read; a client library would cost more than the server."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
    await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])


async def load(port: int, bodies: list[bytes], clients: int, slow: int, seconds: float) -> dict[str, float]:
    """Throughput and latency of ``clients`` without a pause, beside ``slow`` ones whose bodies never end."""
    requests = [request(body) for body in bodies]
    times: list[float] = []
    refused = 0
    end = time.perf_counter() + seconds

    async def client(i: int) -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(requests[(i + len(times)) % len(requests)])
            if await answer(reader) == 200:
                times.append(time.perf_counter() - start)
            else:
                refused += 1
        writer.close()

    async def trickle() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(bytes(10**6))[: -(10**6)])
        while True:
            writer.write(b"0")
            await asyncio.sleep(0.1)
            await writer.drain()

    trickling = [asyncio.create_task(trickle()) for _ in range(slow)]
    await asyncio.gather(*(client(i) for i in range(clients)))
    if any(task.done() for task in trickling):
        raise RuntimeError("a slow client was cut off, so the row does not say what it claims")
    p50, p95, p99 = (1000 * np.quantile(times, q) for q in (0.5, 0.95, 0.99))
    row = dict(per_second=len(times) / seconds, p50_ms=p50, p95_ms=p95, p99_ms=p99, refused=refused)
    return {k: round(float(v), 1) for k, v in row.items()} | {"client_cpu": round(time.process_time() / seconds, 2)}


def cpu(pid: int) -> float:
    """Seconds of processor time of a process."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def clients_process(*arguments: Any) -> dict[str, float]:
    return asyncio.run(load(*arguments))


def bare(score: Callable[[np.ndarray], np.ndarray], x: np.ndarray, seconds: float) -> dict[str, float]:
    """Samples a second without a service, in batches of 64."""
    start, spent, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < start + seconds:
        score(x[:64])
        done += 64
    taken = time.perf_counter() - start
    return {"bare_per_second": round(done / taken, 1), "bare_cpu": round((time.process_time() - spent) / taken, 2)}


def table(rows: dict[str, dict[str, float]]) -> str:
    """The rows as Markdown."""
    out = ["| clients | p50 | p95 | p99 | requests/s | server's cores | clients' cores | bare model/s | its cores |"]
    out.append("|---" + "|--:" * 8 + "|")
    for name, r in rows.items():
        times = " | ".join(f"{r[p]:.1f} ms" for p in ("p50_ms", "p95_ms", "p99_ms"))
        served = f"{r['per_second']:.0f} | {r['server_cpu']:.2f} | {r['client_cpu']:.2f}"
        out.append(f"| {name} | {times} | {served} | {r['bare_per_second']:.0f} | {r['bare_cpu']:.2f} |")
    return "\n".join(out)


def main() -> None:
    from ganad import GANomaly
    from ganad.serve.engine import make_scorer

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--size", type=int, default=28)
    o = parser.parse_args()
    x = np.random.default_rng(0).integers(0, 256, (256, o.size, o.size)).astype(np.uint8)
    model = GANomaly(epochs=1, threads=1, random_state=0, verbose=0).fit(x)
    bodies = [png(image) for image in x]
    _, scorer = make_scorer(model, "onnx")
    scorer(x[:64])
    out: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        server = subprocess.Popen([sys.executable, "-m", "ganad.cli", "serve", str(path), "--port", str(PORT)])
        url = f"http://127.0.0.1:{PORT}"
        try:
            while True:
                try:
                    httpx.get(f"{url}/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            for clients, slow in ((1, 0), (8, 0), (64, 0), (1, 100)):
                alone = bare(scorer, x, o.seconds)
                spent = cpu(server.pid)
                with multiprocessing.Pool(1) as pool:
                    row = pool.apply(clients_process, (PORT, bodies, clients, slow, o.seconds))
                row |= {"server_cpu": round((cpu(server.pid) - spent) / o.seconds, 2)} | alone
                out[f"{clients} beside {slow} slow ones" if slow else str(clients)] = row
        finally:
            server.terminate()
            server.wait()
    RESULTS.write_text(json.dumps(out, indent=1) + "\n")
    print(table(out))
    marked = re.compile(r"(<!-- service -->\n).*?(\n<!-- /service -->)", re.DOTALL)
    guide = GUIDE.read_text(encoding="utf-8")
    GUIDE.write_text(marked.sub(lambda m: m[1] + table(out) + m[2], guide), encoding="utf-8")


if __name__ == "__main__":
    main()
