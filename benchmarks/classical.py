"""Seconds and memory of every classical baseline on 50,000 training samples.

    python benchmarks/classical.py [--only KDE LOF] [--data-dir DIR]
    python benchmarks/classical.py --table     # the rows as a table in docs/speed.md

Normal rows of KDD99 at 121 columns, scaled and not reduced, and MNIST's training images on 40 principal components.
Every fit runs in a process of its own on one thread; fitting includes the further one for the threshold. Memory is
the peak of the process above what it held when the data had been read. Writes results/classical.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import ganad
from ganad import protocols

RESULTS = Path(__file__).parent / "results" / "classical.json"
PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
MARKS = "<!-- classical -->\n", "<!-- /classical -->"

N_TRAIN, N_SCORED = 50_000, 10_000
METHODS = ("KDE", "OneClassSVM", "LOF", "IsolationForest", "GMM", "NearestNeighbor", "PCAResidual")
ROWS = dict(scaling="minmax", reducer="none")
IMAGES = dict(reducer="pca", n_components=40)
#: protocol, class and settings; the class is the one left out
DATA = {"kdd99": ("kdd-half", None, ROWS), "mnist": ("mnist-lo-official", "1", IMAGES)}
#: where the settings above are not possible
CHANGES = {("PCAResidual", "kdd99"): dict(reducer="pca", n_components=10)}


def measure(method: str, data: str, data_dir: str | None) -> dict[str, object]:
    """One row, of this process."""
    protocol, cls, settings = DATA[data]
    samples = protocols.read(protocol, data_dir=data_dir)
    split = protocols.PROTOCOLS[protocol].split(samples, cls, 0, n_train=N_TRAIN, n_test=N_SCORED)
    x, x_new = split.take(samples.x)
    said: list[str] = []
    logger = logging.getLogger("ganad")
    logger.setLevel(logging.INFO)
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    settings = settings | CHANGES.get((method, data), {})
    model = getattr(ganad, method)(**settings, random_state=0, threads=1, verbose=0, device="cpu")
    before, start = peak_mb(), time.perf_counter()
    model.fit(x)
    fitted = time.perf_counter()
    scores = model.anomaly_score(x_new)
    end = time.perf_counter()
    assert np.isfinite(scores).all()
    return {
        "method": method,
        "data": data,
        "n_train": len(x),
        "n_scored": len(x_new),
        "fit_s": round(fitted - start, 2),
        "score_s": round(end - fitted, 2),
        "peak_mb": round(peak_mb() - before),
        "said": said,
    }


def peak_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| method | KDD99: fit s | score s | peak MB | MNIST, PCA-40: fit s | score s | peak MB | what it says |",
        "|---" * 8 + "|",
    ]
    for method in METHODS:
        mine = {r["data"]: r for r in rows if r["method"] == method}
        cells = [str(mine[d][key]) for d in DATA for key in ("fit_s", "score_s", "peak_mb")]
        said = [str(line).partition(": ")[2] for line in mine["mnist"]["said"]]  # type: ignore[attr-defined]
        lines.append(f"| {method} | " + " | ".join(cells) + f" | {'; '.join(said) or '-'} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("GANAD_DATA"))
    parser.add_argument("--only", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--table", action="store_true", help="write the table from the rows, run nothing")
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "DATA"), help="print one row as JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.data_dir)))
        return
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    if options.table:
        before, rest = PAGE.read_text().split(MARKS[0])
        PAGE.write_text(f"{before}{MARKS[0]}{table(rows)}\n{MARKS[1]}{rest.split(MARKS[1])[1]}")
        return
    for method in options.only:
        for data in DATA:
            command = [sys.executable, __file__, "--one", method, data]
            if options.data_dir:
                command += ["--data-dir", options.data_dir]
            row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            rows = [r for r in rows if (r["method"], r["data"]) != (method, data)] + [row]
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
