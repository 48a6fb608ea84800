"""Anomalies among the training samples, with and without ``trim``: development tables, a share of anomalies mixed in.

    python benchmarks/unclean.py TABLES_DIR [--only KDE GMM] [--tables 28_pendigits ...] [--seeds 3]

TABLES_DIR holds an npz file for each table, with X ``(n, d)`` and y ``(n,)``, 1 for anomalies. Half of the normal rows
train, at most 800, with anomalies that make up the given share of the training rows; the rest of both is tested. trim
is .1, whatever the share is: nobody knows it. Prints the mean AUROC over tables and seeds, and in brackets the share of
tested normal rows that ``predict`` flags.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

import ganad
from ganad import metrics
from ganad.errors import UntrustedFit

METHODS = ("Trivial", "NearestNeighbor", "LOF", "KDE", "GMM", "OneClassSVM", "IsolationForest", "PCAResidual")
NETWORKS = ("AutoEncoder", "GANomaly")
TABLES = ("28_pendigits", "2_annthyroid", "22_magic.gamma")
SHARES = (0.0, 0.01, 0.05, 0.1)
TRIM = 0.1
MOST = 800


def split(x: np.ndarray, y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows to test on."""
    rng = np.random.default_rng(seed)
    normal, odd = rng.permutation(np.flatnonzero(y == 0)), rng.permutation(np.flatnonzero(y == 1))
    n = min(MOST, len(normal) // 2)
    mixed_in = min(round(n * share / (1 - share)), len(odd) // 2)
    return np.concatenate([normal[:n], odd[:mixed_in]]), np.concatenate([normal[n : n + 2000], odd[mixed_in:]])


def measure(method: str, x: np.ndarray, y: np.ndarray, share: float, trim: float, seed: int) -> tuple[float, float]:
    """AUROC, and the share of tested normal rows that are flagged."""
    train, test = split(x, y, share, seed)
    model = getattr(ganad, method)(trim=trim, contamination=0.01, random_state=seed, device="cpu", verbose=0)
    scores = model.fit(x[train]).anomaly_score(x[test])
    return metrics.auroc(y[test], scores), float((scores[y[test] == 0] > model.threshold_).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[*METHODS, *NETWORKS], help="detectors")
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore", UntrustedFit)
    tables = [np.load(given.folder / f"{name}.npz") for name in given.tables]
    data = [(table["X"].astype(np.float64), table["y"].astype(int)) for table in tables]
    print("| method | trim | " + " | ".join(f"{100 * share:g} % anomalies" for share in SHARES) + " |")
    print("|---" * (2 + len(SHARES)) + "|")
    for method in given.only:
        for trim in (0.0, TRIM):
            cells = []
            for share in SHARES:
                runs = [measure(method, x, y, share, trim, seed) for x, y in data for seed in range(given.seeds)]
                cells.append("{:.3f} ({:.1%})".format(*np.mean(runs, axis=0)))
            print(f"| {method} | {trim:g} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
