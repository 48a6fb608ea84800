"""The curves of AUROC against training time, as pictures and as a table: published figures and rivals beside them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import numpy as np

from .. import metrics, published
from ..protocols import PROTOCOLS
from .charts import Panel, against_time
from .curves import CLASSES, GANS
from .curves import current as current_curves
from .rows import Row, current
from .suites import SUITES

TITLE = "AUROC against training time"
INTRODUCTION = """Made by `ganad curves`: MNIST at the published settings, on one core. At log-spaced moments the
weights that scoring would use then score test samples, half of them anomalous, and the scores meet the labels after the
fit: a curve chooses nothing. The time is that of training alone. "after a step" is nearly the untrained network.
"best of the curve" is what a choice by test labels would claim, and no result. The lines across are the published
figure of the same protocol, and the best line without a network and the best trivial one at the same number of samples,
where there are rows. A curve that ends "full" has the published length.
"""
_MINUTES = (1, 10, 60)  # columns


def panels(label: str, curves: Iterable[Row], rows: Sequence[Row]) -> list[Panel]:
    """The panels of one GAN, one for each class that has a curve: ``curves`` that count, and rows of the tables."""
    mine = [row for row in curves if row["label"] == label and row["budget"] == "paper"]
    found = []
    for suite, classes in CLASSES.items():
        for cls in classes:
            own = [row for row in mine if (row["curve_of"], row["class"]) == (suite, cls)]
            if own:
                role = PROTOCOLS[SUITES[suite].protocol].role
                title = f"{cls} held out" if role == "anomaly" else f"{cls} is normal"
                lines = [(row["seconds"], row["auroc"]) for row in own]
                found.append(Panel(title, lines, _levels(suite, cls, label, rows)))
    return found


def _levels(suite: str, cls: str, label: str, rows: Sequence[Row]) -> list[tuple[str, float]]:
    """The published figure, the best baseline that learns and the best that learns nothing; where there are such."""
    figure = published.lookup(SUITES[suite].protocol, label, cls, "auroc")
    found = [("published", figure.value)] if figure else []
    values: dict[bool, dict[str, list[float]]] = {True: {}, False: {}}
    for row in rows:
        wanted = (suite, cls, "paper") == (row["suite"], row["class"], row["budget"]) and "metrics" in row
        if wanted and SUITES[suite].recipe(row["label"]).is_baseline:
            of_kind = values[row["detector"] == "Trivial"]
            of_kind.setdefault(row["label"], []).append(row["metrics"]["auroc"])
    for of_kind in (values[False], values[True]):
        means = {name: sum(aurocs) / len(aurocs) for name, aurocs in of_kind.items()}
        if means:
            best = max(means, key=lambda name: means[name])
            found.append((best, means[best]))
    return found


def pictures(rows: Iterable[Row]) -> dict[str, str]:
    """The picture of each GAN with a curve, by its label, from all rows of a folder."""
    rows = list(rows)
    curves = current_curves(rows)
    tables = [row for row in rows if "suite" in row] if curves else []
    measured = [row for name in CLASSES for row in current(SUITES[name], tables)]
    found = {label: panels(label, curves, measured) for label in GANS}
    return {label: against_time(of_label, label) for label, of_label in found.items() if of_label}


def file_name(label: str) -> str:
    """The file of a picture: ``fencegan.svg``."""
    return f"{label.lower().replace(', ', '-')}.svg"


def at(row: Row, minutes: float) -> float | None:
    """The AUROC of the last moment up to ``minutes``.

    None where the curve is shorter and has not its full length, or where its first step alone took longer.
    """
    seconds = 60 * minutes * 1.02  # a moment is noticed after the step in which it comes
    if row["seconds"][-1] < 60 * minutes * 0.98 and row["ended"] != "length":
        return None
    return next((a for second, a in zip(row["seconds"][::-1], row["auroc"][::-1]) if second <= seconds), None)


def _cells(rows: Iterable[Row]) -> tuple[list[str], list[list[str]]]:
    """The head of the table and its cells: a line for each GAN and class."""
    head = ["method", "class", "seeds", "after a step", *(f"{m} min" for m in _MINUTES)]
    head += ["end", "minutes", "best of the curve", "published"]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in current_curves(rows):
        if row["budget"] == "paper":
            groups.setdefault((row["label"], row["curve_of"], row["class"]), []).append(row)
    body = []
    for (label, suite, cls), own in sorted(groups.items(), key=lambda found: GANS.index(found[0][0])):
        protocol = SUITES[suite].protocol
        figure = published.lookup(protocol, label, cls, "auroc")
        moments = [[row["auroc"][0] for row in own], *([at(row, m) for row in own] for m in _MINUTES)]
        full = ", full" if all(row["ended"] == "length" for row in own) else ""
        cells = [label, f"{cls} {'held out' if PROTOCOLS[protocol].role == 'anomaly' else 'normal'}", str(len(own))]
        cells += [_mean(values) for values in (*moments, [row["auroc"][-1] for row in own])]
        cells.append(f"{np.mean([row['seconds'][-1] for row in own]) / 60:.1f}{full}")
        body.append([*cells, _mean([max(row["auroc"]) for row in own]), f"{figure.value:.3f}" if figure else "-"])
    return head, body


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "-"
    spread = metrics.mean_median_sd(known)
    return f"{spread.mean:.3f}" + (f" ± {spread.sd:.3f}" if spread.sd is not None else "")


def markdown(rows: Iterable[Row]) -> str:
    """The table as a section of Markdown; empty without curves."""
    head, body = _cells(rows)
    if not body:
        return ""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join([f"\n## {TITLE}\n", INTRODUCTION, *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def section(rows: Iterable[Row]) -> str:
    """The table and the pictures as a section of HTML; empty without curves."""
    rows = list(rows)
    head, body = _cells(rows)
    if not body:
        return ""
    titles = "".join(f"<th scope=col>{html.escape(name)}</th>" for name in head)
    parts = [f'<h2 id="curves">{TITLE}</h2><p>{html.escape(INTRODUCTION.replace("`", ""))}</p>']
    parts.append(f'<div class="wide" tabindex="0"><table><thead><tr>{titles}</tr></thead><tbody>')
    for name, *cells in body:
        tds = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        parts.append(f"<tr><th scope=row>{html.escape(name)}</th>{tds}</tr>")
    parts.append("</tbody></table></div>")
    parts += [_figure(label, picture) for label, picture in pictures(rows).items()]
    return "\n".join(parts)


def _figure(label: str, picture: str) -> str:
    return f"<figure>{picture}<figcaption>{html.escape(label)}</figcaption></figure>"
