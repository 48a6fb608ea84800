"""The tables of "A study on Anomaly Detection GAN-based methods on image data" (Silva and Lochter) as bars."""

from __future__ import annotations

import numpy as np

from .. import published
from ..bench import SUITES
from ..bench.grid import path_of
from ..bench.longest import longest, metric
from ..bench.rows import read
from . import style
from .entry import Asked, Drawing, Entry

_METHODS = ("KDE", "ALAD", "AnoGAN", "FenceGAN", "GANomaly", "OCGAN")
_TABLES = (("mnist", "Silva and Lochter, table 2", "MNIST"), ("cifar10", "Silva and Lochter, table 3", "CIFAR-10"))
_FAMILY = {"lo": "class\nleft out", "one": "one class\nnormal"}


def means(asked: Asked) -> Drawing:
    """Tables 2 and 3: the printed "Mean" of all twelve rows, named as the median, and the true mean beside it."""
    figure, axes = style.page(1, 2, 7.6, 3.6, sharey=True)
    said: list[str] = []
    ours = measured(asked)
    for ax, (dataset, source, title) in zip(axes[0], _TABLES):
        rows = [f for f in published.load() if f.source == source and f.dataset == dataset]
        wide = 0.27
        for i, method in enumerate(_METHODS):
            mine = {f.cls: f for f in rows if f.method == method}
            found = ours.get((next(iter(mine.values())).protocol, method))
            bars = (
                (mine["mean_printed"].value, style.NORMAL, 'printed as "Mean": the median of ten classes'),
                (mine["mean"].value, style.CLASSES[4], "mean of the ten printed values"),
                (found[0] if found else np.nan, style.CLASSES[1], "measured mean, where all ten have rows"),
            )
            for k, (value, colour, name) in enumerate(bars):
                ax.bar(i + (k - 1) * wide, value, 0.92 * wide, color=colour, label=name if not i else None)
            if found:
                said.append(f"{title} {method} ({found[1]})")
        family = [family_of(rows, method) for method in _METHODS]
        ax.set_xticks(range(len(_METHODS)), [f"{m}\n{f}" for m, f in zip(_METHODS, family)], fontsize=6)
        ax.axhline(0.5, color="black", lw=0.7, ls="--")
        ax.set(title=title, ylim=(0, 1))
    axes[0, 0].set_ylabel("AUROC over ten classes")
    axes[0, 1].legend(*axes[0, 0].get_legend_handles_labels(), loc="upper center")  # above its lower bars
    measured_lines = f"Measured: {', '.join(said)}" if said else "No row has all ten classes yet"
    return Drawing(
        figure, f"Printed values of tables 2 and 3; below each method, whose protocol it is. {measured_lines}"
    )


def family_of(rows: list[published.Figure], method: str) -> str:
    """Whether a printed row leaves a class out, or keeps one."""
    protocol = next(f.protocol for f in rows if f.method == method)
    return _FAMILY[protocol.split("-")[1]]


def measured(asked: Asked) -> dict[tuple[str, str], tuple[float, str]]:
    """By protocol and method: the measured mean of the lines that have all ten classes, and where it is from."""
    protocols = {f.protocol for _, source, _ in _TABLES for f in published.load() if f.source == source}
    found: dict[tuple[str, str], tuple[float, str]] = {}
    for suite in (s for s in SUITES.values() if s.protocol in protocols):
        for line in longest(suite, read(path_of(suite.name, asked.results))):
            spread = line.spread(metric("auroc"))
            if line.label in _METHODS and len(line.classes) == 10 and spread:
                found[suite.protocol, line.label] = spread.mean, f"{suite.name}, {line.budget}"
    return found


_PAPER = "study"
FIGURES = (
    Entry(
        "study-1", _PAPER, "Figure 1", "A GAN", "nothing", reason="it is a sketch of a GAN, taken from another work",
    ),
    Entry(
        "study-means", _PAPER, "Tables 2 and 3", 'Twelve rows whose "Mean" is the median',
        "rows of the study's suites, and what was printed", means,
        differs="the paper prints tables and calls the median the mean",
    ),
)  # fmt: skip
