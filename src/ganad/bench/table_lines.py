"""The model of the tables: the rows and the published figures of each line.

A published figure is shown beside a measurement only if the protocol is the same, and never if it is unverified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from .. import metrics, published
from ..protocols import PROTOCOLS
from .places import FIGURES
from .recipes import Suite
from .rows import Row, current


@dataclass
class Line:
    """One method of a table."""

    label: str
    is_baseline: bool
    measured: dict[str, list[float]] = field(default_factory=dict)  #: values over seeds, by class
    published: dict[str, published.Figure] = field(default_factory=dict)  #: by class, "" or "mean"
    rows: list[Row] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)
    note: str = ""  #: the note of its recipe
    by_threshold: bool = False  #: the fit's threshold decided which samples are flagged, not a share

    def add(self, row: Row, metric: str) -> None:
        """Count a row, with its value of ``metric``."""
        if "error" in row:
            self.failed.append(row)
            return
        self.rows.append(row)
        value = row["metrics"].get(metric)
        if value is None:
            value = row["metrics"].get(f"{metric}_above")
            self.by_threshold |= value is not None
        if value is not None:
            self.measured.setdefault(row["class"] or "", []).append(value)

    def mean(self) -> metrics.Spread | None:
        """Mean, median and spread over the means of the classes; None without a measured value."""
        return _over_classes(self.measured)

    def best_epoch(self) -> float | None:
        """Mean over classes of the AUROC that the best epoch would have claimed; None if a row has no such figure."""
        if any(row.get("best_epoch_on_test") is None for row in self.rows):
            return None
        # epochs are scored on a part of a large test set, so the last one may do better on all of it
        return mean_over_classes(self.rows, lambda row: max(row["best_epoch_on_test"], row["metrics"]["auroc"]))


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
    left_out: int = 0  #: rows of earlier settings, and rows replaced by a later row of the same trial
    unknown: tuple[str, ...] = ()  #: labels of rows whose methods are not known here

    @property
    def notes(self) -> list[str]:
        """The notes, each once."""
        general = [PROTOCOLS[self.suite.protocol].note, *published.footnotes(self.suite.protocol)]
        own = [f"{line.label}: {note}" for line in self.lines for note in self.notes_of(line)]
        return list(dict.fromkeys(note for note in [*general, *own, *self.sources] if note))

    def notes_of(self, line: Line) -> list[str]:
        """The notes on one line, without those that apply to all lines."""
        general = published.footnotes(self.suite.protocol)
        found = [note for note in published.footnotes(self.suite.protocol, line.label) if note not in general]
        return found + ([line.note] if line.note and line.rows and self.budget == "quick" else [])

    @property
    def sources(self) -> list[str]:
        """The source of each published figure."""
        found: dict[str, dict[str, None]] = {}
        for line in self.lines:
            for figure in line.published.values():
                found.setdefault(figure.source, {})[line.label] = None
        return [f"published by {source}: {', '.join(labels)}" for source, labels in found.items()]


def collect(rows: Iterable[Row], suites: Iterable[Suite]) -> Iterator[Table]:
    """The tables of the suites, in their order; a suite without rows has none."""
    rows = list(rows)
    for suite in suites:
        mine = [r for r in rows if r["suite"] == suite.name]
        labels = {recipe.label for recipe in suite.recipes}
        for budget in ("paper", "quick", "smoke"):
            made = [r for r in mine if r["budget"] == budget]
            unknown = tuple(sorted({r["label"] for r in made} - labels))
            chosen = current(suite, made)
            left_out = sum(r["label"] in labels for r in made) - len(chosen)
            entry = PROTOCOLS[suite.protocol]
            measured = {r["class"] or "" for r in chosen}
            classes = [c for c in (entry.classes or ("",)) if c in measured]
            metric_names = list(entry.metrics) if "auroc" in entry.metrics else ["auroc", *entry.metrics]
            metric_names += [name for name in FIGURES if any(name in row.get("metrics", ()) for row in chosen)]
            for metric in metric_names if chosen else []:
                lines = _lines(suite, chosen, metric, classes)
                yield Table(suite, metric, budget, classes, lines, left_out, unknown)


def _lines(suite: Suite, rows: list[Row], metric: str, classes: list[str]) -> list[Line]:
    lines = []
    for recipe in suite.recipes:
        line = Line(recipe.label, recipe.is_baseline, note=recipe.note)
        for row in (r for r in rows if r["label"] == recipe.label):
            line.add(row, metric)
        line.published = _published(suite.protocol, recipe.label, metric, classes)
        if line.rows or line.failed or line.published:
            lines.append(line)
    return lines


def _published(protocol: str, label: str, metric: str, classes: list[str]) -> dict[str, published.Figure]:
    """The published figures of these classes, and the published mean if it has the same source."""
    found = {cls: figure for cls in classes if (figure := published.lookup(protocol, label, cls or None, metric))}
    mean = published.lookup(protocol, label, "mean", metric)
    # one source per line, so that a paper's mean does not follow another paper's classes
    if mean and {figure.source for figure in found.values()} <= {mean.source}:
        found["mean"] = mean
    return found


def mean_over_classes(rows: Iterable[Row], value: Callable[[Row], float | None]) -> float | None:
    """The mean over the means of the classes; rows whose value is None do not count."""
    by_class: dict[str, list[float]] = {}
    for row in rows:
        found = value(row)
        if found is not None:
            by_class.setdefault(row["class"] or "", []).append(found)
    spread = _over_classes(by_class)
    return spread.mean if spread else None
