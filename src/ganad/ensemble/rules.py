"""The methods that ``auto`` takes. They depend on kind and number of the samples, never on a label.

Measured: benchmarks/ensembles.py for tables, benchmarks/image_ensembles.py for images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Choice:
    """One method, by its name on the command line, with the settings that differ from its defaults."""

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def within(self, side: int) -> Choice:
        """The choice for images of this longer side, which none is made larger for."""
        smaller = {k: v for k, v in self.settings.items() if k != "image_size" or v < side}
        return Choice(self.method, smaller)

    def __str__(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.method} ({chosen})" if chosen else self.method


@dataclass(frozen=True)
class Rule:
    """The members for samples of one kind, up to a number of training samples, and the reason."""

    kind: Literal["table", "images"]
    most: float
    members: tuple[Choice, ...]
    reason: str
    wide: bool = False  #: only for tables with fewer training rows than columns


#: Each image without its own brightness and contrast.
_CONTRAST = {"scaling": "contrast"}
#: At this size a shift of a pixel or two is a small change, also for the distances of neighbours.
_SMALL = _CONTRAST | {"image_size": 16}
_SHAPE = (Choice("kde", _CONTRAST), Choice("nearest-neighbor", _SMALL), Choice("lof", _SMALL))
_LIGHT = Choice("trivial", {"variant": "light"})
#: The first rule that fits applies.
RULES = (
    Rule(
        "table",
        50_000,
        (Choice("nearest-neighbor", {"scaling": "minmax"}), Choice("gaussian"), Choice("one-class-svm")),
        "with fewer rows than columns a covariance must be shrunk, which a mixture's are not",
        wide=True,
    ),
    Rule(
        "table",
        50_000,
        (Choice("nearest-neighbor", {"scaling": "minmax"}), Choice("gmm"), Choice("one-class-svm")),
        "distance, density and margin err on different rows, and so do columns scaled by range and by spread",
    ),
    Rule(
        "table",
        float("inf"),
        (Choice("one-class-svm"), Choice("gmm"), Choice("autoencoder")),
        "with so many rows the distances to all of them cost too much",
    ),
    Rule(
        "images",
        60_000,
        (*_SHAPE, _LIGHT),
        "three views of an image without its brightness and contrast, and one of these",
    ),
    Rule(
        "images",
        float("inf"),
        (Choice("autoencoder", _CONTRAST), _LIGHT),
        "with so many images the distances to all of them cost too much",
    ),
)


def rule_for(kind: str, n: int, columns: int = 0) -> Rule:
    """The rule for ``n`` training samples of a kind, "table" or "images"; ``columns``: those of a table."""
    return next(r for r in RULES if r.kind == kind and n <= r.most and (n < columns or not r.wide))
