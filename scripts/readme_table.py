"""Write the README's table, between its marks, from the rows of ``study-mnist`` at ``quick``.

python scripts/readme_table.py
"""

from __future__ import annotations

import re
from pathlib import Path

from ganad import bench
from ganad.bench import grid, tables

ROOT = Path(__file__).resolve().parent.parent
CLASSES = ("0", "1", "5")
BASELINES = ("1-NN, PCA", "LOF", "KDE", "PCA residual", "IsolationForest", "untrained network", "random")


def table(rows: list[grid.Row]) -> str:
    """Methods by their mean, then baselines, digit by digit; a mean only where every digit has been measured."""
    suite = bench.SUITES["study-mnist"]
    chosen = [r for r in rows if r["budget"] == "quick" and r["class"] in CLASSES]
    out = [f"| method | {' | '.join(CLASSES)} | mean | trials |", "|---" * (len(CLASSES) + 3) + "|"]
    lines = []
    for line in (line for t in tables.collect(chosen, [suite]) for line in t.lines if line.rows):
        mean = line.mean() if len(line.measured) == len(CLASSES) else None
        if not line.is_baseline or line.label in BASELINES:
            lines.append((line.is_baseline, -mean.mean if mean else 0.0, line))
    for is_baseline, mean, line in sorted(lines, key=lambda found: found[:2]):
        name = f"*{line.label}*" if is_baseline else line.label
        cells = [*(tables.cell(line.measured.get(c)) for c in CLASSES), f"{-mean:.3f}" if mean else "-"]
        out.append(f"| {name} | {' | '.join(cells)} | {len(line.rows)} |")
    return "\n".join(out)


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    rows = grid.read(ROOT / "benchmarks" / "results" / "study-mnist.jsonl")
    marked = re.compile(r"(<!-- study-mnist -->\n).*?(\n<!-- /study-mnist -->)", re.DOTALL)
    readme.write_text(marked.sub(lambda m: m[1] + table(rows) + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
