"""Throughput and latency of `ganad serve` on loopback, beside the bare model.

    python benchmarks/service.py [--seconds 5] [--size 28]

A GANomaly on random images is served; 1, 8 and 64 clients in another process post PNG files without a pause.
Client and server share the machine's cores; the cores that each of them took are beside. Writes results/service.json.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
import numpy as np
import psutil
from PIL import Image

PORT = 8765
RESULTS = Path(__file__).parent / "results" / "service.json"


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


async def load(port: int, bodies: list[bytes], clients: int, seconds: float) -> dict[str, float]:
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

    await asyncio.gather(*(client(i) for i in range(clients)))
    p50, p95, p99 = (1000 * np.quantile(times, q) for q in (0.5, 0.95, 0.99))
    row = dict(per_second=len(times) / seconds, p50_ms=p50, p95_ms=p95, p99_ms=p99, refused=refused)
    return {k: round(float(v), 1) for k, v in row.items()} | {"client_cpu": round(time.process_time() / seconds, 2)}


def cpu(pid: int) -> float:
    """Seconds of processor time of a process."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def client_process(port: int, bodies: list[bytes], clients: int, seconds: float, queue: multiprocessing.Queue) -> None:
    queue.put(asyncio.run(load(port, bodies, clients, seconds)))


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
    start, spent, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < start + o.seconds:
        scorer(x[:64])
        done += 64
    taken = time.perf_counter() - start
    out: dict[str, object] = {"bare_model_per_second": round(done / taken, 1)}
    out["bare_model_cpu"] = round((time.process_time() - spent) / taken, 2)
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
            for clients in (1, 8, 64):
                queue: multiprocessing.Queue = multiprocessing.Queue()
                process = multiprocessing.Process(target=client_process, args=(PORT, bodies, clients, o.seconds, queue))
                spent = cpu(server.pid)
                process.start()
                row = queue.get()
                process.join()
                out[f"{clients} clients"] = row | {"server_cpu": round((cpu(server.pid) - spent) / o.seconds, 2)}
        finally:
            server.terminate()
            server.wait()
    RESULTS.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
