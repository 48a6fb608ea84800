"""What a history costs `ganad serve`: throughput and latency with one and without, measured in pairs.

    python benchmarks/history.py [--pairs 8] [--seconds 4] [--history URL]

Two services run the same GANomaly, one with a history (SQLite in a temporary folder, or --history) and its board.
Clients in another process post PNG files without a pause to one of them and then to the other, in turns, so that what
else the machine does meets both. After each turn everything that was scored must be in the history, each sample once.
Writes results/history.json and the table of docs/guide/at-work.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from service import clients_process, cpu, png

PORTS = {"without": 8765, "with": 8766}
RESULTS = Path(__file__).parent / "results" / "history.json"
GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "at-work.md"


@contextlib.contextmanager
def service(model: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running ``ganad serve``."""
    command = [sys.executable, "-m", "ganad.cli", "serve", str(model), "--port", str(port), *options]
    server = subprocess.Popen(command)
    try:
        while server.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/health")
                break
            time.sleep(0.2)
        yield server
    finally:
        server.terminate()
        server.wait()


def metric(name: str) -> float:
    """A figure of the service with a history."""
    text = httpx.get(f"http://127.0.0.1:{PORTS['with']}/metrics").text
    return float(text.partition(f"\n{name} ")[2].split()[0])


def settled() -> float:
    """Seconds until everything is in the history."""
    start = time.perf_counter()
    while metric("ganad_history_behind"):
        time.sleep(0.05)
    return time.perf_counter() - start


def table(rows: list[dict[str, float]]) -> str:
    """Medians over pairs, as Markdown."""
    names = ["clients", "requests/s without", "with", "ratio", "p99 without", "with", "ratio"]
    names += ["CPU a request without", "with", "late by"]
    out = [f"| {' | '.join(names)} |", "|---" + "|--:" * (len(names) - 1) + "|"]
    for clients in sorted({int(row["clients"]) for row in rows}):
        own = [row for row in rows if row["clients"] == clients]

        def middle(name: str, own: list[dict[str, float]] = own) -> float:
            return float(np.median([row[name] for row in own]))

        cells = [f"{middle(f'{name}_per_second'):.0f}" for name in PORTS] + [f"{middle('throughput_ratio'):.2f}"]
        cells += [f"{middle(f'{name}_p99_ms'):.1f} ms" for name in PORTS] + [f"{middle('p99_ratio'):.2f}"]
        cells += [f"{middle(f'{name}_cpu_ms'):.2f} ms" for name in PORTS] + [f"{middle('late_seconds'):.2f} s"]
        out.append(f"| {clients} | {' | '.join(cells)} |")
    return "\n".join(out)


def measure(pool: object, servers: dict[str, int], bodies: list[bytes], clients: int, seconds: float, turn: int):
    """One pair; which of both comes first changes from turn to turn."""
    row: dict[str, float] = {"clients": clients}
    for name in sorted(PORTS, reverse=bool(turn % 2)):
        written, spent = metric("ganad_history_written"), cpu(servers[name])
        found = pool.apply(clients_process, (PORTS[name], bodies, clients, 0, seconds))
        row |= {f"{name}_{key}": found[key] for key in ("per_second", "p50_ms", "p99_ms", "refused")}
        if name == "with":
            row["late_seconds"] = round(settled(), 2)
            row["kept"] = metric("ganad_history_written") - written
        row[f"{name}_cpu_ms"] = round(1000 * (cpu(servers[name]) - spent) / (found["per_second"] * seconds), 3)
    row["throughput_ratio"] = round(row["with_per_second"] / row["without_per_second"], 3)
    row["p99_ratio"] = round(row["with_p99_ms"] / row["without_p99_ms"], 3)
    return row


def main() -> None:
    from ganad import GANomaly

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--history")
    o = parser.parse_args()
    x = np.random.default_rng(0).integers(0, 256, (756, 28, 28)).astype(np.uint8)
    model = GANomaly(epochs=1, threads=1, random_state=0, verbose=0).fit(x[:256])
    model.calibrate(x[256:], false_alarm_rate=0.01)
    bodies, rows = [png(image) for image in x[256:]], []
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "model"
        model.save(path)
        kept = ("--history", o.history or str(Path(folder) / "history.db"))
        servers = {
            name: stack.enter_context(service(path, port, *(kept if name == "with" else ()))).pid
            for name, port in PORTS.items()
        }
        pool = stack.enter_context(multiprocessing.Pool(1))
        for clients in (8, 64):
            for turn in range(o.pairs):
                rows.append(measure(pool, servers, bodies, clients, o.seconds, turn))
                print(rows[-1], flush=True)
        if metric("ganad_history_dropped"):
            raise RuntimeError("samples were dropped, so the rows do not say what they claim")
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    marked = re.compile(r"(<!-- history -->\n).*?(<!-- /history -->)", re.DOTALL)
    if GUIDE.exists():
        guide = GUIDE.read_text(encoding="utf-8")
        GUIDE.write_text(marked.sub(lambda m: m[1] + table(rows) + "\n" + m[2], guide), encoding="utf-8")


if __name__ == "__main__":
    main()
