"""Every detector as it comes, on public anomaly tables: mean AUROC, mean rank, worst table, spread over seeds.

    python benchmarks/tables.py --data FOLDER [--methods FenceGAN GMM] [--tables glass WBC] [--seeds 3] [--rows FILE]
    python benchmarks/tables.py --methods AnoGAN --seeds 1 --set n_starts=1 search_lr=0.01 --rows other.jsonl
    python benchmarks/tables.py --show        # the tables from the rows that are there, nothing is run

FOLDER holds one .npz a table, with ``X (n, d)`` and ``y (n,)``, 1 = anomaly, as the ADBench collection has them.
One-class: a seeded half of the normal rows trains, at most 800; the other normal rows and all anomalies are the test,
at most 4,000 of them. Detectors have their default settings. A label is used for the AUROC and the AP alone.

One process on one thread. A row is written when it is done, and one that is there for the same settings is not made
again, so that the command may be stopped and started. PyOD's detectors take part where PyOD is installed
(``pip install "ganad[bench]"``). ``--set`` measures other settings than the defaults, into a file of rows of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.util
import json
import os
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score

import ganad
from ganad import registry

ROWS = Path(__file__).parent / "results" / "tables.jsonl"
DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "tables_dev"

MOST_TRAINED, MOST_TESTED = 800, 4000
#: detectors of PyOD by module and class
PYOD = {"knn": "KNN", "lof": "LOF", "ecod": "ECOD", "lunar": "LUNAR", "alad": "ALAD", "anogan": "AnoGAN"}
#: what a person who changes nothing gets is compared with this
FLOOR = "Trivial"
FOUND = 0.6

Row = dict[str, Any]
Table = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Split:
    """Normal rows to learn from, and rows to be scored with their labels."""

    train: Table
    test: Table
    labels: NDArray[np.int64]


def read_split(path: Path, seed: int) -> Split:
    """The one-class split of one table; a function of the file's name and the seed."""
    with np.load(path) as file:
        x, y = file["X"].astype(np.float64), file["y"].astype(np.int64)
    rng = np.random.default_rng([seed, *path.stem.encode()])
    normal = rng.permutation(np.flatnonzero(y == 0))
    n_train = min(len(normal) // 2, MOST_TRAINED)
    test = np.concatenate([normal[n_train:], np.flatnonzero(y == 1)])
    test = np.sort(rng.permutation(test)[:MOST_TESTED])
    return Split(x[normal[:n_train]], x[test], y[test])


# -- detectors ----------------------------------------------------------------------------------------------------


def trial(method: str, split: Split, seed: int, **changes: Any) -> Row:
    """Fit, score, and what came of it."""
    model = make(method, seed, **changes)
    start = time.perf_counter()
    model.fit(split.train)
    fitted = time.perf_counter()
    score = model.decision_function if method.startswith("PyOD ") else model.anomaly_score
    scores = score(split.test)
    end = time.perf_counter()
    if not np.isfinite(scores).all():
        raise ValueError(f"{method} gave scores that are not finite")
    return {
        "auroc": round(float(roc_auc_score(split.labels, scores)), 5),
        "ap": round(float(average_precision_score(split.labels, scores)), 5),
        "fit_s": round(fitted - start, 2),
        "score_s": round(end - fitted, 2),
    }


def make(method: str, seed: int, **changes: Any) -> Any:
    """An unfitted detector, ours or, by the name "PyOD KNN", PyOD's."""
    if not method.startswith("PyOD "):
        return getattr(ganad, method)(random_state=seed, threads=1, verbose=0, device="cpu", **changes)
    np.random.seed(seed)  # noqa: NPY002  PyOD reads the old global state
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    name = method.removeprefix("PyOD ")
    module = next(m for m, c in PYOD.items() if c == name)
    made: Any = getattr(importlib.import_module(f"pyod.models.{module}"), name)(**changes)
    return made


def settings(method: str, **changes: Any) -> dict[str, Any]:
    """All settings of a method that may change a score."""
    found = make(method, 0, **changes).get_params()
    skipped = ("random_state", "threads", "verbose", "device", "threshold_fits")
    return {k: v if isinstance(v, int | float | str | None) else str(v) for k, v in found.items() if k not in skipped}


def method_names() -> list[str]:
    others = [f"PyOD {name}" for name in PYOD.values()] if importlib.util.find_spec("pyod") else []
    return ["Auto"] + [registry.get(name).__name__ for name in registry.names()] + others


# -- rows ---------------------------------------------------------------------------------------------------------


def read_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def key(method: str, table: str, seed: int, values: dict[str, Any]) -> str:
    text = json.dumps([method, table, seed, values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def missing(
    methods: Iterable[str], tables: Iterable[Path], seeds: int, done: set[str], changes: dict[str, Any]
) -> Iterator[tuple[str, Path, int, dict[str, Any]]]:
    """What is left to run, by seed and table, so that a run that is stopped leaves all methods with like rows."""
    values = {method: settings(method, **changes) for method in methods}
    for seed in range(seeds):
        for table in tables:
            for method, chosen in values.items():
                if key(method, table.stem, seed, chosen) not in done:
                    yield method, table, seed, chosen


def run(methods: list[str], tables: list[Path], seeds: int, out: Path, **changes: Any) -> None:
    """Write the rows that are missing."""
    done = {key(r["detector"], r["table"], r["seed"], r["settings"]) for r in read_rows(out)}
    out.parent.mkdir(parents=True, exist_ok=True)
    used = {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
    used |= {"pyod": version("pyod")} if importlib.util.find_spec("pyod") else {}
    for method, table, seed, chosen in missing(methods, tables, seeds, done, changes):
        row = {"detector": method, "table": table.stem, "seed": seed, "settings": chosen, "versions": used}
        row |= trial(method, read_split(table, seed), seed, **changes)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{method:18} {table.stem:16} {seed}  {row['auroc']:.3f}  {row['fit_s']:.1f} s", file=sys.stderr)


# -- the tables printed -------------------------------------------------------------------------------------------


def latest(rows: list[Row]) -> dict[str, dict[str, dict[int, Row]]]:
    """Rows by detector, table and seed; of two rows of one cell, with other settings, the later one counts."""
    found: dict[str, dict[str, dict[int, Row]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        found[row["detector"]][row["table"]][row["seed"]] = row
    return found


def summary(rows: list[Row]) -> str:
    """One line a detector, best mean first. Ranks are among the detectors that have all the tables.

    Some tables are beyond everybody: a second mean is over those where the median detector is above ``FOUND``.
    """
    cells = latest(rows)
    tables = sorted({row["table"] for row in rows})
    whole = [m for m in cells if len(cells[m]) == len(tables)]
    value = {m: {t: float(np.mean([r["auroc"] for r in cells[m][t].values()])) for t in cells[m]} for m in cells}
    grid = np.array([[value[m][t] for t in tables] for m in whole]).reshape(len(whole), len(tables))
    rank = dict(zip(whole, rankdata(-grid, axis=0).mean(1))) if whole else {}
    middle = {t: np.median([value[m][t] for m in cells if t in value[m]]) for t in tables}
    floor = _mean(value[FLOOR].values()) if FLOOR in whole else float("nan")
    head = f"| detector | tables | seeds | mean AUROC | where the median is above {FOUND} "
    head += "| over the distance to the mean | mean rank | worst table "
    head += "| sd over seeds | fit s, median | score s, median |"
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for m in sorted(cells, key=lambda m: -_mean(value[m].values())):
        worst = min(value[m], key=lambda t: value[m][t])
        mine = [r for by_seed in cells[m].values() for r in by_seed.values()]
        sd = _mean(np.std([r["auroc"] for r in s.values()], ddof=1) for s in cells[m].values() if len(s) > 1)
        lines.append(
            f"| {'distance to the mean' if m == FLOOR else m} | {len(value[m])} | {len({r['seed'] for r in mine})} "
            f"| {_mean(value[m].values()):.3f} | {_mean(v for t, v in value[m].items() if middle[t] > FOUND):.3f} "
            f"| {_mean(value[m].values()) - floor:+.3f} "
            f"| {rank.get(m, float('nan')):.1f} | {value[m][worst]:.3f} {worst} | {sd:.3f} "
            f"| {np.median([r['fit_s'] for r in mine]):.1f} | {np.median([r['score_s'] for r in mine]):.1f} |"
        )
    return "\n".join(lines)


def upside_down(rows: list[Row], least: float = 0.7) -> str:
    """Cells below one half on tables where the median detector is above ``least``."""
    cells = latest(rows)
    value = {
        (m, t): float(np.mean([r["auroc"] for r in by_seed.values()]))
        for m, by_table in cells.items()
        for t, by_seed in by_table.items()
    }
    tables = sorted({t for _, t in value})
    middle = {t: float(np.median([v for (_, other), v in value.items() if other == t])) for t in tables}
    low = {k: v for k, v in value.items() if v < 0.5 and middle[k[1]] > least}
    found = [f"- {m}, {t}: {v:.3f} where the median is {middle[t]:.3f}" for (m, t), v in low.items()]
    return "\n".join(found) or f"No detector is below .5 on a table where the median is above {least}."


def every_cell(rows: list[Row]) -> str:
    """Mean AUROC of every detector on every table."""
    cells = latest(rows)
    tables = sorted({row["table"] for row in rows})
    names = [t.partition("_")[2] or t for t in tables]
    lines = ["| detector | " + " | ".join(names) + " |", "|---|" + "---|" * len(tables)]
    for m in sorted(cells):
        values = [[r["auroc"] for r in cells[m][t].values()] if t in cells[m] else [] for t in tables]
        lines.append(f"| {m} | " + " | ".join(f"{np.mean(v):.3f}" if v else "-" for v in values) + " |")
    return "\n".join(lines)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.mean(found)) if found else float("nan")


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of .npz files")
    parser.add_argument("--methods", nargs="*", help="class names, or PyOD's as 'PyOD KNN'; default: all")
    parser.add_argument("--tables", nargs="*", help="parts of file names; default: all")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--rows", type=Path, default=ROWS, help="file of rows, read and added to")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON", help="settings other than the defaults")
    parser.add_argument("--show", action="store_true", help="print the tables and run nothing")
    options = parser.parse_args(arguments)
    changes = {name: json.loads(value) for name, _, value in (text.partition("=") for text in options.set)}
    if changes and options.rows == ROWS:
        parser.error("--set needs --rows: the file of the defaults holds no other settings")
    if not options.show:
        if unknown := sorted(set(options.methods or ()) - set(method_names())):
            parser.error(f"{', '.join(unknown)}: not among {', '.join(method_names())}")
        files = sorted(options.data.glob("*.npz"))
        parts = [part.lower() for part in options.tables or [""]]
        files = [f for f in files if any(part in f.stem.lower() for part in parts)]
        if not files:
            parser.error(f"no table in {options.data}; give the folder of .npz files with --data")
        warnings.simplefilter("ignore")
        run(options.methods or method_names(), files, options.seeds, options.rows, **changes)
    rows = read_rows(options.rows)
    for text in (summary(rows), upside_down(rows), every_cell(rows)):
        say(text + "\n")


if __name__ == "__main__":
    main()
