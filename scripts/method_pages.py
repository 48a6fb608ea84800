"""Write docs/methods/*.md from the methods' own files: docstring, settings, presets, and the rows that were measured.

    python scripts/method_pages.py

What a page says of a method stands once, in the method's file; figures come from benchmarks/results.
"""

from __future__ import annotations

import re
import statistics
import sys
from pathlib import Path

import ganad
from ganad.bench import SUITES, grid
from ganad.settings import command_name, describe

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "methods"
RESULTS = ROOT / "benchmarks" / "results"


def measured(detector: type[ganad.Detector], rows: list[dict[str, object]]) -> list[str]:
    """A line for each table, label and class: mean and standard deviation over the seeds that were run."""
    found: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        if "data" in row and row["method"] == detector.__name__:  # of benchmarks/quality.py
            key = (f"quality: {row['data']}", "", str(row["held_out"]), "quick")
            found.setdefault(key, []).append(float(row["auroc"]))  # type: ignore[arg-type]
        elif row.get("detector") == detector.__name__ and "metrics" in row:
            key = (str(row["suite"]), str(row["label"]), str(row["class"] or ""), str(row["budget"]))
            found.setdefault(key, []).append(row["metrics"]["auroc"])  # type: ignore[index]
    if not found:
        return ["No row has been measured yet; `ganad bench` makes them."]
    lines = ["| table | line | class | budget | AUROC | seeds |", "|---|---|---|---|---|---|"]
    for key, values in sorted(found.items()):
        spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
        lines.append(f"| {' | '.join(key)} | {statistics.mean(values):.3f}{spread} | {len(values)} |")
    return [*lines, "", "Made by `ganad bench TABLE`, or by `python benchmarks/quality.py` where the table says so."]


def page(module: str, detectors: list[type[ganad.Detector]], rows: list[dict[str, object]]) -> str:
    """One file's page."""
    text = (sys.modules[module].__doc__ or "").strip()
    title, _, body = text.partition("\n")
    lines = [f"# {title.rstrip('.')}", ""]
    lines += [f"`ganad.{d.__name__}`, `--method {command_name(d)}`  " for d in detectors]
    lines.append("")
    for paragraph in body.strip().split("\n\n"):
        indented = paragraph.startswith("    ")
        # Markdown wants an empty line before and after a list, and the lines of an item indented
        listed = re.sub(r"(?m)^(?!- |  )(.+)\n(?=- )", r"\1\n\n", paragraph)
        listed = re.sub(r"(?m)^(- |  )(.+)\n(?!- |  |\n|\Z)", r"\1\2\n\n", listed)
        lines += [*(["```text", paragraph, "```"] if indented else [listed]), ""]
    for detector in detectors:
        lines += [*section(detector, rows, level="##" if len(detectors) == 1 else "###"), ""]
    return "\n".join(lines)


def section(detector: type[ganad.Detector], rows: list[dict[str, object]], level: str) -> list[str]:
    """Settings, presets and rows of one detector."""
    own = [s for s in describe(detector) if s.name in detector.__annotations__]
    lines = [] if level == "##" else [f"## {detector.__name__}", ""]
    lines += [f"{level} Settings of its own", "", "| setting | default | what it is |", "|---|---|---|"]
    lines += [f"| `{s.name}` | `{s.default}` | {s.comment} |" for s in own]
    lines += ["", f"{level} Presets", ""]
    for name, values in detector.PRESETS.items():
        lines.append(f"- `{name}`: " + (", ".join(f"{k}={v!r}" for k, v in values.items()) or "the defaults"))
    if not detector.PRESETS:
        lines.append("None.")
    return [*lines, "", f"{level} Measured", "", *measured(detector, rows)]


def main() -> None:
    found = [row for path in sorted(RESULTS.glob("*.jsonl")) for row in grid.read(path)]
    rows = [row for row in found if "suite" not in row]  # of benchmarks/quality.py
    rows += [row for suite in SUITES.values() for row in grid.current(suite, found)]
    PAGES.mkdir(parents=True, exist_ok=True)
    modules: dict[str, list[type[ganad.Detector]]] = {}
    for detector in ganad.DETECTORS:
        modules.setdefault(detector.__module__, []).append(detector)
    index = ["# Methods", "", "| method | what it is |", "|---|---|"]
    for module, detectors in modules.items():
        stem = module.rpartition(".")[2]
        index += [f"| [{d.__name__}]({stem}.md) | {(d.__doc__ or '').splitlines()[0]} |" for d in detectors]
        (PAGES / f"{module.rpartition('.')[2]}.md").write_text(page(module, detectors, rows), encoding="utf-8")
    (PAGES / "index.md").write_text("\n".join([*index, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
