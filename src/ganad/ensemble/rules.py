"""The methods that ``auto`` takes. They depend on kind and number of the samples, never on a label.

Measured: benchmarks/ensembles.py.
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


#: The first rule that fits applies.
RULES = (
    Rule(
        "table",
        50_000,
        (Choice("nearest-neighbor"), Choice("gmm"), Choice("one-class-svm"), Choice("autoencoder")),
        "distance, density, margin and reconstruction err on different rows",
    ),
    Rule(
        "table",
        float("inf"),
        (Choice("one-class-svm"), Choice("gmm"), Choice("autoencoder")),
        "with so many rows the distances to all of them cost too much",
    ),
    Rule(
        "images",
        20_000,
        (Choice("igmm-gan"), Choice("lof")),
        "a GAN's codes see shape, and the density among neighbours sees what is local",
    ),
    Rule(
        "images",
        float("inf"),
        (Choice("igmm-gan"), Choice("autoencoder")),
        "with so many images the distances to all of them cost too much",
    ),
)


def rule_for(kind: str, n: int) -> Rule:
    """The rule for ``n`` training samples of a kind, "table" or "images"."""
    return next(rule for rule in RULES if rule.kind == kind and n <= rule.most)
