"""How often drift is said where there is none, and how soon where there is: simulation over calibration sets.

    python benchmarks/drift.py [--runs 400]

Scores are normal. The stream has 4,000 samples; in the rows with a shift those from sample 3,000 on are higher by so
many standard deviations. "exact" ranks a sample among calibration and earlier samples, as ``ganad.history.drift`` does;
"fixed" among the calibration samples alone, with a random order of equal ranks. Writes results/drift.json and the table
of docs/guide/at-work.md.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path

import numpy as np

from ganad.history.drift import ALARM, Drift, Martingale, OnlinePValues

RESULTS = Path(__file__).parent / "results" / "drift.json"
GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "at-work.md"
N, BEGIN = 4000, 3000


def alarms(p: np.ndarray) -> bool:
    martingale = Martingale()
    return any(martingale.update(value) >= math.log(ALARM) for value in p.tolist())


def quiet(m: int, runs: int) -> dict[str, float]:
    """Shares of streams without drift that are called drifting."""
    found = {"exact": 0, "fixed": 0}
    for run in range(runs):
        rng = np.random.default_rng([m, run])
        calibration, stream = rng.normal(size=m), rng.normal(size=N)
        above = m - np.searchsorted(np.sort(calibration), stream)
        found["exact"] += alarms(OnlinePValues(calibration, run).update(stream))
        found["fixed"] += alarms((above + rng.random(N)) / (m + 1))
    return {name: n / runs for name, n in found.items()}


def late(m: int, shift: float, runs: int) -> dict[str, float]:
    """Samples until drift is said, and how far from the truth its beginning is."""
    delays, errors = [], []
    for run in range(runs):
        rng = np.random.default_rng([m, run])
        calibration, stream = rng.normal(size=m), rng.normal(size=N)
        stream[BEGIN:] += shift
        drift = Drift(calibration)
        drift.update(stream, np.arange(float(N)), stream > 2.3)
        if drift.alarm is None or drift.began is None or drift.alarm >= BEGIN:
            delays.append(math.inf if drift.alarm is None else drift.alarm - BEGIN)
            errors.append(math.inf if drift.began is None else abs(drift.began - BEGIN))
    told = {"median": np.median(delays), "p95": np.quantile(delays, 0.95, method="lower")}
    return {"shift": shift, "within_300": np.mean(np.array(delays) <= 300), "error": np.median(errors)} | told


def table(rows: list[dict[str, float]]) -> str:
    """Both, as Markdown."""
    out = ["| calibration samples | called drifting | with a fixed set |", "|--:|--:|--:|"]
    quiet_rows = [row for row in rows if "exact" in row]
    out += [f"| {row['m']} | {100 * row['exact']:.1f} % | {100 * row['fixed']:.1f} % |" for row in quiet_rows]
    out += [
        "",
        "Drift from sample 3,000 on, by so many standard deviations of the scores, is told after so many samples:",
    ]
    out += ["", "| calibration samples | shift | median | 95 % within | told within 300 | error of the beginning |"]
    out += ["|--:|--:|--:|--:|--:|--:|"]
    for row in rows:
        if "shift" in row:
            out.append(
                f"| {row['m']} | {row['shift']:g} | {row['median']:.0f} | {row['p95']:.0f} | "
                f"{100 * row['within_300']:.0f} % | {row['error']:.0f} |"
            )
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400)
    o = parser.parse_args()
    rows: list[dict[str, float]] = []
    for m in (100, 300, 1000):
        rows.append({"m": m, "runs": o.runs} | quiet(m, o.runs))
        print(rows[-1], flush=True)
    for m in (100, 1000):
        for shift in (0.5, 1.0, 2.0):
            rows.append({"m": m, "runs": o.runs // 4} | late(m, shift, o.runs // 4))
            print(rows[-1], flush=True)
    rows = [{k: round(float(v), 4) if k != "m" else v for k, v in row.items()} for row in rows]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    marked = re.compile(r"(<!-- drift -->\n).*?(<!-- /drift -->)", re.DOTALL)
    guide = GUIDE.read_text(encoding="utf-8")
    GUIDE.write_text(marked.sub(lambda m: m[1] + table(rows) + "\n" + m[2], guide), encoding="utf-8")


if __name__ == "__main__":
    main()
