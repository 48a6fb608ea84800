"""Write docs/methods/*.md from the methods' own files: docstring, settings, presets, and the rows that were measured.

    python scripts/method_pages.py

What a page says of a method stands once, in the method's file; figures come from benchmarks/results/quality.jsonl.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from pathlib import Path

import ganad
from ganad.settings import command_name, describe

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "methods"
RESULTS = ROOT / "benchmarks" / "results" / "quality.jsonl"


def measured(name: str, rows: list[dict[str, object]]) -> list[str]:
    """A line for each data set and held-out class: mean and standard deviation over the seeds that were run."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["method"] == name:
            found.setdefault((str(row["data"]), str(row["held_out"])), []).append(float(row["auroc"]))  # type: ignore[arg-type]
    if not found:
        return ["No row of this method has been measured yet with `python benchmarks/quality.py`."]
    lines = ["| data | held out | AUROC | seeds |", "|---|---|---|---|"]
    for (data, held_out), values in sorted(found.items()):
        spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
        lines.append(f"| {data} | {held_out} | {statistics.mean(values):.3f}{spread} | {len(values)} |")
    command = "Made by `python benchmarks/quality.py --data-dir DATA`; training lengths are in that file."
    return [*lines, "", command]


def page(detector: type[ganad.Detector], rows: list[dict[str, object]]) -> str:
    """One method's page."""
    text = (sys.modules[detector.__module__].__doc__ or "").strip()
    title, _, body = text.partition("\n")
    own = [s for s in describe(detector) if s.name in detector.__annotations__]
    lines = [f"# {title.rstrip('.')}", "", f"`ganad.{detector.__name__}`, `--method {command_name(detector)}`", ""]
    for paragraph in body.strip().split("\n\n"):
        indented = paragraph.startswith("    ")
        # Markdown wants an empty line before a list, and the lines of an item indented
        listed = re.sub(r"(?m)^(?!- |  )(.+)\n(?=- )", r"\1\n\n", paragraph)
        lines += [*(["```text", paragraph, "```"] if indented else [listed]), ""]
    lines += ["## Settings of its own", "", "| setting | default | what it is |", "|---|---|---|"]
    lines += [f"| `{s.name}` | `{s.default}` | {s.comment} |" for s in own]
    lines += ["", "## Presets", ""]
    for name, values in detector.PRESETS.items():
        lines.append(f"- `{name}`: " + (", ".join(f"{k}={v!r}" for k, v in values.items()) or "the defaults"))
    if not detector.PRESETS:
        lines.append("None.")
    return "\n".join([*lines, "", "## Measured", "", *measured(detector.__name__, rows), ""])


def main() -> None:
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    PAGES.mkdir(parents=True, exist_ok=True)
    for detector in ganad.DETECTORS:
        stem = detector.__module__.rpartition(".")[2]
        (PAGES / f"{stem}.md").write_text(page(detector, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
