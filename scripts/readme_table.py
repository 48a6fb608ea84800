"""Write the README's table, between its marks, from the rows of ``study-mnist`` at ``quick``.

python scripts/readme_table.py
"""

from __future__ import annotations

import re
from pathlib import Path

from ganad import bench
from ganad.bench import grid, tables

ROOT = Path(__file__).resolve().parent.parent
BASELINES = ("1-NN, PCA", "LOF", "KDE", "PCA residual", "IsolationForest", "untrained network", "random")


def table() -> str:
    """Methods by their mean, then baselines, digit by digit."""
    rows = grid.read(ROOT / "benchmarks" / "results" / "study-mnist.jsonl")
    found = tables.collect(rows, [bench.SUITES["study-mnist"]])
    (chosen,) = [t for t in found if (t.budget, t.metric) == ("quick", "auroc")]
    lines = [li for li in chosen.lines if li.rows and (not li.is_baseline or li.label in BASELINES)]
    ordered = sorted(lines, key=lambda li: (li.is_baseline, -li.mean().mean))  # type: ignore[union-attr]
    out = [f"| method | {' | '.join(chosen.classes)} | mean | trials |", "|---" * (len(chosen.classes) + 3) + "|"]
    for line in ordered:
        name = f"*{line.label}*" if line.is_baseline else line.label
        cells = [tables._cell(line.measured.get(c)) for c in chosen.classes]
        out.append(f"| {name} | {' | '.join(cells)} | {line.mean().mean:.3f} | {len(line.rows)} |")  # type: ignore[union-attr]
    return "\n".join(out)


def main() -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- study-mnist -->\n).*?(\n<!-- /study-mnist -->)", re.DOTALL)
    readme.write_text(marked.sub(lambda m: m[1] + table() + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
