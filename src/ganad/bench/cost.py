"""How long missing trials will take, from what was measured: rows of the same line, or the pace of its steps.

Hours are those of one core, or of the clock on a GPU, for training and scoring. Nothing is assumed for them; where a
line has neither a row nor a pace they are not known. ``gpu_hours`` alone rests on an assumption, GPU_FLOPS.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .pace import found as pace_of
from .pace import trains
from .recipes import Recipe, Suite
from .rows import Row, Task, current

#: What a GPU is taken to do a second in fp32 on networks as small as these: a quarter of what a card of 20 TFLOP/s can.
#: An assumption and no measurement, which ``ganad bench --estimate --device cuda`` replaces by one.
GPU_FLOPS = 5e12


@dataclass(frozen=True)
class Cost:
    """What the missing trials of a line take."""

    suite: str
    label: str
    trials: int  #: that have no row
    hours: float | None  #: for all of them; None where nothing was measured
    source: str  #: what the hours were measured on, or why there are none
    gpu_hours: float | None = None  #: on a GPU of GPU_FLOPS, where the pace of a CPU says how much there is to compute


def costs(tasks: Iterable[Task], rows: Sequence[Row], paces: Sequence[Row]) -> list[Cost]:
    """The cost of tasks without a row, line by line in their order; ``rows`` and ``paces`` of any tables."""
    by_line: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        by_line.setdefault((task.suite.name, task.label), []).append(task)
    by_suite = {name: [row for row in rows if row.get("suite") == name] for name, _ in by_line}
    return [_of_line(mine, by_suite[name], paces) for (name, _), mine in by_line.items()]


def _of_line(tasks: list[Task], rows: list[Row], paces: Sequence[Row]) -> Cost:
    task, n = tasks[0], len(tasks)
    recipe = task.suite.recipe(task.label)
    pace = pace_of(task, paces) if trains(recipe) else None
    computed = _mflop(pace) * n if pace and pace["device"] == "cpu" else None
    gpu_hours = computed * 1e6 / GPU_FLOPS / 3600 if computed is not None else None
    own = measured(task.suite, recipe, task.budget, rows)
    kind = _kind(task)
    same = [row for row in own if _kind_of(row) == kind]
    if same:
        said = f"{len(same)} row{'s' * (len(same) > 1)}"
        return Cost(task.suite.name, task.label, n, _hours(same) * n, said, gpu_hours)
    if pace:
        return Cost(task.suite.name, task.label, n, seconds(pace) / 3600 * n, "timed steps", gpu_hours)
    if recipe.remedy_of:  # it has the networks of that line and at most its length
        like = [Task(task.suite, recipe.remedy_of, t.cls, t.seed, t.budget, t.data_dir, t.device) for t in tasks]
        cost = _of_line(like, rows, paces)
        said = f"{cost.source} of {recipe.remedy_of}" if cost.hours is not None else cost.source
        return Cost(task.suite.name, task.label, n, cost.hours, said, cost.gpu_hours)
    if not trains(recipe) and (shorter := _in_proportion(task, rows, paces)) is not None:
        return Cost(task.suite.name, task.label, n, shorter / 3600 * n, "rows at quick, in proportion to samples")
    return Cost(task.suite.name, task.label, n, None, "not measured")


def measured(suite: Suite, recipe: Recipe, budget: str, rows: Iterable[Row]) -> list[Row]:
    """The rows of a line at a budget that count and did not fail.

    Where the line has the same settings and samples at ``quick``, those rows are as long and count as well.
    """
    budgets = {budget}
    if (
        budget == "paper"
        and recipe.arguments("quick") == recipe.arguments("paper")
        and suite.caps("quick") == (None, None)
    ):
        budgets.add("quick")
    mine = [row for row in rows if row.get("label") == recipe.label and row["budget"] in budgets]
    return [row for row in current(suite, mine) if "metrics" in row]


def seconds(pace: Row) -> float:
    """What a trial of a pace's line takes: its stages, what is between them, threshold and test scores."""
    trained: float = pace["n_train"] * sum(stage["passes"] * stage["seconds"] for stage in pace["stages"])
    return trained + float(pace["between_s"]) + float(pace["n_scored"] * pace["score_s"])


def _mflop(pace: Row) -> float:
    trained: float = pace["n_train"] * sum(stage["passes"] * stage["mflop"] for stage in pace["stages"])
    return trained + float(pace["n_scored"] * pace["score_mflop"])


def _hours(rows: list[Row]) -> float:
    """The median of trials: one of them may have had to share its core."""
    return float(statistics.median(row["fit_s"] + row["score_s"] for row in rows)) / 3600


def _in_proportion(task: Task, rows: list[Row], paces: Sequence[Row]) -> float | None:
    """Seconds of a trial of a line without networks, from a smaller one: no less, for some grow faster than samples."""
    kind = _kind(task)
    small = [row for row in measured(task.suite, task.suite.recipe(task.label), "quick", rows) if _kind_of(row) == kind]
    large = [row["n_train"] for row in (*rows, *paces) if _is_as_large(row, task)]
    if not small or not large or task.budget != "paper":
        return None
    return float(statistics.median((row["fit_s"] + row["score_s"]) * large[0] / row["n_train"] for row in small))


def _is_as_large(row: Row, task: Task) -> bool:
    return (
        task.suite.name in (row.get("suite"), row.get("pace_of")) and row["budget"] == task.budget and "n_train" in row
    )


def _kind(task: Task) -> str:
    from ..devices import choose_device  # imports torch

    return choose_device(task.device).type


def _kind_of(row: Row) -> str:
    return str(row["device"]).partition(":")[0]


def table(costs: Sequence[Cost], workers: int = 1) -> str:
    """The costs as text, and what all of them take together."""
    lines = [("table", "line", "trials", "hours", "from")]
    lines += [(c.suite, c.label, str(c.trials), written(c.hours), c.source) for c in costs]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    out = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    known = [cost.hours for cost in costs if cost.hours is not None]
    hours = sum(known) if known else None
    trials, unknown = sum(c.trials for c in costs), sum(c.trials for c in costs if c.hours is None)
    said = f"{trials} trials are missing: {written(hours)} hours of one core or GPU"
    said += f", {written(hours / workers)} with {workers} workers" if hours is not None and workers > 1 else ""
    return "\n".join([*out, "", said + (f", and {unknown} of them not measured" if unknown else "")])


def written(hours: float | None) -> str:
    """Hours as a cell of a table."""
    return "-" if hours is None else f"{hours:.1f}" if hours >= 1 else f"{hours:.2f}" if hours >= 0.01 else "< 0.01"
