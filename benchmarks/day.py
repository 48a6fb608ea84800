"""A day in minutes: digits land in a folder at varying pace, and SIGKILL ends ``ganad watch`` again and again.

    python benchmarks/day.py [--files 5000] [--kills 10] [--history postgresql://user@host/name]

Files come in bursts and pauses, every seventh in two halves. Whenever a further share of them is in the history, the
watch is killed at a random moment and started again. Prints how many files landed, how many rows the history has, how
many names occur twice or not at all, and how long it took.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from ganad import KDE
from ganad.data.samples import image_source
from ganad.errors import HistoryUnavailable, InputError
from ganad.history import History


def digits() -> np.ndarray:
    """Images uint8 ``(n, 8, 8)``."""
    return np.rint(load_digits().images * (255 / 16)).astype(np.uint8)


def fit(path: Path) -> None:
    """A model of digits, with 1 % of false alarms."""
    detector = KDE(bandwidths=(0.5,), random_state=0, verbose=0)
    detector.fit(digits()[:800], hold_out=0.25, false_alarm_rate=0.01)
    detector.remember_source(image_source(8, 8, "L"))
    detector.save(path)


def land(folder: Path, files: int, rng: random.Random) -> None:
    """Files in bursts and pauses, every seventh in two halves."""
    pictures, burst = digits(), 0
    for i in range(files):
        out = io.BytesIO()
        Image.fromarray(pictures[i % len(pictures)]).save(out, "PNG")
        content = out.getvalue()
        with open(folder / f"{i:06d}.png", "wb") as file:
            if i % 7 == 0:
                file.write(content[:40])
                file.flush()
                time.sleep(0.005)
                content = content[40:]
            file.write(content)
        burst = burst - 1 if burst else rng.randrange(200)
        time.sleep(rng.uniform(0, 0.004) if burst else rng.uniform(0, 1))


def kept(history: str) -> int:
    """Rows, as another process reads them while they are written."""
    with contextlib.suppress(InputError, HistoryUnavailable), History(history, create=False) as opened:
        return opened.count()
    return 0


def day(files: int, kills: int, history: str, folder: Path, seed: int = 0) -> list[int]:
    """Let it pass; the numbers of rows at which the watch was killed."""
    rng = random.Random(seed)
    model, incoming = folder / "model.safetensors", folder / "in"
    incoming.mkdir()
    fit(model)
    lands = threading.Thread(target=land, args=(incoming, files, rng), daemon=True)
    lands.start()
    command = [sys.executable, "-m", "ganad.cli", "watch", str(model), str(incoming), "--history", history]
    killed = []
    for level in [*(files * (i + 1) // (kills + 1) for i in range(kills)), files]:
        with open(folder / "log", "ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        while kept(history) < level and process.poll() is None:
            time.sleep(rng.uniform(0.01, 0.1))
        if level == files:
            lands.join()
            time.sleep(2)  # for what would come twice
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed.append(kept(history))
    return killed


def main() -> None:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--history")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ganad-day") as name:
        started, history = time.perf_counter(), chosen.history or f"{name}/history.db"
        killed = day(chosen.files, chosen.kills, history, Path(name))
        with History(history) as opened:
            names = Counter(row.name for page in opened.pages() for row in page)
        missing = [i for i in range(chosen.files) if f"{i:06d}.png" not in names]
        twice = [name for name, count in names.items() if count > 1]
        print(f"{chosen.files:,} files, {len(killed) - 1} kills, at {', '.join(map(str, killed[:-1]))} rows")
        print(f"{names.total():,} rows, {len(missing)} files without one, {len(twice)} with more than one")
        print(f"{time.perf_counter() - started:.0f} s")
    raise SystemExit(bool(missing or twice))


if __name__ == "__main__":
    main()
