"""The rows as tables: what was published, what was measured, over how many trials, and the difference.

A published figure stands beside a measurement only if it is of the same protocol, and never if it is unverified.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import metrics, published
from ..protocols import PROTOCOLS
from . import charts, grid
from .suites import SUITES, Suite

Row = dict[str, Any]

_TITLE = "The papers' tables, measured again"
_INTRODUCTION = """Written by `ganad tables` from the rows in `results/`, which `ganad bench SUITE` made; every cell
can be made again. Mean ± sample standard deviation over seeds, last epoch; no test label trains, stops, scales or
chooses anything. "published" is what a paper or its code prints for the same protocol; `-` means that there is no
such figure, or that it could not be verified. "difference" is measured minus published mean. "best epoch" is the mean
AUROC that the best epoch on the test labels would have claimed, the last one included, for methods that can be scored
while they train: the papers' habit, not a result. The mean, the median and the sd beside them are over the classes.
Precision, recall and the like flag the share of the test set that the protocol names, or, where it names none, what
lies above the threshold of a fit, the 99th percentile of its training scores; then no difference is given, for the
papers' rule is another. A line with † has a note of its own below the tables. Rows in italics learn nothing or need no
network. A budget of `quick` is a training length for two CPU cores, not the papers': its rows say how methods do after
that little, not how good they can get. CIFAR-10 was read from a copy in JPEG, which smooths it a little.
"""
_OWN = """Written by `ganad bench` from the rows beside it; every cell can be made again. A fifth of the normal samples,
drawn by the seed, and all anomalies test; the other normal samples train. Mean ± sample standard deviation over seeds,
last epoch; no test label trains, stops, scales or chooses anything, but whoever takes the best of many rows chooses by
it: its figure is a little too good. "best epoch" is the mean AUROC that the best epoch on the test labels would have
claimed, for methods that can be scored while they train: not a result. Rows in italics learn nothing or need no
network. A budget of `quick` is a short training length: its rows say how methods do after that little, `paper` has the
methods' default length.
"""


@dataclass
class Line:
    """One method of a table."""

    label: str
    is_baseline: bool
    measured: dict[str, list[float]] = field(default_factory=dict)  #: values over seeds, by class
    published: dict[str, published.Figure] = field(default_factory=dict)  #: by class, "" or "mean"
    rows: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    note: str = ""  #: of its recipe
    by_threshold: bool = False  #: what is flagged was decided by the fit's threshold, not by a share

    def mean(self) -> metrics.Spread | None:
        """Over the means of the classes."""
        return _over_classes(self.measured)

    def best_epoch(self) -> float | None:
        """Mean over classes of the AUROC that the best epoch would have claimed; None if a row looked at none."""
        if any(row.get("best_epoch_on_test") is None for row in self.rows):
            return None
        # epochs are looked at on some of a large test set, so the last one may do better on all of it
        return _mean(self.rows, lambda row: max(row["best_epoch_on_test"], row["metrics"]["auroc"]))


def _over_classes(values: dict[str, list[float]]) -> metrics.Spread | None:
    means = [sum(v) / len(v) for v in values.values() if v]
    return metrics.mean_median_sd(means) if means else None


@dataclass
class Table:
    """One metric of one suite at one budget."""

    suite: Suite
    metric: str
    budget: str
    classes: list[str]
    lines: list[Line]
    left_out: int = 0  #: rows of earlier settings, and those that a later row of the same trial replaced

    @property
    def notes(self) -> list[str]:
        """What a reader must know."""
        general = [PROTOCOLS[self.suite.protocol].note, *published.footnotes(self.suite.protocol)]
        own = [f"{line.label}: {note}" for line in self.lines for note in self.notes_of(line)]
        return list(dict.fromkeys(note for note in [*general, *own, *self.sources] if note))

    def notes_of(self, line: Line) -> list[str]:
        """What must be known of one line, beside what holds for all."""
        general = published.footnotes(self.suite.protocol)
        found = [note for note in published.footnotes(self.suite.protocol, line.label) if note not in general]
        return found + ([line.note] if line.note and line.rows and self.budget == "quick" else [])

    @property
    def sources(self) -> list[str]:
        """Where each published figure is printed."""
        found: dict[str, dict[str, None]] = {}
        for line in self.lines:
            for figure in line.published.values():
                found.setdefault(figure.source, {})[line.label] = None
        return [f"published by {source}: {', '.join(labels)}" for source, labels in found.items()]


def write(results: str | Path, folder: str | Path, own: Suite | None = None) -> list[Path]:
    """Write TABLES.md and tables.html into ``folder`` from all rows in ``results``; returns their paths.

    own: the suite of one's own data, whose rows they are, instead of the papers'.
    """
    rows = [row for path in sorted(Path(results).glob("*.jsonl")) for row in grid.read(path) if "suite" in row]
    tables = list(collect(rows, [own] if own else SUITES.values()))
    title, introduction = (f"Detectors on {own.name}", _OWN) if own else (_TITLE, _INTRODUCTION)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        folder / "TABLES.md": markdown(tables, title, introduction),
        folder / "tables.html": page(tables, title, introduction),
    }
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return list(pages)


def collect(rows: Iterable[Row], suites: Iterable[Suite] = SUITES.values()) -> Iterable[Table]:
    """Tables in the order of the suites; a suite without rows has none."""
    rows = list(rows)
    for suite in suites:
        mine = [r for r in rows if r["suite"] == suite.name]
        for budget in ("paper", "quick", "smoke"):
            made = [r for r in mine if r["budget"] == budget]
            chosen = grid.current(suite, made)
            entry = PROTOCOLS[suite.protocol]
            measured = {r["class"] or "" for r in chosen}
            classes = [c for c in (entry.classes or ("",)) if c in measured]
            metric_names = list(entry.metrics) if "auroc" in entry.metrics else ["auroc", *entry.metrics]
            for metric in metric_names if chosen else []:
                lines = _lines(suite, chosen, metric, classes)
                yield Table(suite, metric, budget, classes, lines, len(made) - len(chosen))


def _lines(suite: Suite, rows: list[Row], metric: str, classes: list[str]) -> list[Line]:
    lines = []
    for recipe in suite.recipes:
        line = Line(recipe.label, recipe.is_baseline, note=recipe.note)
        for row in (r for r in rows if r["label"] == recipe.label):
            if "error" in row:
                line.failed.append(row)
                continue
            line.rows.append(row)
            value = row["metrics"].get(metric)
            if value is None:
                value = row["metrics"].get(f"{metric}_above")
                line.by_threshold |= value is not None
            if value is not None:
                line.measured.setdefault(row["class"] or "", []).append(value)
        for cls in classes:
            figure = published.lookup(suite.protocol, recipe.label, cls or None, metric)
            if figure:
                line.published[cls] = figure
        mean = published.lookup(suite.protocol, recipe.label, "mean", metric)
        # one source a line: a paper's mean does not stand behind another paper's classes
        if mean and {f.source for f in line.published.values()} <= {mean.source}:
            line.published["mean"] = mean
        if line.rows or line.failed or line.published:
            lines.append(line)
    return lines


def cell(values: list[float] | None) -> str:
    """Mean and spread over seeds as text."""
    if not values:
        return "-"
    spread = metrics.mean_median_sd(values)
    return _with_spread(spread.mean, spread.sd)


def _with_spread(value: float, spread: float | None) -> str:
    return f"{value:.3f}" + (f" ± {spread:.3f}" if spread is not None else "")


def _printed(figure: published.Figure | None) -> str:
    return _with_spread(figure.value, figure.spread) if figure else "-"


def _published_mean(line: Line, classes: list[str]) -> float | None:
    """The paper's mean over all classes; for a table of some classes, the mean of the paper's figures for those."""
    if classes == [""]:
        return line.published[""].value if "" in line.published else None
    own = [line.published[c].value for c in classes if c in line.published]
    if len(own) == len(classes):
        return sum(own) / len(own)
    return None


def cells(table: Table) -> tuple[list[str], list[tuple[Line, list[str]]]]:
    """Heading and cells of a table, as text."""
    several = len(PROTOCOLS[table.suite.protocol].classes) > 1
    compared = any(line.published for line in table.lines)
    head = ["method", "", *([*table.classes, "mean", "median", "sd"] if several else ["value", "median"])]
    head += [*(["difference"] if compared else []), "best epoch", "trials"]
    body = []
    for line in table.lines:
        label = line.label + (" †" if table.notes_of(line) else "")
        spread, target = line.mean(), _published_mean(line, table.classes)
        complete = spread is not None and len(line.measured) == len(table.classes)
        if line.published:
            values = [_printed(line.published.get(c)) for c in table.classes]
            whole = line.published.get("mean")
            values += [f"{_printed(whole)} (all classes)" if whole else "-", "-", "-"] if several else ["-"]
            body.append((line, [label, "published", *values, *[""] * (len(head) - len(values) - 2)]))
        if not line.rows and not line.failed:
            continue
        values = [cell(line.measured.get(c)) for c in table.classes]
        if several:
            values += (
                [f"{spread.mean:.3f}", f"{spread.median:.3f}", f"{spread.sd:.3f}" if spread.sd is not None else "-"]
                if spread is not None and complete
                else ["-"] * 3
            )
        else:
            seeds = line.measured.get(table.classes[0] if table.classes else "")
            values.append(f"{metrics.mean_median_sd(seeds).median:.3f}" if seeds else "-")
        best = line.best_epoch() if table.metric == "auroc" and complete else None
        trials = str(len(line.rows)) + (f", {len(line.failed)} failed" if line.failed else "")
        if compared:
            comparable = complete and not line.by_threshold
            gap = spread.mean - target if comparable and spread is not None and target is not None else None
            values.append(f"{gap:+.3f}" if gap is not None else "")
        values += [f"{best:.3f}" if best is not None else "", trials]
        body.append((line, [label, f"{table.budget}, {_devices(line.rows)}" if line.rows else table.budget, *values]))
    return head, body


def _devices(rows: list[Row]) -> str:
    return ", ".join(sorted({r["gpu"] or r["device"] for r in rows}))


def _metric(*names: str) -> Callable[[Row], float | None]:
    """The first of the metrics that a row has."""
    return lambda row: next((row["metrics"][name] for name in names if row["metrics"].get(name) is not None), None)


_MEASURES = {
    "AP, anomalies positive": _metric("average_precision"),
    "AP, normal positive": _metric("average_precision_normal"),
    "PR area, trapezoid": _metric("pr_area_trapezoid"),
    "precision": _metric("precision", "precision_above"),
    "recall": _metric("recall", "recall_above"),
    "F1": _metric("f1", "f1_above"),
    "balanced accuracy": _metric("balanced_accuracy"),
}


def measures(table: Table) -> tuple[list[str], list[tuple[Line, list[str]]]]:
    """The other measures of the same rows, and their cost: heading and cells, means over the means of the classes."""
    body = []
    for line in (line for line in table.lines if line.rows):
        values = [f"{m:.3f}" if (m := _mean(line.rows, f)) is not None else "-" for f in _MEASURES.values()]
        fit = _mean(line.rows, lambda row: row.get("fit_s"))
        score = _mean(line.rows, lambda row: 1000 * row["score_s"] / row["metrics"]["n"] if "score_s" in row else None)
        values += [f"{m:.2g}" if m is not None else "-" for m in (fit, score)]
        body.append((line, [line.label, *values]))
    return ["method", *_MEASURES, "fit, s", "score, ms a sample"], body


def _mean(rows: list[Row], value: Callable[[Row], float | None]) -> float | None:
    by_class: dict[str, list[float]] = {}
    for row in rows:
        found = value(row)
        if found is not None:
            by_class.setdefault(row["class"] or "", []).append(found)
    spread = _over_classes(by_class)
    return spread.mean if spread else None


def _title(table: Table, what: str = "") -> str:
    entry = PROTOCOLS[table.suite.protocol]
    several = len(entry.classes) > 1 and entry.role in ("anomaly", "normal")
    columns = f", columns: the {entry.role} class" if several else ""
    return f"{table.suite.name}: {what or table.metric} (`{table.suite.protocol}`, {table.budget}{columns})"


def _sizes(table: Table) -> str:
    rows = [r for line in table.lines for r in line.rows]
    if not rows:
        return ""
    caps = {(r["n_train_cap"], r["n_test_cap"]) for r in rows}
    cut = "; ".join(
        f"at most {a or 'all'} training and {b or 'all'} test samples" for a, b in sorted(caps, key=str) if a or b
    )
    commits = ", ".join(sorted({str(r["commit"]) for r in rows}))
    said = [f"{len(rows)} trials on {_devices(rows)}, revisions {commits}."]
    chance = [r["metrics"][f"chance_{table.metric}"] for r in rows if f"chance_{table.metric}" in r["metrics"]]
    if chance:
        low, high = f"{min(chance):.3f}", f"{max(chance):.3f}"
        said.append(f"Chance: {low if low == high else f'{low} to {high}'}.")
    if cut:
        said.append(f"Cut: {cut}.")
    sides = sorted({r["settings"]["image_size"] for r in rows if r["settings"].get("image_size")})
    if sides:
        said.append(f"Networks saw images of {', '.join(f'{side} x {side}' for side in sides)} pixels.")
    if table.left_out:
        said.append(f"Older rows left out (other settings, or run again since): {table.left_out}.")
    return " ".join(said)


def _notes(tables: list[Table]) -> list[str]:
    """What is to be said of a suite's tables, each once, and which trials failed."""
    notes = dict.fromkeys(note for table in tables for note in table.notes)
    failed = {f"failed: {line.label}: {row['error']}" for t in tables for line in t.lines for row in line.failed}
    return [*notes, *sorted(failed)]


def markdown(tables: list[Table], title: str, introduction: str) -> str:
    """TABLES.md: contents, then a section a suite with its notes at the end."""
    sections = [(name, list(group)) for name, group in itertools.groupby(tables, lambda t: t.suite.name)]
    out = [f"# {title}\n", introduction]
    out += [f"- [{name}](#{name}): {', '.join(dict.fromkeys(t.metric for t in group))}" for name, group in sections]
    for name, group in sections:
        out.append(f"\n## {name}")
        for table in group:
            out += [f"\n### {_title(table)}\n", _sizes(table), "", *_rows(*cells(table))]
            if table.metric == "auroc":
                out += [f"\n### {_title(table, 'other measures of these rows')}\n", *_rows(*measures(table))]
        out += ["", *[f"- {note}" for note in _notes(group)]]
    return "\n".join(out).rstrip() + "\n"


def _rows(head: list[str], body: list[tuple[Line, list[str]]]) -> list[str]:
    out = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for line, values in body:
        label = f"*{values[0]}*" if line.is_baseline else values[0]
        out.append("| " + " | ".join([label, *values[1:]]) + " |")
    return out


def page(tables: list[Table], title: str, introduction: str) -> str:
    """The same tables with charts, as one HTML page without scripts."""
    sections = [(name, list(group)) for name, group in itertools.groupby(tables, lambda t: t.suite.name)]
    parts = ["<nav><ul>", *[f'<li><a href="#{html.escape(n)}">{html.escape(n)}</a></li>' for n, _ in sections]]
    parts.append("</ul></nav>")
    for name, group in sections:
        parts.append(f'<h2 id="{html.escape(name)}">{html.escape(name)}</h2>')
        for table in group:
            parts.append(f"<h3>{html.escape(_title(table).replace('`', ''))}</h3><p>{html.escape(_sizes(table))}</p>")
            parts += _html_rows(*cells(table))
            if table.metric == "auroc":
                parts.append("<details><summary>Other measures of these rows</summary>")
                parts += [*_html_rows(*measures(table)), "</details>", charts.figures(table.lines, table.classes)]
        parts.append("<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in _notes(group)) + "</ul>")
    return charts.PAGE.format(
        title=html.escape(title), introduction=html.escape(introduction.replace("`", "")), body="\n".join(parts)
    )


def _html_rows(head: list[str], body: list[tuple[Line, list[str]]]) -> list[str]:
    parts = ['<div class="wide" tabindex="0"><table><thead><tr>']
    parts += [f"<th scope=col>{html.escape(h)}</th>" for h in head]
    parts.append("</tr></thead><tbody>")
    for line, values in body:
        kind = "published" if values[1] == "published" else "baseline" if line.is_baseline else "measured"
        tds = "".join(f"<td>{html.escape(v)}</td>" for v in values[1:])
        parts.append(f'<tr class="{kind}"><th scope=row>{html.escape(values[0])}</th>{tds}</tr>')
    return [*parts, "</tbody></table></div>"]
