"""Of each line of a table, the rows of its longest training."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from .. import metrics
from .recipes import Suite
from .rows import Row, current

#: the longest first; ``smoke`` only checks that a line runs
BUDGETS = ("paper", "quick")

Value = Callable[[Row], float | None]


@dataclass(frozen=True)
class Longest:
    """A line, and the rows that speak for it."""

    label: str
    is_baseline: bool
    budget: str
    rows: tuple[Row, ...]

    @property
    def classes(self) -> list[str]:
        """The measured classes, sorted; [""] if the protocol has none."""
        return sorted({row["class"] or "" for row in self.rows})

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return sorted({row["seed"] for row in self.rows})

    def by_class(self, value: Value) -> dict[str, list[float]]:
        """The values over seeds by class; a class whose rows lack the value is left out."""
        found: dict[str, list[float]] = {}
        for row in self.rows:
            if (one := value(row)) is not None:
                found.setdefault(row["class"] or "", []).append(one)
        return found

    def spread(self, value: Value) -> metrics.Spread | None:
        """Mean, median and deviation over the means of the classes, or over seeds where there is one class."""
        classes = self.by_class(value)
        if len(classes) == 1:
            return metrics.mean_median_sd(next(iter(classes.values())))
        means = [sum(values) / len(values) for values in classes.values()]
        return metrics.mean_median_sd(means) if means else None


def longest(suite: Suite, rows: Iterable[Row], classes: Collection[str] = ()) -> list[Longest]:
    """The lines of a suite that have rows, in its order: of the budgets that cover most classes, the longest.

    A longer training of fewer classes does not count, because its mean would be over other classes. classes: the only
    ones that count; empty means all.
    """
    made = [row for row in current(suite, rows) if "metrics" in row and (not classes or row["class"] in classes)]
    found = []
    for recipe in suite.recipes:
        mine = {b: [r for r in made if (r["label"], r["budget"]) == (recipe.label, b)] for b in BUDGETS}
        budget = max(BUDGETS, key=lambda b: len({row["class"] for row in mine[b]}))  # of equals the first
        if mine[budget]:
            found.append(Longest(recipe.label, recipe.is_baseline, budget, tuple(mine[budget])))
    return found


def metric(name: str) -> Value:
    """A row's value of a metric, or of the same metric at the fit's own threshold."""
    return lambda row: row["metrics"].get(name, row["metrics"].get(f"{name}_above"))


def best_epoch(row: Row) -> float | None:
    """The AUROC that the best epoch on the test labels would have claimed; None where no epochs were watched.

    Epochs are scored on a part of a large test set, so the last one may do better on all of it.
    """
    best = row.get("best_epoch_on_test")
    return None if best is None else max(best, row["metrics"]["auroc"])
