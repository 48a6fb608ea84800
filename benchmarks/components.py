"""A Gaussian mixture's number of components, chosen on a part of the samples or on all of them.

    python benchmarks/components.py [--tables 22_magic.gamma 23_mammography] [--part 5000] [--seeds 3]

Three quarters of a table's normal rows train, the rest are held out; no label but "normal" is used. For each seed it
prints the number of components, the mean log density of the held-out rows in the space of the features, and seconds of
processor time, for ``choose_samples=part`` and for ``choose_samples=None``, which tries every number on all samples.
The table ``mnist`` is 26,667 digits, of which a mixture sees 40 principal components.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch

from ganad import GMM

SHARED = Path(__file__).parents[2] / "shared" / "data"


def rows(name: str, folder: Path) -> np.ndarray:
    """The normal rows of a table, shuffled."""
    if name == "mnist":
        with gzip.open(folder / "mnist" / "train-images-idx3-ubyte.gz") as file:
            x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)[:26_667].astype(np.float64)
    else:
        table = np.load(folder / "tables_dev" / f"{name}.npz")
        x = table["X"][table["y"].ravel() == 0].astype(np.float64)
    return x[np.random.default_rng(0).permutation(len(x))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="*", default=["22_magic.gamma", "23_mammography"])
    parser.add_argument("--part", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=SHARED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        "| table | samples | seed | choice on | components | held-out log density | s |\n|---|---|---|---|---|---|---|"
    )
    for name in options.tables:
        x = rows(name, options.data)
        train, held_out = x[: len(x) * 3 // 4], x[len(x) * 3 // 4 :]
        for seed in range(options.seeds):
            for part in (options.part, None):
                model = GMM(
                    choose_samples=part, random_state=seed, threads=1, verbose=0, threshold_samples=10, threshold_fits=0
                )
                start = time.process_time()
                model.fit(train)
                seconds = time.process_time() - start
                k, density = len(model.log_weights_), -float(model.anomaly_score(held_out).mean())
                cells = [name, len(train), seed, part or "all", k, f"{density:.3f}", f"{seconds:.1f}"]
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
