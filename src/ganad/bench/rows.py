"""Rows of results: the task of a row, whether it still counts, and reading the file of rows."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .. import registry
from ..atomic import replacing
from ..errors import InputError
from ..migrations import upgraded
from .defaults import of_the_suites
from .recipes import Budget, Suite

if TYPE_CHECKING:
    from ..detector import Detector

Row = dict[str, Any]

_THE_TRIALS = (
    "random_state",
    "threads",
    "verbose",
    "device",
    "n_jobs",
)  # settings chosen by the trial, not by the recipe
_IDENTITY = ("suite", "label", "class", "seed", "budget")


@dataclass(frozen=True)
class Task:
    """One row to make: a recipe of a suite, the class to measure on, and the seed."""

    suite: Suite
    label: str
    cls: str | None = None  #: a class of the suite's protocol; None if the protocol has none
    seed: int = 0
    budget: Budget = "quick"
    data_dir: str | None = None  #: folder with the data sets; None means the default one
    device: str = "auto"


def asked(task: Task) -> Row:
    """The part of a row that is known before the trial. Raises InputError if the suite has no such label."""
    suite, recipe = task.suite, task.suite.recipe(task.label)
    preset, settings = recipe.arguments(task.budget)
    row: Row = {"suite": suite.name, "protocol": suite.protocol, "label": task.label, "detector": recipe.detector}
    row |= {"class": task.cls, "seed": task.seed, "budget": task.budget, "preset": preset, "settings": settings}
    row |= {"snapshots": True} if recipe.snapshots else {}
    row |= {"regions": dict(recipe.regions)} if recipe.regions else {}
    row |= {"todays_defaults": True} if suite.todays else {}
    source = _source(sys.modules[registry.get(recipe.detector).__module__])
    row |= {"source": source} if source else {}
    return row | ({"data_hash": suite.own.hash} if suite.own else {})


@functools.cache
def _source(module: ModuleType) -> str:
    """The hash of the file of a detector outside ganad, for no version says that it changed; else ""."""
    file = getattr(module, "__file__", None)
    if module.__name__.partition(".")[0] == "ganad" or file is None:
        return ""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16]


def key(row: Row) -> str:
    """The key of a row. Rows with equal keys are results of the same task, even if their settings differ."""
    return json.dumps([*(row[name] for name in _IDENTITY), row.get("data_hash")])


def current(suite: Suite, rows: Iterable[Row]) -> list[Row]:
    """The rows that the suite would make today; for each task the last one, because a retry follows a failure."""
    labels = {recipe.label for recipe in suite.recipes}
    found: dict[str, Row] = {}
    for row in rows:
        if row.get("suite") != suite.name or row["label"] not in labels:
            continue
        wanted = asked(Task(suite, row["label"], row["class"], row["seed"], row["budget"]))
        if key(row) == key(wanted) and is_current(wanted, row):
            found[key(row)] = row
    return list(found.values())


def is_current(wanted: Row, row: Row) -> bool:
    """Whether ``row`` has the settings that ``wanted``, the same task as of today, would give it.

    A row with all parameters of its detector counts if the recipe still gives these parameters, however they were
    written. A row without them (an old or a failed one) counts if its preset and settings are the recipe's. None counts
    that a detector outside ganad made with another source.
    """
    if row.get("source") != wanted.get("source"):
        return False
    if row.get("parameters") is None:
        return _words(row) == _words(wanted)
    around = dict(snapshots="snapshots" in wanted, regions=json.dumps(wanted.get("regions")))
    known = _known_parameters(
        wanted["detector"], *_words(wanted), own=bool({"data_hash", "todays_defaults"} & set(wanted)), **around
    )
    return same_parameters(wanted["detector"], known, row)


def same_parameters(detector: str, wanted: dict[str, Any], row: Row) -> bool:
    """Whether a row was made with the parameters ``wanted`` of a detector.

    This is the only place that compares parameters. Settings that an earlier version named otherwise, or did not have,
    are translated first, as for a model file of that version.
    """
    version = row.get("versions", {}).get("ganad", "0")
    found = upgraded(registry.get(detector), row["parameters"], version)
    for name, cls in _around().items():
        if name in found:
            found[name] = upgraded(cls, found[name], version)
    return _of_scores(found) == _of_scores(wanted)


def _of_scores(parameters: dict[str, Any]) -> dict[str, Any]:
    """Without ``threshold_fits``: it changes no score, and rows of 0.2 from before it do not have it."""
    kept = {name: value for name, value in parameters.items() if name != "threshold_fits"}
    return kept | {name: _of_scores(kept[name]) for name in _around() if name in kept}


@functools.cache
def _around() -> dict[str, type[Detector]]:
    """What may stand around a recipe's detector."""
    from ..photos import Regions  # imports torch

    return {"snapshots": registry.get("Snapshots"), "regions": Regions}


def _words(row: Row) -> tuple[str | None, str]:
    """Preset and settings as JSON, as in a row, so that a tuple equals the list read from a file."""
    return row["preset"], json.dumps(row["settings"], sort_keys=True)


@functools.cache
def _known_parameters(
    detector: str, preset: str | None, settings: str, *, own: bool, snapshots: bool, regions: str
) -> dict[str, Any]:
    around = dict(snapshots=snapshots, regions=json.loads(regions))
    return parameters(make(detector, preset, json.loads(settings), own=own, **around))


def make(
    detector: str,
    preset: str | None,
    settings: dict[str, Any],
    *,
    own: bool = False,
    snapshots: bool = False,
    regions: Mapping[str, Any] | None = None,
) -> Detector:
    """An unfitted detector from a row's detector, preset and settings. Raises InputError for an unknown name.

    own: whether the suite has today's defaults, as for the user's own data; see ``defaults``. snapshots: whether
    it is the one of ``Snapshots``. regions: how photos become the regions that it learns, if they do.
    """
    cls = registry.get(detector)
    meant = {} if own else of_the_suites(cls)
    if preset:
        published = cls.PRESETS.get(preset, {})
        found = cls.preset(preset, **({k: v for k, v in meant.items() if k not in published} | settings))
    else:
        found = cls(**(meant | settings))
    if regions:
        from ..photos import regions_of  # imports torch

        return regions_of(found, **regions)
    if not snapshots:
        return found
    from ..ensemble import Snapshots  # imports torch

    return Snapshots(detector=found)


def parameters(made: Detector) -> dict[str, Any]:
    """All settings of a detector that ``make`` made, as in a row, without those that every trial chooses itself.

    Those of ``Snapshots`` or ``Regions`` around the recipe's detector stand under a name of their own.
    """
    kind = next((name for name, cls in _around().items() if isinstance(made, cls)), None)
    inner: Detector = made if kind is None else getattr(made, "detector")  # noqa: B009  of either class
    found = inner.get_params()
    if kind is not None:
        around = made.get_params(deep=False)
        found[kind] = {key: around[key] for key in around if key not in (*_THE_TRIALS, "detector")}
    chosen = {name: value for name, value in found.items() if name not in _THE_TRIALS}
    out: dict[str, Any] = json.loads(json.dumps(chosen, default=str))
    return out


def read(path: Path) -> list[Row]:
    """The rows of a results file; empty without a file. Raises InputError, with the line, for a damaged one.

    An incomplete last line is none: a run is writing it, or was killed and will write it again.
    """
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number} is not valid JSON; delete it") from error
        if not isinstance(row, dict) or ("suite" in row and not _is_whole(row)):
            raise InputError(f"{path}: line {number} is not a row of a benchmark; delete it")
        rows.append(row)
    return rows


def _is_whole(row: Row) -> bool:
    """Whether a row has what tells its task, and an outcome."""
    return row.keys() >= {*_IDENTITY, "preset", "settings"} and not row.keys().isdisjoint({"metrics", "error"})


def mend(path: Path) -> None:
    """Remove an incomplete last line, which a killed process leaves."""
    if not path.exists():
        return
    text = path.read_bytes()
    if text and not text.endswith(b"\n"):
        with replacing(path) as temporary:
            temporary.write_bytes(text[: text.rfind(b"\n") + 1])
