"""What changed most about samples since some time: means of traits, in units of their earlier spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_NOISE = 4.0  # standard errors below which a change may be chance


@dataclass(frozen=True)
class Change:
    """A trait whose mean moved."""

    name: str
    before: float  #: mean
    after: float  #: mean
    shift: float  #: in standard deviations of before; infinite where it was constant

    def __str__(self) -> str:
        moved = "it was constant" if math.isinf(self.shift) else f"{abs(self.shift):.1f} times its earlier spread"
        way = "higher" if self.shift > 0 else "lower"
        return f"{self.name} from {self.before:.4g} to {self.after:.4g} ({moved}, {way})"


def changes(before: Sequence[dict[str, float]], after: Sequence[dict[str, float]], most: int = 3) -> list[Change]:
    """The traits that moved most, by more than chance moves them; none where either side has no sample."""
    if not before or not after:
        return []
    found = [_change(name, before, after) for name in after[0]]
    noise = _NOISE * math.sqrt(1 / len(before) + 1 / len(after))
    real = [change for change in found if change and abs(change.shift) > noise]
    return sorted(real, key=lambda change: -abs(change.shift))[:most]


def _change(name: str, before: Sequence[dict[str, float]], after: Sequence[dict[str, float]]) -> Change | None:
    old, new = ([row[name] for row in rows if name in row] for rows in (before, after))
    if not old or not new:
        return None
    was, now, spread = float(np.mean(old)), float(np.mean(new)), float(np.std(old))
    if spread <= 1e-12 * abs(was):
        return None if math.isclose(was, now) else Change(name, was, now, math.copysign(math.inf, now - was))
    return Change(name, was, now, (now - was) / spread)
