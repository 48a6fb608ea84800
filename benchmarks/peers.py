"""ganad's networks beside PyOD's: rows a second in training and in scoring, peak memory, AUROC.

    python benchmarks/peers.py [--only ALAD VAE] [--rounds 3]     # needs pip install "ganad[bench]"
    python benchmarks/peers.py --table     # the rows as tables in docs/speed.md and README.md, runs nothing

``benchmarks/peers_pairs.py`` has the pairs, and what is equal in them.

- Speed: normal random rows. Both take turns in one process, in processor time. The training rate is the difference of
  two fits that differ in passes, so what else a fit does, such as thresholds, is left out. Medians over the rounds.
- Memory: the peak of a process of its own that fits and scores these rows, and what of it is above a first small fit.
- AUROC: the mean over seeds on one table, with the split of ``benchmarks/tables.py`` and ``PASSES`` passes; and the
  processor seconds of the whole fit. No label reaches training.

Writes results/peers.json.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fresh import peak_mb, row_of  # type: ignore[import-not-found,unused-ignore]
from pages import between  # type: ignore[import-not-found,unused-ignore]
from peers_pairs import (  # type: ignore[import-not-found,unused-ignore]
    PAIRS,
    SEARCH,
    SEEDS,
    Data,
    Pair,
    Settings,
)

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "peers.json"
PAGES = (ROOT / "docs" / "speed.md", ROOT / "README.md")

COLUMNS = 50  # of the random rows
SEARCHED = 50  #: rows that PyOD searches for in a timing, one after the other
MEASURES = ["speed", "auroc", "memory"]
TABLE, PASSES, ROUNDS = "28_pendigits", 100, 3


# -- detectors ----------------------------------------------------------------------------------------------------


class Ours:
    """A detector of ganad."""

    def __init__(self, pair: Pair, x: Data, seed: int, **changes: Any):
        import ganad

        fixed: Settings = dict(random_state=seed, threads=1, verbose=0, device="cpu", precision="fp32")
        self.model = getattr(ganad, pair.ours)(**fixed | pair.settings(x)[0] | changes)

    def fit(self, x: Any) -> Any:
        return self.model.fit(x)

    def score(self, x: Any) -> Any:
        return self.model.anomaly_score(x)

    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.nets_.parameters())


class Theirs:
    """A detector of PyOD."""

    def __init__(self, pair: Pair, x: Data, seed: int, **changes: Any):
        import numpy as np
        import torch

        np.random.seed(seed)  # noqa: NPY002  PyOD reads the old global state
        torch.manual_seed(seed)
        module, name = pair.theirs.split(".")
        self.pair, self.d, settings = pair, x.d, pair.settings(x)[1]
        if "verbose" in settings and "n_features" not in settings:
            settings["random_state"] = seed
        with contextlib.redirect_stdout(io.StringIO()):
            self.model = getattr(importlib.import_module(f"pyod.models.{module}"), name)(**settings | changes)

    def fit(self, x: Any) -> Any:
        self.low, self.high = x.min(0), x.max(0)
        with contextlib.redirect_stdout(io.StringIO()):
            return self.model.fit(self.scaled(x))

    def score(self, x: Any) -> Any:
        return self.model.decision_function(self.scaled(x))

    def scaled(self, x: Any) -> Any:
        spread = self.high - self.low
        return (x - self.low) / (spread + (spread == 0)) if self.pair.unit_scale else x

    def parameters(self) -> int:
        from torch import nn

        nets = [value for value in vars(self.model).values() if isinstance(value, nn.Module)]
        found = {id(p): p.numel() for net in nets for p in net.parameters()}
        if self.pair.unit_scale:  # MO_GAAL forgets its generators, two layers as wide as the table
            return sum(found.values()) + self.model.k * 2 * (self.d**2 + self.d)
        return sum(found.values())


Side = Ours | Theirs
SIDES: dict[str, type[Side]] = {"ganad": Ours, "pyod": Theirs}


# -- measurements -------------------------------------------------------------------------------------------------


def random_rows(n: int, d: int = COLUMNS) -> Any:
    import numpy as np

    return np.random.default_rng(0).normal(size=(n, d))


def quiet() -> None:
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def seconds(work: Callable[..., Any], *arguments: Any) -> float:
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def shortest(side: type[Side], pair: Pair) -> Settings:
    """Settings that leave out the search, or all but a step of it."""
    return {Ours: dict(search_steps=0), Theirs: dict(epochs_query=1)}[side] if pair.searches else {}


def turn(side: type[Side], pair: Pair, x: Any) -> dict[str, float]:
    """Rows a second of one side in training and in scoring."""
    n, d = x.shape
    spent = []
    for passes in pair.passes:
        model = side(pair, Data(n, d, passes), 0, **shortest(side, pair))
        spent.append(seconds(model.fit, x))
    rates = {"train": n * (pair.passes[1] - pair.passes[0]) / max(spent[1] - spent[0], 1e-9)}
    rates["score"] = n / seconds(model.score, x)
    if pair.searches:
        rates |= {"plain": rates["score"], "score": search_rate(side, pair, x)}
    return rates


def search_rate(side: type[Side], pair: Pair, x: Any) -> float:
    """Rows a second of AnoGAN's search: of ganad's scores, and of what PyOD's fit does for every row."""
    if side is Ours:
        model = Ours(pair, Data(*x.shape, 1), 0)
        model.fit(x)
        return len(x) / seconds(model.score, x)
    x = x[:SEARCHED]
    short, full = (Theirs(pair, Data(*x.shape, 1), 0, epochs_query=steps) for steps in (1, 1 + SEARCH))
    once = seconds(short.fit, x)
    return len(x) / max(seconds(full.fit, x) - once, 1e-9)


def speed(name: str, rounds: int, rows: int | None) -> dict[str, Any]:
    """The two sides in turn, the first one alternating; a small fit before the first round warms each."""
    pair = PAIRS[name]
    x = random_rows(rows or pair.rows)
    for side in SIDES.values():
        side(pair, Data(200, COLUMNS, 3), 0, **shortest(side, pair)).fit(x[:200])
    found: dict[str, list[dict[str, float]]] = {key: [] for key in SIDES}
    for i in range(rounds):
        for key in list(SIDES)[:: 1 if i % 2 == 0 else -1]:
            found[key].append(turn(SIDES[key], pair, x))
    out: dict[str, Any] = {"rows": len(x), "rounds": rounds}
    for what in found["ganad"][0]:
        ours, theirs = ([rates[what] for rates in found[key]] for key in SIDES)
        ratios = [a / b for a, b in zip(ours, theirs)]
        out |= {f"ganad_{what}": round(statistics.median(ours)), f"pyod_{what}": round(statistics.median(theirs))}
        out |= {f"{what}_ratio": round(statistics.median(ratios), 2), f"{what}_ratios": [round(r, 2) for r in ratios]}
    return out


def memory(name: str, side: type[Side], rows: int | None) -> dict[str, Any]:
    """Peak of a fit and scores, in MiB: of the process, and above a first fit to 200 rows."""
    pair = PAIRS[name]
    side(pair, Data(200, COLUMNS, 3), 0, **shortest(side, pair)).fit(random_rows(200))
    before = peak_mb()
    x = random_rows(rows or pair.rows)
    model = side(pair, Data(*x.shape, pair.passes[0]), 0, **shortest(side, pair))
    model.fit(x)
    model.score(x)
    return {"peak": round(peak_mb()), "above": round(peak_mb() - before, 1), "parameters": model.parameters()}


def quality(name: str, seeds: int, data: Path | None, passes: int) -> dict[str, Any]:
    """AUROC of both on one table, a mean over seeds, and the processor seconds of a whole fit."""
    from sklearn.metrics import roc_auc_score
    from tables import DATA, read_split  # type: ignore[import-not-found,unused-ignore]

    pair = PAIRS[name]
    seeds = min(seeds, pair.seeds)
    out: dict[str, Any] = {"table": TABLE, "passes": passes, "seeds": seeds}
    found: dict[str, list[tuple[float, float]]] = {key: [] for key in SIDES}
    for seed in range(seeds):
        split = read_split((data or DATA) / f"{TABLE}.npz", seed)
        size = Data(*split.train.shape, passes, passes // 4)
        for key, side in SIDES.items():
            model = side(pair, size, seed)
            spent = seconds(model.fit, split.train)
            found[key].append((float(roc_auc_score(split.labels, model.score(split.test))), spent))
    for key, pairs in found.items():
        aurocs, spent = zip(*pairs)
        out |= {f"{key}_auroc": round(statistics.mean(aurocs), 3), f"{key}_aurocs": [round(a, 3) for a in aurocs]}
        out |= {f"{key}_fit_s": round(statistics.median(spent), 2)}
    return out


# -- tables -------------------------------------------------------------------------------------------------------


def lines_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each row, and a second one where scores were also timed without a search."""
    out = []
    for row in rows:
        out.append(row)
        if "plain_ratio" in row:
            plain = {key.replace("plain", "score"): value for key, value in row.items() if "plain" in key}
            out.append({"name": f"{row['name']}, no search"} | plain)
    return out


def both(row: dict[str, Any], what: str, form: str = ",") -> str:
    """The figures of ganad and PyOD."""
    return " / ".join(format(row[f"{key}_{what}"], form) for key in SIDES) if f"ganad_{what}" in row else "-"


def times(row: dict[str, Any], what: str) -> str:
    return f"{row[f'{what}_ratio']:.1f}" if f"{what}_ratio" in row else "-"


def full_table(rows: list[dict[str, Any]]) -> str:
    """Every figure, ganad / PyOD."""
    head = "| method | parameters | train rows/s | times | score rows/s | times | peak MB | above | AUROC | fit s |"
    lines = [head, "|---" * 10 + "|"]
    for r in lines_of(rows):
        cells = [both(r, "parameters"), both(r, "train"), times(r, "train"), both(r, "score"), times(r, "score")]
        cells += [both(r, "peak"), both(r, "above", ".0f"), both(r, "auroc", ".3f"), both(r, "fit_s", ".1f")]
        lines.append(f"| {r['name']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"- **{r['name']}:** {PAIRS[r['name']].note}." for r in rows)])


def short_table(rows: list[dict[str, Any]]) -> str:
    """How many times as fast, and the AUROC."""
    lines = ["| method | training, times | scoring, times | AUROC: ganad / PyOD |", "|---" * 4 + "|"]
    for r in rows:
        cells = [times(r, "train"), times(r, "score"), both(r, "auroc", ".3f")]
        lines.append(f"| {r['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pages(rows: list[dict[str, Any]]) -> dict[Path, str]:
    """What the pages say with the tables of the rows."""
    return {
        path: between(path.read_text("utf-8"), "peers", t(rows)) for path, t in zip(PAGES, (full_table, short_table))
    }


# -- command ------------------------------------------------------------------------------------------------------


def compare(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What is measured of a pair; speed and AUROC in one fresh process, the memory of each in one of its own."""
    common = ["--rounds", str(options.rounds), "--seeds", str(options.seeds), "--passes", str(options.passes)]
    common += ["--rows", str(options.rows)] if options.rows else []
    common += ["--data", str(options.data)] if options.data else []
    row: dict[str, Any] = {"name": name, "version": importlib.metadata.version("pyod")}
    together = [what for what in options.measure if what != "memory"]
    if together:
        row |= row_of(__file__, "--part", "together", name, "--measure", *together, *common)
    for key in SIDES if "memory" in options.measure else ():
        row |= {f"{key}_{k}": v for k, v in row_of(__file__, "--part", key, name, *common).items()}
    return row


def part(what: str, name: str, options: argparse.Namespace) -> dict[str, Any]:
    quiet()
    if what in SIDES:
        return memory(name, SIDES[what], options.rows)
    found = speed(name, options.rounds, options.rows) if "speed" in options.measure else {}
    if "auroc" in options.measure:
        found |= quality(name, options.seeds, options.data, options.passes)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("--measure", nargs="*", default=MEASURES, choices=MEASURES, help="the rest of a row stays")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--passes", type=int, default=PASSES, help="over the table, for the AUROC")
    parser.add_argument("--rows", type=int, help="random rows for speed and memory; default: the pair's own number")
    parser.add_argument("--data", type=Path, help=f"folder of {TABLE}.npz")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="write the tables from the rows, run nothing")
    parser.add_argument("--part", nargs=2, metavar=("WHAT", "PAIR"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(part(*options.part, options)))
        return
    rows = json.loads(options.output.read_text()) if options.output.exists() else []
    if options.table:
        for path, text in pages(rows).items():
            path.write_text(text, encoding="utf-8")
        return
    if importlib.util.find_spec("pyod") is None:
        raise SystemExit('PyOD is not installed; run: pip install "ganad[bench]"')
    for name in options.only:
        old: dict[str, Any] = next((r for r in rows if r["name"] == name), {})
        row = old | compare(name, options)
        rows = [r for r in rows if r["name"] != name] + [row]
        rows.sort(key=lambda r: list(PAIRS).index(r["name"]))
        options.output.write_text(json.dumps(rows, indent=1) + "\n")
        print(row, flush=True)


if __name__ == "__main__":
    main()
