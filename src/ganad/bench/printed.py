"""Where the figures that the five papers print stand: measured at their length, at a shorter one, or not, and why."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .. import published
from ..protocols import PROTOCOLS
from . import cost
from .cost import Cost, costs, measured, written
from .grid import tasks
from .pace import found as pace_of
from .recipes import Recipe, Suite
from .rows import Row, Task, current
from .suites import KINDS, SUITES

#: The five papers, by the beginning of a figure's source.
PAPERS = {
    "fence-gan": "Ngo et al. 2019",
    "igmm-gan": "Gray et al. 2018",
    "adgan": "Deecke et al. 2018",
    "mmoc-gan": "MMOC-GAN (ICLR 2019",
    "study": "Silva and Lochter",
}
#: Lines of which a paper's text has no number: bars, and cells of ADGAN's Table 1, of which it has the caption alone.
UNPRINTED: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "fence-gan": (
        ("fencegan-mnist", ("FenceGAN", "EGBAD-fm", "EGBAD-sigma", "AnoGAN", "VAE")),
        ("fencegan-cifar10", ("FenceGAN", "GANomaly", "EGBAD-fm", "AnoGAN")),
    ),
    "adgan": tuple((f"adgan-{name}", ("ADGAN", "AnoGAN", "DCAE", "VAE")) for name in ("mnist", "cifar10")),
    "igmm-gan": (("igmm-gan-mnist", ("IGMMGAN", "GANomaly", "EGBAD-fm", "EGBAD-sigma")),),
}
_ABLATION = "an ablation, measured on the small digits alone: {} in the table `readings`"
_CODES = "the data are private, and the number of codes is varied on the small digits alone, in the table `readings`"
#: (protocol, method) -> why no row stands beside its figures; the method "" means the whole protocol.
REASONS: dict[tuple[str, str], str] = {
    ("mnist-one-official", "WGAN-critic"): _ABLATION.format('"ADGAN, critic"'),
    ("cifar-one-official", "WGAN-critic"): _ABLATION.format('"ADGAN, critic"'),
    ("mnist-one-official", "ADGAN-prior"): _ABLATION.format('"ADGAN, prior"'),
    ("cifar-one-official", "ADGAN-prior"): _ABLATION.format('"ADGAN, prior"'),
    ("lsun-bedroom", ""): "the photos are tens of gigabytes and not at hand; nobody printed how many were trained on",
    **{("prod-3936-22", f"MMOCGAN-cat, m={m}"): _CODES for m in (1, 5, 10, 20)},
}


@dataclass(frozen=True)
class Standing:
    """A line of a paper, and what of its figures is measured."""

    method: str
    table: str  #: the suite that measures it, or the protocol if none does
    figures: int  #: that are printed; 0 for those of UNPRINTED
    full: int  #: of these, with a row at the published length beside them
    short: int  #: with a row of a shorter training only
    reason: str  #: why there is no row; "" where only time lacks
    cost: Cost | None = None  #: of the classes without a row at the published length, one seed; None if there are none


def standings(paper: str, rows: Sequence[Row], paces: Sequence[Row]) -> list[Standing]:
    """The lines of one of PAPERS with what is measured of them, those that it prints before those that it draws."""
    seeds = [f for f in published.load() if f.provenance == "seed" and f.source.startswith(PAPERS[paper])]
    by_line: dict[tuple[str, str], list[published.Figure]] = {}
    for figure in seeds:
        by_line.setdefault((figure.protocol, figure.method), []).append(figure)
    found = [_standing(protocol, method, of_line, rows, paces) for (protocol, method), of_line in by_line.items()]
    drawn = [(SUITES[name], label) for name, labels in UNPRINTED.get(paper, ()) for label in labels]
    return found + [_of_line(suite, suite.recipe(label), [], rows, paces) for suite, label in drawn]


def _standing(
    protocol: str, method: str, figures: list[published.Figure], rows: Sequence[Row], paces: Sequence[Row]
) -> Standing:
    reason = REASONS.get((protocol, method), "")
    for suite in SUITES.values():
        if suite.protocol == protocol and any(recipe.label == method for recipe in suite.recipes):
            made = _of_line(suite, suite.recipe(method), figures, rows, paces)
            lacks = made.full + made.short < made.figures
            return made if not lacks else Standing(**vars(made) | dict(reason=REASONS.get((protocol, ""), "")))
    return Standing(method, protocol, len(figures), 0, 0, reason)


def _of_line(
    suite: Suite, recipe: Recipe, figures: list[published.Figure], rows: Sequence[Row], paces: Sequence[Row]
) -> Standing:
    mine = [row for row in rows if (row.get("suite"), row.get("label")) == (suite.name, recipe.label)]
    full, short = (measured(suite, recipe, budget, mine) for budget in ("paper", "quick"))
    has_full = [_is_beside(figure, full, suite) for figure in figures]
    has_any = [_is_beside(figure, [*full, *short], suite) for figure in figures]
    todo = tasks(suite, labels=[recipe.label], seeds=1, budget="paper", device="cpu")
    done = {row["class"] for row in full}
    lacking = [task for task in todo if task.label == recipe.label and task.cls not in done]
    at = costs(lacking, rows, paces)[0] if lacking else None
    n, k = len(figures), sum(has_full)
    return Standing(recipe.label, suite.name, n, k, sum(has_any) - k, "", at)


def _is_beside(figure: published.Figure, rows: list[Row], suite: Suite) -> bool:
    """Whether the rows have the figure's class, or for one over classes all of them, and its metric."""
    names = (figure.metric, f"{figure.metric}_above")
    classes = {row["class"] or "" for row in rows if any(name in row["metrics"] for name in names)}
    entry = PROTOCOLS[suite.protocol]
    return figure.cls in classes if figure.cls in (*entry.classes, "") else set(entry.classes) <= classes


def agreement(rows: Sequence[Row], paces: Sequence[Row]) -> list[float]:
    """How many times as long as timed steps say the trials of a line took, of each line with a pace and rows."""
    ratios = []
    for name in dict.fromkeys(row["pace_of"] for row in paces if row.get("pace_of") in SUITES):
        suite = SUITES[name]
        mine = [row for row in rows if row.get("suite") == name and row["budget"] == "paper"]
        made = [row for row in current(suite, mine) if "metrics" in row and row["device"] == "cpu"]
        for label in dict.fromkeys(row["label"] for row in made):
            pace = pace_of(Task(suite, label, None, 0, "paper", device="cpu"), paces)
            if pace:
                took = statistics.median(row["fit_s"] + row["score_s"] for row in made if row["label"] == label)
                ratios.append(took / cost.seconds(pace))
    return ratios


def account(paper: str, rows: Sequence[Row], paces: Sequence[Row]) -> str:
    """What of a paper's figures is not measured at its length, as a paragraph and a table of Markdown."""
    found = standings(paper, rows, paces)
    n, full, short = (sum(getattr(line, name) for line in found) for name in ("figures", "full", "short"))
    said = (
        f"Of the {n} figures that the paper's text prints, {full} stand beside rows at the published length, {short} "
        f"beside rows of\na shorter training only, and {n - full - short} beside none."
        if n
        else "The paper's text prints no figure."
    )
    open_ = [line for line in found if line.cost or line.full < line.figures]
    if not open_:
        return said
    if any(not line.figures for line in found):
        said += " Lines with 0 figures are drawn or missing in that text."
    head = "| line | table | figures | full length | shorter | trials | core hours | GPU hours | why, or measured on |"
    costs = [line.cost for line in open_ if line.cost and not line.reason]
    known = [found.hours for found in costs if found.hours is not None]
    together = f"Together {written(sum(known))} hours of one core. " if known else ""
    out = [said, "", head, "|---" * 9 + "|", *map(_cells, open_), "", together + _fine_print(rows, paces)]
    return "\n".join(out)


def _cells(line: Standing) -> str:
    cells = [line.method, line.table, str(line.figures), str(line.full), str(line.short)]
    if line.reason or line.cost is None:
        cells += ["-", "-", "-", line.reason]
    else:
        # networks for tables are too small to keep a GPU busy
        gpu = written(line.cost.gpu_hours) if line.table in KINDS["images"] else "-"
        cells += [str(line.cost.trials), written(line.cost.hours), gpu, line.cost.source]
    return f"| {' | '.join(cells)} |"


def _fine_print(rows: Sequence[Row], paces: Sequence[Row]) -> str:
    out = (
        "Hours are for one seed of every class that has no row yet.\nCore hours come from rows of the same line, or "
        "from a few steps that were timed at the published settings (`ganad\nbench TABLE --budget paper --estimate`). "
        "GPU hours are no measurement, for no GPU was at hand: they are the counted\noperations at an assumed "
        f"{cost.GPU_FLOPS / 1e12:g} TFLOP/s in fp32, of images alone, and too few where a score is a search."
    )
    if len(ratios := agreement(rows, paces)) > 1:
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        out += (
            f" Of {len(ratios)} lines that\nhave both, trials took {low:.1f} to {high:.1f} times what their steps say, "
            f"the median {middle:.1f}, on a machine that they shared."
        )
    return out
