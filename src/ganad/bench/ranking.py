"""The methods of one suite ranked by AUROC: the ranking, the leaders while rows come in, and a verdict."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .recipes import Budget, Recipe, Suite
from .rows import Row, current

_SEEN = 0.0005  # the smallest difference that three decimals show


@dataclass
class Place:
    """One line of a ranking; values over seeds."""

    recipe: Recipe
    auroc: dict[int, float]  #: by seed
    ap: list[float]
    fit_s: float
    score_ms: float  #: for one sample
    told: dict[str, float] = field(default_factory=dict)  #: the self-test's AUROC by kind of made sample
    trusted: bool = True  #: the self-test found nothing against it on any seed

    @property
    def mean(self) -> float:
        """AUROC, the mean over seeds."""
        return statistics.mean(self.auroc.values())

    @property
    def told_mean(self) -> float:
        """How well the score tells normal samples from samples made of them: AUROC, the mean over the kinds."""
        return statistics.mean(self.told.values())


def ranking(entry: Suite, rows: Iterable[Row], budget: Budget) -> list[Place]:
    """The methods of a suite without classes by their mean AUROC, best first. Failed trials do not count."""
    places = []
    counted = [r for r in current(entry, rows) if r["budget"] == budget and "error" not in r]
    for recipe in entry.recipes:
        mine = [r for r in counted if r["label"] == recipe.label]
        if mine:
            places.append(
                Place(
                    recipe,
                    auroc={r["seed"]: r["metrics"]["auroc"] for r in mine},
                    ap=[r["metrics"]["average_precision"] for r in mine],
                    fit_s=statistics.mean(r["fit_s"] for r in mine),
                    score_ms=statistics.mean(1000 * r["score_s"] / r["metrics"]["n"] for r in mine),
                    **_self_tests([r["self_test"] for r in mine if r.get("self_test")]),
                )
            )
    return sorted(places, key=lambda p: -p.mean)


def _self_tests(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What the self-tests of several seeds say together; nothing for rows from before there was one."""
    kinds = {kind for test in found for kind in test["auroc"]}
    told = {kind: statistics.mean(t["auroc"][kind] for t in found if kind in t["auroc"]) for kind in sorted(kinds)}
    return {"told": told, "trusted": not any(test["findings"] for test in found)}


def printed(places: list[Place]) -> list[str]:
    """A ranking as lines for a terminal."""
    wide = max(len(p.recipe.label) for p in places) + 4
    lines = [f"{'':{wide}}{'AUROC':15}{'AP':15}{'fit, s':>8}{'score, ms':>11}"]
    for p in places:
        mark = " *" if p.recipe.is_baseline else ""
        auroc, ap = _spread(list(p.auroc.values())), _spread(p.ap)
        lines.append(f"{p.recipe.label + mark:{wide}}{auroc:15}{ap:15}{p.fit_s:8.1f}{p.score_ms:11.3f}")
    return [*lines, "* needs no network, or no training"]


def so_far(entry: Suite, rows: Iterable[Row], budget: Budget) -> str:
    """The two best methods of the rows that exist, as one line for a terminal; "" while no trial has succeeded."""
    leaders = ranking(entry, rows, budget)[:2]
    if not leaders:
        return ""
    return "so far: best " + ", ".join(f"{p.recipe.label} ({_short(p.mean)})" for p in leaders)


def verdict(places: list[Place]) -> str:
    """Names the best method and says whether its lead over the best baseline exceeds the spread over seeds.

    If the best method is a baseline, it is compared with the best network.
    """
    best = places[0]
    others = [p for p in places if p.recipe.is_baseline != best.recipe.is_baseline and not _is_auto(p)]
    said = f"{best.recipe.label} is best, AUROC {best.mean:.3f}"
    if not others:
        missing = "network" if best.recipe.is_baseline else "baseline"
        return f"{said}; no {missing} was measured, so there is nothing to compare it with."
    rival = others[0]
    # both have the same split at the same seed, so the difficulty of a split drops out
    gaps = [best.auroc[seed] - rival.auroc[seed] for seed in sorted(best.auroc.keys() & rival.auroc.keys())]
    if len(gaps) < 2:
        known = "one seed cannot show how much results vary; use --seeds 3"
        than = "ahead of" if best.mean - rival.mean >= _SEEN else "as good as"
        return f"{said}, {than} {rival.recipe.label} ({rival.mean:.3f}); {known}."
    gap, sd = statistics.mean(gaps), statistics.stdev(gaps)
    if abs(gap) < _SEEN:
        return f"{said}, as good as {rival.recipe.label} ({rival.mean:.3f}) over {len(gaps)} seeds."
    if gap < 0:  # the best mean is over other seeds, of which some are missing or failed
        both = f"on the {len(gaps)} seeds that both have, {rival.recipe.label} leads by {-gap:.3f} ± {sd:.3f}"
        return f"{said}, but {both}; measure both on the same seeds."
    figures = f"by {gap:.3f} ± {sd:.3f} over {len(gaps)} seeds"
    if best.recipe.is_baseline:
        kind = f"and needs no network; it leads the best network, {rival.recipe.label}, {figures}"
        return f"{said}, {kind}{'' if gap > sd else ', no more than the seeds vary'}."
    if gap > sd:
        return f"{said}; it beats the best baseline, {rival.recipe.label}, {figures}, more than the seeds vary."
    return f"{said}, but it beats the best baseline, {rival.recipe.label}, only {figures}: the baseline does as well."


def without_labels(places: list[Place]) -> str:
    """What two choices without labels cost against the best one by labels: the self-test's and ``auto``; "" for none.

    The self-test's choice tells normal samples best from samples made of them, among the models that it trusts. The
    docs of trust say why that is a guard, and a poor way to choose.
    """
    best = places[0].mean
    said = []
    tested = [p for p in places if p.told and p.trusted and not _is_auto(p)]
    if tested:
        chosen = max(tested, key=lambda p: p.told_mean)
        said.append(f"the self-test would have taken {chosen.recipe.label}, {_cost(chosen, best)}")
    said += [f"auto has {_cost(p, best)}" for p in places if _is_auto(p)]
    return f"without labels, {'; '.join(said)}." if said else ""


def _is_auto(place: Place) -> bool:
    return place.recipe.label == "auto"


def _cost(place: Place, best: float) -> str:
    gap = best - place.mean
    return f"AUROC {place.mean:.3f}, " + (f"{gap:.3f} below the best" if gap >= _SEEN else "the best")


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f}" + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")


def _short(value: float) -> str:
    """Two decimals without the zero before them: .93, but 1.00."""
    return f"{value:.2f}".removeprefix("0")
