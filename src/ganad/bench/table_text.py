"""The text of a table, for all formats: heading, cells, caption and notes."""

from __future__ import annotations

from collections.abc import Callable

from .. import metrics, published
from ..protocols import PROTOCOLS
from .rows import Row
from .table_lines import Line, Table, mean_over_classes


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


def _published_mean(line: Line, table: Table) -> float | None:
    """The mean of the figures for these classes; of a paper that prints the mean alone, that of all classes."""
    own = [line.published[c].value for c in table.classes if c in line.published]
    if own and len(own) == len(table.classes):
        return sum(own) / len(own)
    is_whole = len(table.classes) == len(PROTOCOLS[table.suite.protocol].classes)
    return line.published["mean"].value if is_whole and not own and "mean" in line.published else None


Body = list[tuple[Line, list[str]]]  #: a table's lines with their cells


def cells(table: Table) -> tuple[list[str], Body]:
    """The head of a table and its cells as text: for each line the published figures, then the measured ones."""
    several = _has_several(table)
    head = ["method", "", *([*table.classes, "mean", "median", "sd"] if several else ["value", "median"])]
    head += [*(["difference"] if _is_compared(table) else []), "best epoch", "trials"]
    body: Body = []
    for line in table.lines:
        label = line.label + (" †" if table.notes_of(line) else "")
        if line.published:
            values = [label, "published", *_published(table, line)]
            body.append((line, values + [""] * (len(head) - len(values))))
        if line.rows or line.failed:
            made_on = f"{table.budget}, {_devices(line.rows)}" if line.rows else table.budget
            body.append((line, [label, made_on, *_measured(table, line)]))
    return head, body


def _has_several(table: Table) -> bool:
    """Whether the protocol has several classes, so that a mean over them has a column."""
    return len(PROTOCOLS[table.suite.protocol].classes) > 1


def _is_compared(table: Table) -> bool:
    return any(line.published for line in table.lines)


def _published(table: Table, line: Line) -> list[str]:
    values = [_printed(line.published.get(c)) for c in table.classes]
    whole = line.published.get("mean")
    return values + ([f"{_printed(whole)} (all classes)" if whole else "-", "-", "-"] if _has_several(table) else ["-"])


def _measured(table: Table, line: Line) -> list[str]:
    spread, target = line.mean(), _published_mean(line, table)
    complete = spread is not None and len(line.measured) == len(table.classes)
    values = [cell(line.measured.get(c)) for c in table.classes]
    if not _has_several(table):
        seeds = line.measured.get(table.classes[0] if table.classes else "")
        values.append(f"{metrics.mean_median_sd(seeds).median:.3f}" if seeds else "-")
    elif spread is not None and complete:
        sd = f"{spread.sd:.3f}" if spread.sd is not None else "-"
        values += [f"{spread.mean:.3f}", f"{spread.median:.3f}", sd]
    else:
        values += ["-"] * 3
    if _is_compared(table):
        comparable = complete and not line.by_threshold
        gap = spread.mean - target if comparable and spread is not None and target is not None else None
        values.append(f"{gap:+.3f}" if gap is not None else "")
    best = line.best_epoch() if table.metric == "auroc" and complete else None
    trials = str(len(line.rows)) + (f", {len(line.failed)} failed" if line.failed else "")
    return [*values, f"{best:.3f}" if best is not None else "", trials]


def _devices(rows: list[Row]) -> str:
    return ", ".join(sorted({r["gpu"] or r["device"] for r in rows}))


def _metric(*names: str) -> Callable[[Row], float | None]:
    """A function that finds the first of these metrics that a row has."""
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


def measures(table: Table) -> tuple[list[str], Body]:
    """The other measures of the same rows and their cost, as head and cells: means over the means of the classes."""
    body: Body = []
    for line in (line for line in table.lines if line.rows):
        found = [mean_over_classes(line.rows, value) for value in _MEASURES.values()]
        cost = [mean_over_classes(line.rows, value) for value in (_fit_s, _score_ms)]
        values = [f"{m:.3f}" if m is not None else "-" for m in found]
        values += [f"{m:.2g}" if m is not None else "-" for m in cost]
        body.append((line, [line.label, *values]))
    return ["method", *_MEASURES, "fit, s", "score, ms a sample"], body


def _fit_s(row: Row) -> float | None:
    return row.get("fit_s")


def _score_ms(row: Row) -> float | None:
    return 1000 * row["score_s"] / row["metrics"]["n"] if "score_s" in row else None


def heading(table: Table, what: str = "") -> str:
    """A table's title: suite, metric (or ``what``), protocol, budget, and what its columns are."""
    entry = PROTOCOLS[table.suite.protocol]
    several = len(entry.classes) > 1 and entry.role in ("anomaly", "normal")
    columns = f", columns: the {entry.role} class" if several else ""
    return f"{table.suite.name}: {what or table.metric} (`{table.suite.protocol}`, {table.budget}{columns})"


def caption(table: Table) -> str:
    """The sentences under a table's title: how many trials, on what machine, from which samples."""
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
    if table.unknown:
        said.append(f"Left out are the rows of methods not known here: {', '.join(table.unknown)}.")
    return " ".join(said)


def notes(tables: list[Table]) -> list[str]:
    """The notes on a suite's tables, each once, and the trials that failed."""
    found = dict.fromkeys(note for table in tables for note in table.notes)
    failed = {f"failed: {line.label}: {row['error']}" for t in tables for line in t.lines for row in line.failed}
    return [*found, *sorted(failed)]
