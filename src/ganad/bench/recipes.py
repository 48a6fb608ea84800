"""Recipes (the lines of a table), suites (the tables), and their three budgets.

paper  the published settings at their published length, or a method's defaults if nothing is published for the data
quick  the same protocol at a length that two CPU cores manage; this length was chosen by time, and a note says if a
       result influenced it
smoke  minutes for everything, to check that it runs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal, Protocol

from ..data import Samples
from ..errors import InputError

Budget = Literal["paper", "quick", "smoke"]


@dataclass(frozen=True)
class Recipe:
    """One line of a table."""

    label: str  #: the papers' name of the method, under which published figures are found
    detector: str  #: the detector's class or its name
    _: KW_ONLY
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  #: for all budgets
    quick: Mapping[str, Any] = field(default_factory=dict)  #: changes that shorten the training
    is_baseline: bool = False
    paper: str | None = None  #: the preset at ``paper``, for a recipe whose shorter budgets start from the defaults
    note: str = ""  #: a footnote for its ``quick`` rows
    remedy_of: str = ""  #: label of the line that this one repeats with a remedy that needs no labels
    snapshots: bool = False  #: fit the detector as ``Snapshots``, whose score is the mean over epochs
    regions: Mapping[str, Any] = field(default_factory=dict)  #: fit it on regions of photos, by ``photos.regions_of``

    def arguments(self, budget: Budget) -> tuple[str | None, dict[str, Any]]:
        """Preset and settings for a budget."""
        settings = dict(self.settings)
        if budget == "paper":
            return self.paper or self.preset, settings
        settings |= self.quick
        if budget == "smoke":
            settings |= {k: 1 for k in self.quick if k.endswith("epochs")}
        return self.preset, settings


class Source(Protocol):
    """Data outside of the protocols. A worker process must be able to unpickle a source.

    Two sources are equal only if their samples are, so that a worker can reuse samples.
    """

    def __hash__(self) -> int: ...

    @property
    def hash(self) -> str:
        """The hash of the samples; rows made from other samples do not count."""
        ...

    def read(self) -> Samples:
        """The samples, with the classes that the suite's protocol asks for."""
        ...


@dataclass(frozen=True)
class Suite:
    """One table: a protocol and the recipes to measure under it."""

    name: str
    protocol: str
    recipes: tuple[Recipe, ...]
    _: KW_ONLY
    quick_train: int | None = None  #: training samples kept at ``quick``; None keeps all
    quick_test: int | None = None  #: test samples kept at ``quick``; None keeps all
    classes: tuple[str, ...] | None = None  #: the classes that are measured; None means all of the protocol
    todays: bool = False  #: detectors have today's defaults, as on own data, and not those of ``defaults``
    smoke: tuple[int, int] = (500, 300)  #: training and test samples kept at ``smoke``
    own: Source | None = None  #: the data, if the protocol does not name them

    def caps(self, budget: Budget) -> tuple[int | None, int | None]:
        """The largest numbers of training and test samples for a budget; None means all."""
        if budget == "paper":
            return None, None
        if budget == "smoke":
            return self.smoke
        return self.quick_train, self.quick_test

    @property
    def has_todays_defaults(self) -> bool:
        """Whether a setting that a recipe does not name has today's default."""
        return self.todays or self.own is not None

    def recipe(self, label: str) -> Recipe:
        """The recipe with this label. Raises InputError if there is none."""
        for recipe in self.recipes:
            if recipe.label == label:
                return recipe
        known = ", ".join(r.label for r in self.recipes)
        raise InputError(f"{self.name} has no method {label!r}; it has {known}")
