"""Write docs/methods/*.md from the methods' own files: docstring, settings, presets, and the rows that were measured.

    python scripts/method_pages.py                        # the built-in ones, into docs/methods
    python scripts/method_pages.py wgan --out pages       # of any registered method, of another package as well

What a page says of a method stands once, in the method's file; figures come from benchmarks/results, and so do the
pictures of AUROC against training time, which go to ``assets/curves`` beside the folder of the pages.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from pathlib import Path

import ganad
from ganad.atomic import write_text
from ganad.bench import SUITES, curve_tables
from ganad.bench.curves import CLASSES
from ganad.bench.rows import Row, current, read
from ganad.registry import get, name_of, target_of, targets
from ganad.settings import describe

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "methods"
RESULTS = ROOT / "benchmarks" / "results"


def measured(detector: type[ganad.Detector], rows: list[Row]) -> list[str]:
    """A line for each line of a table that this detector has: its AUROC over classes and seeds."""
    found: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for row in rows:
        if row["detector"] == detector.__name__ and "metrics" in row:
            key = (str(row["suite"]), str(row["label"]), str(row["budget"]))
            found.setdefault(key, {}).setdefault(str(row["class"] or ""), []).append(row["metrics"]["auroc"])
    if not found:
        return ["No row has been measured yet; `ganad bench` makes them."]
    lines = [
        "| table | line | budget | classes | AUROC | of the worst class | trials |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, classes in sorted(found.items()):
        means = [statistics.mean(values) for values in classes.values()]
        only = next(iter(classes.values()))
        spread = f" ± {statistics.stdev(only):.3f}" if len(classes) == 1 and len(only) > 1 else ""
        names = ", ".join(sorted(classes)) if len(classes) < 10 else f"all {len(classes)}"
        worst = f"{min(means):.3f}" if len(means) > 1 else ""
        trials = sum(map(len, classes.values()))
        lines.append(f"| {' | '.join(key)} | {names} | {statistics.mean(means):.3f}{spread} | {worst} | {trials} |")
    return [*lines, "", "Made by `ganad bench TABLE`; `benchmarks/TABLES.md` has them class by class."]


def as_it_comes(detector: type[ganad.Detector], rows: list[Row]) -> list[str]:
    """Its defaults on the development tables, beside the distance to the mean; nothing without rows."""
    values: dict[str, dict[str, dict[int, float]]] = {detector.__name__: {}, "Trivial": {}}
    for row in rows:
        if row["detector"] in values:  # of two rows of one cell the later one counts
            values[row["detector"]].setdefault(row["table"], {})[row["seed"]] = row["auroc"]
    mine, floor = values[detector.__name__], values["Trivial"]
    shared = mine.keys() & floor.keys()
    if not shared:
        return []
    tables, seeds = len(shared), max(len(mine[table]) for table in shared)
    ours, trivial = (statistics.mean(statistics.mean(v[t].values()) for t in shared) for v in (mine, floor))
    return [
        "",
        f"With its defaults: a mean AUROC of {ours:.3f} on {tables} development tables ({seeds} seeds), where the "
        f"distance to the mean has {trivial:.3f} (`benchmarks/tables.py`, [Choosing](../guide/choosing.md)).",
    ]


def unclean(detector: type[ganad.Detector], rows: list[Row]) -> list[str]:
    """What anomalies among the training samples do to its defaults; nothing without rows."""
    mine = [row for row in rows if row["detector"] == detector.__name__]
    shares, trims = (sorted({row[name] for row in mine}) for name in ("share", "trim"))
    cells: dict[str, dict[tuple[float, float], list[float]]] = {}
    for row in mine:
        cells.setdefault(row["table"], {}).setdefault((row["trim"], row["share"]), []).append(row["auroc"])
    alike: dict[tuple[bool, frozenset[tuple[float, float]]], list[str]] = {}  # a mean is over tables with the same rows
    for table, found in sorted(cells.items()):
        alike.setdefault((table.startswith("digits"), frozenset(found)), []).append(table)
    lines = []
    for tables in alike.values():
        for trim in trims:
            at = [[auroc for t in tables for auroc in cells[t].get((trim, share), ())] for share in shares]
            means = [f"{statistics.mean(found):.3f}" if found else "" for found in at]
            lines.append(f"| {', '.join(tables)} | `trim={trim:g}` | {' | '.join(means)} |")
    return lines and [
        "",
        "Anomalies among the training samples: AUROC, mean over the tables (`benchmarks/unclean.py`).",
        "",
        "| samples | setting | " + " | ".join(f"{share:.0%}" for share in shares) + " |",
        "|---" * (2 + len(shares)) + "|",
        *lines,
    ]


def flagged(detector: type[ganad.Detector], rows: list[Row]) -> list[str]:
    """How many new normal samples its default threshold flags; nothing without rows."""
    mine = [row for row in rows if row["detector"] == detector.__name__]
    shares = {learnt: [r["flagged"] for r in mine if (r["fits"] == 0) is learnt] for learnt in (True, False)}
    if not all(shares.values()):
        return []
    return [
        "",
        f"With `contamination=0.01` it flags {statistics.mean(shares[False]):.1%} of new normal samples (mean of "
        f"{len(shares[False])} development tables; {statistics.mean(shares[True]):.1%} with a threshold from the "
        "samples that it learnt: `benchmarks/unlearnt.py`, [Thresholds](../guide/thresholds.md)).",
    ]


def curves(detector: type[ganad.Detector], pictures: dict[str, str]) -> list[str]:
    """The pictures of AUROC against training time of the lines that this detector has; none without curves."""
    labels = {r.label for name in CLASSES for r in SUITES[name].recipes if r.detector == detector.__name__}
    lines = [
        f"![{label}: AUROC against training time](../assets/curves/{curve_tables.file_name(label)})\n"
        for label in pictures
        if label in labels
    ]
    said = "Blue: this method, a line a seed. Red: published. Grey: the best baseline and the best trivial score."
    return ["", *lines, f"{said} Made by `ganad curves`."] if lines else []


def page(
    module: str,
    detectors: list[type[ganad.Detector]],
    rows: list[Row],
    pictures: dict[str, str] | None = None,
    by_default: tuple[list[Row], list[Row], list[Row]] | None = None,
) -> str:
    """One file's page; ``by_default``: the rows of ``benchmarks/tables.py``, ``unclean.py`` and ``unlearnt.py``."""
    text = (sys.modules[module].__doc__ or "").strip()
    title, _, body = text.partition("\n")
    lines = [f"# {title.rstrip('.')}", ""]
    named = {d: f"{'ganad' if d in ganad.DETECTORS else d.__module__}.{d.__name__}" for d in detectors if is_method(d)}
    lines += [f"`{full}`, `--method {name_of(d)}`  " for d, full in named.items()]
    lines += [f"Builds on [{stem(other)}]({stem(other)}.md).  " for other in builds_on(module, detectors)]
    lines.append("")
    for paragraph in body.strip().split("\n\n"):
        indented = paragraph.startswith("    ")
        # Markdown wants an empty line before and after a list, and the lines of an item indented
        listed = re.sub(r"(?m)^(?!- |  )(.+)\n(?=- )", r"\1\n\n", paragraph)
        listed = re.sub(r"(?m)^(- |  )(.+)\n(?!- |  |\n|\Z)", r"\1\2\n\n", listed)
        lines += [*(["```text", paragraph, "```"] if indented else [listed]), ""]
    for detector in detectors:
        lines += section(detector, rows, level="##" if len(detectors) == 1 else "###")
        if is_method(detector):
            tables, mixed, unlearnt = by_default or ([], [], [])
            lines += [*as_it_comes(detector, tables), *flagged(detector, unlearnt), *unclean(detector, mixed)]
        lines += [*curves(detector, pictures or {}), ""]
    return "\n".join(lines)


def is_method(cls: type[ganad.Detector]) -> bool:
    """Whether a class is a registered method, and not what several share."""
    return target_of(cls) in targets().values()


def stem(module: str) -> str:
    """The name of a module's page."""
    return module.rpartition(".")[2]


def lineage(detector: type[ganad.Detector]) -> list[type[ganad.Detector]]:
    """The detector and the classes of the methods that it extends that have settings, the nearest first."""
    between = [
        c for c in detector.__mro__ if issubclass(c, ganad.Detector) and not c.__module__.startswith("ganad.detector")
    ]
    return [c for c in between if c is detector or vars(c).get("__annotations__")]


def builds_on(module: str, detectors: list[type[ganad.Detector]]) -> list[str]:
    """The other modules whose classes these extend, each once."""
    return sorted({c.__module__ for d in detectors for c in lineage(d)} - {module})


def section(detector: type[ganad.Detector], rows: list[Row], level: str) -> list[str]:
    """Settings, presets and rows of one detector."""
    own = [s for s in describe(detector) if s.name in detector.__annotations__]
    lines = [] if level == "##" else [f"## {detector.__name__}", ""]
    lines += [f"{level} Settings of its own", "", "| setting | default | what it is |", "|---|---|---|"]
    lines += [f"| `{s.name}` | `{s.default}` | {s.comment} |" for s in own]
    if not is_method(detector):
        return lines
    lines += ["", f"{level} Presets", ""]
    for name, values in detector.PRESETS.items():
        lines.append(f"- `{name}`: " + (", ".join(f"{k}={v!r}" for k, v in values.items()) or "the defaults"))
    if not detector.PRESETS:
        lines.append("None.")
    return [*lines, "", f"{level} Measured", "", *measured(detector, rows)]


def index() -> str:
    """The page of all pages: methods, then baselines."""
    baselines = [d for d in ganad.DETECTORS if ".baselines." in d.__module__]
    methods = [d for d in ganad.DETECTORS if d not in baselines]
    lines = []
    for heading, detectors in (("# Methods", methods), ("## Baselines", baselines)):
        lines += [heading, "", "| method | what it is |", "|---|---|"]
        for d in detectors:
            lines.append(f"| [{d.__name__}]({stem(d.__module__)}.md) | {(d.__doc__ or '').splitlines()[0]} |")
        lines.append("")
    lines += ["All baselines but Trivial share [features](features.md), which have settings, too.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="methods; default: all built-in ones, and the index")
    parser.add_argument("--out", type=Path, default=PAGES, help="folder of the pages")
    given = parser.parse_args()
    chosen = list(map(get, given.names)) or list(ganad.DETECTORS)
    by_default = tuple(read(RESULTS / f"{name}.jsonl") for name in ("tables", "unclean", "unlearnt"))
    every = [row for path in sorted(RESULTS.glob("*.jsonl")) for row in read(path)]
    found, pictures = [row for row in every if "suite" in row], curve_tables.pictures(every)
    rows = [row for suite in SUITES.values() for row in current(suite, found)]
    given.out.mkdir(parents=True, exist_ok=True)
    modules: dict[str, list[type[ganad.Detector]]] = {}
    for detector in dict.fromkeys(c for d in chosen for c in lineage(d)):
        modules.setdefault(detector.__module__, []).append(detector)
    for module, detectors in modules.items():
        text = page(module, detectors, rows, pictures, by_default)
        (given.out / f"{stem(module)}.md").write_text(text, encoding="utf-8")
    for label, picture in pictures.items():
        path = given.out.parent / "assets" / "curves" / curve_tables.file_name(label)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, picture)
    if not given.names:
        (given.out / "index.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
