"""What benchmarks/results/hostile.json says, as the table of SECURITY.md: ``python benchmarks/hostile_summary.py``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLACE = re.compile(r"(<!-- hostile -->\n).*?(\n<!-- /hostile -->)", re.DOTALL)
NAMES = {
    "models": "model files",
    "readers": "images, masks, checkpoints, data sets, weights",
    "requests": "requests to a service",
    "tables": "tables",
}
#: What must not happen, by the names that the parts of the benchmark give it.
FAULTS = {
    "tracebacks": ("error of another type", "such when scoring", "500"),
    "dead processes": ("process died",),
    "hangs": ("hang", "no answer"),
    "silent changes": ("other scores", "scores not finite"),
    "control characters": ("control characters",),
}


def summary(results: dict[str, Any]) -> str:
    """A row for each kind of input."""
    lines = [f"| | tried | {' | '.join(FAULTS)} | MB at first, at most, at the end |", "|---" + "|---:" * 7 + "|"]
    for what, found in results.items():
        total, memory = found["all"], found["memory_mb"].values()
        tried = next(iter(total.values()))  # the first column counts them all
        counts = [str(sum(total.get(name, 0) for name in names)) for names in FAULTS.values()]
        sizes = "; ".join(f"{m['first']:,}, {m['most']:,}, {m['last']:,}" for m in memory)
        lines.append(f"| {NAMES[what]} | {tried:,} | {' | '.join(counts)} | {sizes} |")
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with the table of the present results."""
    results = json.loads((ROOT / "benchmarks" / "results" / "hostile.json").read_text("utf-8"))
    return PLACE.sub(lambda found: found[1] + summary(results) + found[2], page)


if __name__ == "__main__":
    path = ROOT / "SECURITY.md"
    path.write_text(written(path.read_text("utf-8")), "utf-8")
