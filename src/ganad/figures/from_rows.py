"""Figures that rows suffice for: bars by class, mean ROC curves, histograms of scores."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ..bench import SUITES
from ..bench.grid import path_of
from ..bench.longest import Longest, Value, longest, metric
from ..bench.rows import read
from ..errors import InputError
from ..protocols import PROTOCOLS
from . import style
from .entry import Asked, Drawing

_GREY = ("#bbbbbb", "#888888", "#555555")


def lines(asked: Asked, suite: str, labels: Collection[str], classes: Collection[str] = ()) -> list[Longest]:
    """The longest rows of these lines, in the order of ``labels``. Raises InputError if there are none."""
    found = {line.label: line for line in longest(SUITES[suite], read(path_of(suite, asked.results)), classes)}
    if not set(found) & set(labels):
        raise InputError(f"{asked.results}: no rows of {suite} in this folder; ganad bench {suite} makes them")
    return [found[label] for label in labels if label in found]


def told(suite: str, chosen: list[Longest], labels: Collection[str]) -> str:
    """Which rows a figure is of: table, budgets, seeds, and the lines that have none yet."""
    budgets = {b: [line.label for line in chosen if line.budget == b] for b in dict.fromkeys(x.budget for x in chosen)}
    most = max(len(line.seeds) for line in chosen)
    seeds = "one seed" if most == 1 else f"up to {most} seeds"
    of = "; ".join(f"{b}: {', '.join(names)}" for b, names in budgets.items())
    missing = [label for label in labels if label not in {line.label for line in chosen}]
    none = f"; no rows yet: {', '.join(missing)}" if missing else ""
    few, many = (pick(len(line.classes) for line in chosen) for pick in (min, max))
    classes = f"{few} to {many} classes" if few < many else "one class" if many == 1 else f"{many} classes"
    data = PROTOCOLS[SUITES[suite].protocol].dataset
    return f"Rows of {suite} ({data}, {classes}), budget {of}; {seeds}{none}"


def bars(
    axes: Any, chosen: list[Longest], value: Value, chance: Callable[[Longest], float | None] | None = None
) -> None:
    """Bars by class, a group a class; plain lines grey. Thin lines are deviations over seeds."""
    classes = sorted({c for line in chosen for c in line.classes}, key=lambda c: (len(c), c))
    wide = 0.84 / len(chosen)
    greys, colours = iter(_GREY * 4), iter(style.CLASSES * 2)
    for i, line in enumerate(chosen):
        by_class = line.by_class(value)
        x = [k for k, c in enumerate(classes) if c in by_class]
        heights = [float(np.mean(by_class[classes[k]])) for k in x]
        spread = [float(np.std(by_class[classes[k]], ddof=1)) if len(by_class[classes[k]]) > 1 else 0.0 for k in x]
        colour = next(greys if line.is_baseline else colours)
        axes.bar(
            np.array(x) - 0.42 + wide * (i + 0.5), heights, 0.94 * wide, yerr=spread, color=colour, label=line.label,
            error_kw=dict(elinewidth=0.6),
        )  # fmt: skip
    axes.set_xticks(range(len(classes)), classes)
    axes.set_ylim(0, 1)
    if chance:
        low = [c for line in chosen if (c := chance(line)) is not None]
        axes.axhline(float(np.mean(low)), color="black", lw=0.7, ls="--", label="chance")


def bar_chart(suite: str, labels: Collection[str], name: str, role: str, what: str) -> Callable[[Asked], Drawing]:
    """A function that draws bars of a metric for all measured classes."""

    def draw(asked: Asked) -> Drawing:
        chosen = lines(asked, suite, labels)
        figure, axes = style.page(1, 1, 7.2, 3.6)
        ax = axes[0, 0]
        bars(ax, chosen, metric(name), lambda line: line.rows[0]["metrics"].get(f"chance_{name}"))
        ax.set_xlabel(role)
        ax.set_ylabel(what)
        figure.legend(*ax.get_legend_handles_labels(), loc="outside right center")
        return Drawing(figure, told(suite, chosen, labels))

    return draw


def mean_roc(axes: Any, chosen: list[Longest]) -> None:
    """ROC curves averaged over classes and seeds at equal false positive rates."""
    styles = ("-", "--", "-.", ":")
    for i, line in enumerate(chosen):
        mean = np.mean([row["roc"] for row in line.rows], 0)
        area = np.mean([row["metrics"]["auroc"] for row in line.rows])
        colour = style.CLASSES[i % len(style.CLASSES)]
        x = np.linspace(0, 1, len(mean))
        axes.plot(x, mean, lw=1.3, color=colour, ls=styles[i // 3 % 4], label=f"{line.label} {area:.3f}")
    axes.plot([0, 1], [0, 1], color="#999999", lw=0.6, ls=":")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.005))
    axes.set_aspect("equal")
