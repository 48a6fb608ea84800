"""Write the figures that README and guide quote from the rows in benchmarks/results: a table, and every marked number.

    python scripts/figures.py

A number is followed by a comment that says what it is: ``.854<!-- study-mnist: IGMMGAN -->`` is the AUROC of that line
at ``quick``, the mean over the means of its classes; ``study-mnist/paper`` is another budget, ``: 1`` at the end is one
class, and ``: 1: sd`` the deviation over its seeds. The README's table is ``study-mnist`` at ``quick``. Its pictures of
AUROC against training time, which ``scripts/method_pages.py`` draws, are those of the papers' GANs that have curves.
"""

from __future__ import annotations

import re
from pathlib import Path

from ganad import bench, metrics
from ganad.bench import curve_tables
from ganad.bench.rows import Row, current
from ganad.bench.rows import read as read_rows
from ganad.bench.table_lines import collect
from ganad.bench.table_text import cell

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "docs/guide/choosing.md", "docs/guide/ensembles.md")
CLASSES = ("0", "1", "5")
PAPERS = ("FenceGAN", "IGMMGAN", "ADGAN", "MMOCGAN")
BASELINES = ("1-NN, PCA", "LOF", "KDE", "PCA residual", "IsolationForest", "untrained network", "random")


def table(rows: list[Row]) -> str:
    """Methods by their mean, then baselines, digit by digit; a mean only where every digit has been measured."""
    suite = bench.SUITES["study-mnist"]
    chosen = [r for r in rows if r["budget"] == "quick" and r["class"] in CLASSES]
    out = [f"| method | {' | '.join(CLASSES)} | mean | trials |", "|---" * (len(CLASSES) + 3) + "|"]
    lines = []
    for line in (line for t in collect(chosen, [suite]) for line in t.lines if line.rows):
        mean = line.mean() if len(line.measured) == len(CLASSES) else None
        if not line.is_baseline or line.label in BASELINES:
            lines.append((line.is_baseline, -mean.mean if mean else 0.0, line))
    for is_baseline, mean, line in sorted(lines, key=lambda found: found[:2]):
        name = f"*{line.label}*" if is_baseline else line.label
        cells = [*(cell(line.measured.get(c)) for c in CLASSES), f"{-mean:.3f}" if mean else "-"]
        out.append(f"| {name} | {' | '.join(cells)} | {len(line.rows)} |")
    return "\n".join(out)


def figure(mark: str, rows: list[Row]) -> str:
    """The number of a mark; KeyError where no row is of that."""
    table, label, *which = mark.split(": ")
    suite, _, budget = table.partition("/")
    entry, budget = bench.SUITES[suite], budget or "quick"
    chosen = [r for r in rows if (r.get("suite"), r["budget"], r["label"]) == (suite, budget, label)]
    if table == "study-mnist":
        chosen = [r for r in chosen if r["class"] in CLASSES]
    by_class: dict[str, list[float]] = {}
    for row in current(entry, chosen):
        by_class.setdefault(row["class"] or "", []).append(row["metrics"]["auroc"])
    values = [metrics.mean_median_sd(v).mean for v in by_class.values()] if not which else by_class[which[0]]
    if not values:
        raise KeyError(mark)
    spread = metrics.mean_median_sd(values)
    value = spread.sd if which[1:] == ["sd"] else spread.mean
    assert value is not None
    return f"{value:.3f}".removeprefix("0")


def curves(rows: list[Row]) -> str:
    """The pictures of the papers' own GANs; empty where none has a curve."""
    drawn = [label for label in PAPERS if label in curve_tables.pictures(rows)]
    if not drawn:
        return ""
    said = (
        "Does longer training help, and is the published height in sight? AUROC against minutes of one core, MNIST at "
        "the\npublished settings (`ganad curves`). Red: published. Grey: the best baseline and the best trivial score."
    )
    pictures = [
        f"![{label}: AUROC against training time](docs/assets/curves/{curve_tables.file_name(label)})"
        for label in drawn
    ]
    return "\n\n".join([said, *pictures])


def marked(text: str, rows: list[Row]) -> str:
    """A page with its numbers, and its table and its pictures if it has them, as the rows have them."""
    text = re.sub(r"[\d.]+(<!-- ([a-z0-9-]+(?:/[a-z]+)?: [^>]+) -->)", lambda m: figure(m[2], rows) + m[1], text)
    here = re.compile(r"(<!-- study-mnist -->\n).*?(\n<!-- /study-mnist -->)", re.DOTALL)
    mine = [r for r in rows if r.get("suite") == "study-mnist"]
    pictures = re.compile(r"(<!-- curves -->\n).*?(\n<!-- /curves -->)", re.DOTALL)
    text = pictures.sub(lambda m: m[1] + curves(rows) + m[2], text)
    return here.sub(lambda m: m[1] + table(mine) + m[2], text)


def read() -> list[Row]:
    return [
        row
        for path in sorted((ROOT / "benchmarks" / "results").glob("*.jsonl"))
        for row in read_rows(path)
        if "suite" in row or "curve_of" in row
    ]


def main() -> None:
    rows = read()
    for name in PAGES:
        path = ROOT / name
        path.write_text(marked(path.read_text(encoding="utf-8"), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
