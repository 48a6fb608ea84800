"""Data of one's own as a suite: which detector suits them, measured by the same trials, grid and tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..data import Samples
from ..errors import InputError
from . import grid
from .suites import Budget, Recipe, Suite, _plain

_FEWEST = 10  #: normal samples, of which eight train
_MOST_TRAIN, _MOST_TEST = 20_000, 10_000  #: at ``quick``; nearest neighbours take the square of them
_LARGEST = 32  #: side of the images that networks see at ``quick``


@dataclass(frozen=True)
class OwnData:
    """Where the data are and which of them are normal: what a worker needs to read them again."""

    path: str  #: a folder with a subfolder a class, or a CSV or Parquet file
    label: str | None = None  #: column with the classes (tables)
    normal: tuple[str, ...] = ()  #: classes that are normal; without any, all that ``anomaly`` does not name
    anomaly: tuple[str, ...] = ()  #: classes that are anomalies; without any, all that ``normal`` does not name
    drop: tuple[str, ...] = ()  #: columns to leave out (tables)
    impute: bool = False  #: fill missing cells, from the rows that train
    hash: str = field(default="", compare=False)  #: of the samples, so that rows of other data do not count

    @property
    def name(self) -> str:
        path = Path(self.path).resolve()
        return path.name if path.is_dir() else path.stem

    def read(self, progress: Any = None) -> Samples:
        """The samples with the classes "normal" and "anomaly"; those of a class that neither names are left out.

        Raises InputError for data without classes, or where nothing says which of them are normal.
        """
        samples = data.load(self.path, label=self.label, drop=self.drop, impute=self.impute, progress=progress)
        if samples.y is None:
            raise InputError(
                f"{self.path}: nothing says what is normal; sort images into subfolders such as normal and anomalous, "
                f"and give a table --label COLUMN"
            )
        y = samples.y.astype(str)
        beside = int((y == "").sum()) if samples.columns is None else 0
        if beside:
            raise InputError(f"{self.path}: {beside:,} images lie beside the class folders; move them into one")
        normal = self.normal
        if not normal and not self.anomaly:
            if "normal" not in y:
                some = ", ".join(np.unique(y)[:20])
                raise InputError(f"{self.path}: name the normal classes with --normal or --anomaly; it has {some}")
            normal = ("normal",)
        is_normal = data.choose_normal(samples, normal=normal, anomaly=self.anomaly)
        known = is_normal | np.isin(y, self.anomaly) if self.anomaly else np.ones(len(y), bool)
        if is_normal.sum() < _FEWEST or is_normal.sum() == known.sum():
            raise InputError(
                f"{self.path}: {is_normal.sum():,} normal and {(known & ~is_normal).sum():,} anomalous samples; "
                f"at least {_FEWEST} and 1 are needed"
            )
        return replace(samples, y=np.where(is_normal, "normal", "anomaly")).subset(known)


def suite(own: OwnData, samples: Samples) -> Suite:
    """The table of ``own``, whose samples have been read, with lengths that suit their number.

    At ``quick`` every network sees about as many samples in all, so a trial takes as long for few as for many; at
    ``paper``, where nothing is published, every method has its default length and all samples.
    """
    assert samples.y is not None
    n = max(1, int((samples.y == "normal").sum()) * 8 // 10)
    is_image = samples.x.ndim > 2
    width = int(np.prod(samples.x.shape[1:]))
    components = max(1, min(40, n - 1) if is_image else min(10, n - 1, width // 2))
    recipes = _images(n, max(samples.x.shape[1:3])) if is_image else _table(n)
    return Suite(
        own.name,
        "user-holdout",
        recipes + _plain(components),
        _MOST_TRAIN,
        _MOST_TEST,
        own=replace(own, hash=samples.hash()),
    )


def _epochs(seen: int, n: int) -> int:
    return max(1, min(300, round(seen / min(n, _MOST_TRAIN))))


def _images(n: int, side: int) -> tuple[Recipe, ...]:
    some, more = _epochs(20_000, n), _epochs(40_000, n)
    recipes = (
        Recipe("ALAD", "ALAD", quick=dict(epochs=some, width=32)),
        Recipe("DCAE", "AutoEncoder", quick=dict(epochs=more)),
        Recipe("DeepSVDD", "DeepSVDD", quick=dict(epochs=more, pretrain_epochs=more)),
        Recipe("FAnoGAN", "FAnoGAN", quick=dict(epochs=some, encoder_epochs=some, width=16, n_critic=2)),
        Recipe("FenceGAN", "FenceGAN", quick=dict(epochs=some, pretrain_epochs=max(1, some // 5))),
        Recipe("GANomaly", "GANomaly", quick=dict(epochs=more)),
        Recipe("IGMMGAN", "IGMMGAN", quick=dict(epochs=some, sweeps=100)),
        Recipe("OCGAN", "OCGAN", quick=dict(epochs=some, width=32)),
        Recipe("SkipGANomaly", "SkipGANomaly", quick=dict(epochs=some, width=32)),
        Recipe("VAE", "VAE", quick=dict(epochs=more)),
    )
    if side <= _LARGEST:
        return recipes
    return tuple(replace(r, quick=dict(r.quick) | dict(image_size=_LARGEST)) for r in recipes)


def _table(n: int) -> tuple[Recipe, ...]:
    some, more = _epochs(50_000, n), _epochs(100_000, n)
    return (
        Recipe("ALAD", "ALAD", quick=dict(epochs=some)),
        Recipe("DAGMM", "DAGMM", quick=dict(epochs=more)),
        Recipe("DCAE", "AutoEncoder", quick=dict(epochs=more)),
        Recipe("DSEBM-r", "DSEBM", None, dict(variant="recon"), dict(epochs=some)),
        Recipe("EGBAD-sigma", "EGBAD", None, dict(variant="sigma"), dict(epochs=some)),
        Recipe("FenceGAN", "FenceGAN", quick=dict(epochs=more, pretrain_epochs=max(1, more // 5))),
        Recipe("GANomaly", "GANomaly", quick=dict(epochs=more)),
        Recipe("IGMMGAN", "IGMMGAN", quick=dict(epochs=some, sweeps=100)),
        Recipe("OCAN", "OCAN", quick=dict(epochs=more)),
        Recipe("OCNN", "OCNN", quick=dict(epochs=more, pretrain_epochs=more)),
        Recipe("VAE", "VAE", quick=dict(epochs=more)),
    )


@dataclass
class Place:
    """One line of a ranking; values over seeds."""

    recipe: Recipe
    auroc: dict[int, float]  #: by seed
    ap: list[float]
    fit_s: float
    score_ms: float  #: a sample


def ranking(entry: Suite, rows: Iterable[grid.Row], budget: Budget) -> list[Place]:
    """The methods of a suite of one class by their mean AUROC, best first; failed trials take no part."""
    places = []
    counted = [r for r in grid.current(entry, rows) if r["budget"] == budget and "error" not in r]
    for recipe in entry.recipes:
        mine = [r for r in counted if r["label"] == recipe.label]
        if mine:
            places.append(
                Place(
                    recipe,
                    {r["seed"]: r["metrics"]["auroc"] for r in mine},
                    [r["metrics"]["average_precision"] for r in mine],
                    statistics.mean(r["fit_s"] for r in mine),
                    statistics.mean(1000 * r["score_s"] / r["metrics"]["n"] for r in mine),
                )
            )
    return sorted(places, key=lambda p: -statistics.mean(p.auroc.values()))


def printed(places: list[Place]) -> list[str]:
    """A ranking as lines for a terminal."""
    wide = max(len(p.recipe.label) for p in places) + 4
    lines = [f"{'':{wide}}{'AUROC':15}{'AP':15}{'fit, s':>8}{'score, ms':>11}"]
    for p in places:
        mark = " *" if p.recipe.is_baseline else ""
        auroc, ap = _spread(list(p.auroc.values())), _spread(p.ap)
        lines.append(f"{p.recipe.label + mark:{wide}}{auroc:15}{ap:15}{p.fit_s:8.1f}{p.score_ms:11.3f}")
    return [*lines, "* needs no network, or no training"]


def verdict(places: list[Place]) -> str:
    """Which method is best, and whether it beats the best baseline by more than that varies from seed to seed."""
    best = places[0]
    others = [p for p in places if p.recipe.is_baseline != best.recipe.is_baseline]
    mean = statistics.mean(best.auroc.values())
    said = f"{best.recipe.label} is best, AUROC {mean:.3f}"
    if not others:
        return said + ("; no network was measured beside it." if best.recipe.is_baseline else "; no baseline was.")
    rival = others[0]
    both = sorted(best.auroc.keys() & rival.auroc.keys())
    # both have the same split at the same seed, so what a split is worth drops out
    gaps = [best.auroc[s] - rival.auroc[s] for s in both]
    if len(gaps) < 2:
        known = "one seed does not say how far chance goes; take --seeds 3"
        return f"{said}, before {rival.recipe.label} ({statistics.mean(rival.auroc.values()):.3f}); {known}."
    gap, sd = statistics.mean(gaps), statistics.stdev(gaps)
    figures = f"by {gap:.3f} ± {sd:.3f} over {len(gaps)} seeds"
    if best.recipe.is_baseline:
        kind = f"and needs no network; the best network, {rival.recipe.label}, is behind {figures}"
        return f"{said}, {kind}{'' if gap > sd else ', no more than the seeds vary'}."
    if gap > sd:
        return f"{said}; it beats the best baseline, {rival.recipe.label}, {figures}, more than the seeds vary."
    return f"{said}, but it beats the best baseline, {rival.recipe.label}, only {figures}: the baseline does as well."


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.3f}" + (f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else "")
