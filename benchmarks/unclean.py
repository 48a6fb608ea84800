"""Anomalies among the training samples, with and without ``trim``: three development tables, and digits.

    python benchmarks/unclean.py TABLES_DIR [--only KDE GMM] [--tables 28_pendigits digits] [--shares 0 0.05]
                                 [--seeds 3] [--rows FILE]
    python benchmarks/unclean.py --show      # the tables from the rows that are there, nothing is run
    python benchmarks/unclean.py --table     # that of the digits into docs/guide/thresholds.md

TABLES_DIR holds an npz file for each table, with X ``(n, d)`` and y ``(n,)``, 1 for anomalies; "digits" are those of
scikit-learn as images, of which 0 is the anomaly, or 3 in "digits-3". Half of the normal samples train, at most 800,
with anomalies that make up the given share of the training samples; the rest of both is tested. trim is .1, whatever
the share is: nobody knows it. A table of the tables and one of each digit have the mean AUROC over tables and seeds,
and in brackets the share of tested normal samples that ``predict`` flags with a threshold from the training samples. A
row is written when it is done, and one that is there for the same settings is not made again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pages import between  # type: ignore[import-not-found,unused-ignore]
from sklearn.datasets import load_digits

import ganad
from ganad import metrics, registry
from ganad.atomic import write_text
from ganad.errors import UntrustedFit

ROWS = Path(__file__).parent / "results" / "unclean.jsonl"
PAGE = Path(__file__).parent.parent / "docs" / "guide" / "thresholds.md"
TABLES = ("28_pendigits", "2_annthyroid", "22_magic.gamma", "digits")
SHARES = (0.0, 0.01, 0.05, 0.1)
SHOWN = (0.0, 0.05)  #: in the guide
TRIM = 0.1
MOST = 800


def read(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples and their labels, 1 = anomaly."""
    if name.startswith("digits"):
        digits = load_digits()
        return (digits.images * 255 / 16).astype(np.uint8), (digits.target == int(name[7:] or 0)).astype(int)
    with np.load(folder / f"{name}.npz") as table:
        return table["X"].astype(np.float64), table["y"].astype(int)


def split(x: np.ndarray, y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows to test on."""
    rng = np.random.default_rng(seed)
    normal, odd = rng.permutation(np.flatnonzero(y == 0)), rng.permutation(np.flatnonzero(y == 1))
    n = min(MOST, len(normal) // 2)
    mixed_in = min(round(n * share / (1 - share)), len(odd) // 2)
    return np.concatenate([normal[:n], odd[:mixed_in]]), np.concatenate([normal[n : n + 2000], odd[mixed_in:]])


def measure(cell: dict[str, Any], x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """AUROC, and the share of tested normal samples that are flagged."""
    train, test = split(x, y, cell["share"], cell["seed"])
    model = getattr(ganad, cell["detector"])(
        trim=cell["trim"],
        contamination=0.01,
        threshold_fits=0,
        random_state=cell["seed"],
        device="cpu",
        verbose=0,
        threads=1,
    )
    scores = model.fit(x[train]).anomaly_score(x[test])
    flagged = float((scores[y[test] == 0] > model.threshold_).mean())
    return cell | {"auroc": round(metrics.auroc(y[test], scores), 5), "flagged": round(flagged, 5)}


def key(row: dict[str, Any]) -> str:
    return json.dumps([row[name] for name in ("detector", "table", "share", "trim", "seed", "settings")])


def settings(method: str) -> dict[str, str]:
    """All settings that may change a score, as text."""
    skipped = ("random_state", "threads", "verbose", "device", "trim", "contamination", "threshold_fits")
    return {k: str(v) for k, v in getattr(ganad, method)().get_params().items() if k not in skipped}


def table(rows: list[dict[str, Any]]) -> str:
    """A line a detector and trim: mean AUROC, and in brackets the mean share of normal samples that are flagged."""
    lines = ["| method | trim | " + " | ".join(f"{100 * share:g} % anomalies" for share in SHARES) + " |"]
    lines.append("|---" * (2 + len(SHARES)) + "|")
    for method in sorted({row["detector"] for row in rows}):
        for trim in (0.0, TRIM):
            cells = []
            for share in SHARES:
                mine = [r for r in rows if (r["detector"], r["trim"], r["share"]) == (method, trim, share)]
                means = [statistics.mean(r[name] for r in mine) for name in ("auroc", "flagged") if mine]
                cells.append("{:.3f} ({:.1%})".format(*means) if mine else "")
            lines.append(f"| {method} | {trim:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def digits_table(rows: list[dict[str, Any]]) -> str:
    """A line a detector that has rows of digits with and without trim: AUROC, mean over seeds, the best first."""
    found: dict[str, dict[tuple[float, float], list[float]]] = {}
    for row in rows:
        if row["table"] == "digits" and row["share"] in SHOWN:
            found.setdefault(row["detector"], {}).setdefault((row["trim"], row["share"]), []).append(row["auroc"])
    cells = [(trim, share) for trim in (0.0, TRIM) for share in SHOWN]
    whole = {method: at for method, at in found.items() if at.keys() == set(cells)}
    lines = ["| detector | seeds | " + " | ".join(f"{100 * s:g} %{', trim' if t else ''}" for t, s in cells) + " |"]
    lines.append("|---" * (2 + len(cells)) + "|")
    unclean = {m: max(statistics.mean(at[trim, SHOWN[1]]) for trim in (0.0, TRIM)) for m, at in whole.items()}
    for method, at in sorted(whole.items(), key=lambda item: -unclean[item[0]]):
        means = " | ".join(f"{statistics.mean(at[cell]):.3f}" for cell in cells)
        lines.append(f"| {method} | {min(map(len, at.values()))} | {means} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    names = [registry.get(name).__name__ for name in registry.names()]
    parser.add_argument("--only", nargs="+", default=names, help="detectors")
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--shares", nargs="+", type=float, default=SHARES, help="anomalies of the training samples")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--show", action="store_true", help="print the tables and run nothing")
    parser.add_argument("--table", action="store_true", help="write that of the digits into the guide and run nothing")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.rows.read_text().splitlines()] if given.rows.exists() else []
    if given.table:
        write_text(PAGE, between(PAGE.read_text("utf-8"), "unclean-digits", digits_table(rows)))
        return
    done = {key(row) for row in rows}
    warnings.simplefilter("ignore", UntrustedFit)
    data = {} if given.show else {name: read(given.folder, name) for name in given.tables}
    cells = [
        dict(detector=method, table=name, share=share, trim=trim, seed=seed, settings=settings(method))
        for seed in range(given.seeds)
        for name in data
        for method in given.only
        for trim in (0.0, TRIM)
        for share in given.shares
    ]
    for cell in cells:
        if key(cell) not in done:
            rows.append(measure(cell, *data[cell["table"]]))
            with given.rows.open("a") as file:
                file.write(json.dumps(rows[-1]) + "\n")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["table"] if row["table"].startswith("digits") else "tables", []).append(row)
    for name, group in groups.items():
        print(f"{name}\n{table(group)}\n")


if __name__ == "__main__":
    main()
