"""Throughput and latency of `ganad serve` on loopback, beside the bare model.

    python benchmarks/service.py [--seconds 5] [--size 28]

A GANomaly on random images is served; 1, 8 and 64 clients in another process post PNG files without a pause.
Client and server share the machine's cores. Writes results/service.json.
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
from PIL import Image

RESULTS = Path(__file__).parent / "results" / "service.json"


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


async def load(url: str, bodies: list[bytes], clients: int, seconds: float) -> dict[str, float]:
    times: list[float] = []
    refused = 0
    end = time.perf_counter() + seconds

    async def client(i: int) -> None:
        nonlocal refused
        async with httpx.AsyncClient() as session:
            while time.perf_counter() < end:
                start = time.perf_counter()
                body = bodies[(i + len(times)) % len(bodies)]
                answer = await session.post(f"{url}/score", content=body, headers={"Content-Type": "image/png"})
                if answer.status_code == 200:
                    times.append(time.perf_counter() - start)
                else:
                    refused += 1

    await asyncio.gather(*(client(i) for i in range(clients)))
    p50, p95, p99 = (1000 * np.quantile(times, q) for q in (0.5, 0.95, 0.99))
    row = dict(per_second=len(times) / seconds, p50_ms=p50, p95_ms=p95, p99_ms=p99, refused=refused)
    return {k: round(float(v), 1) for k, v in row.items()}


def client_process(url: str, bodies: list[bytes], clients: int, seconds: float, queue: multiprocessing.Queue) -> None:
    queue.put(asyncio.run(load(url, bodies, clients, seconds)))


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
    start, done = time.perf_counter(), 0
    while time.perf_counter() < start + o.seconds:
        scorer(x[:64])
        done += 64
    out: dict[str, object] = {"bare_model_per_second": round(done / (time.perf_counter() - start), 1)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        server = subprocess.Popen([sys.executable, "-m", "ganad.cli", "serve", str(path), "--port", "8765"])
        url = "http://127.0.0.1:8765"
        try:
            while True:
                try:
                    httpx.get(f"{url}/health")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            for clients in (1, 8, 64):
                queue: multiprocessing.Queue = multiprocessing.Queue()
                process = multiprocessing.Process(target=client_process, args=(url, bodies, clients, o.seconds, queue))
                process.start()
                out[f"{clients} clients"] = queue.get()
                process.join()
        finally:
            server.terminate()
            server.wait()
    RESULTS.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
