"""What may change over time about samples, in a few numbers a sample, and what of it changed most."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

_COLUMNS = 64  # of a table, the first ones
_SIDE = 128  # pixels of a thumbnail's longer side, at most
_NOISE = 4.0  # standard errors below which a change may be chance


def traits(x: np.ndarray, columns: Sequence[str] = ()) -> list[dict[str, float]]:
    """Of images ``(n, H, W)`` or ``(n, H, W, C)`` brightness and contrast, mean and spread of all their pixels.

    Of rows ``(n, d)`` the first 64 columns, by name.
    """
    if x.ndim == 2:
        names = list(columns or [f"column {i}" for i in range(x.shape[1])])[:_COLUMNS]
        return [dict(zip(names, row)) for row in np.asarray(x[:, :_COLUMNS], float).tolist()]
    pixels = x.reshape(len(x), -1)
    means, spreads = pixels.mean(axis=1, dtype=np.float64), pixels.std(axis=1, dtype=np.float64)
    return [{"brightness": m, "contrast": s} for m, s in zip(means.tolist(), spreads.tolist())]


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """An image as Pillow takes it: ``(H, W)`` or ``(H, W, 3)``, whole numbers from 0 to 255."""
    shape = pixels.shape[:2] if pixels.shape[2:] == (1,) else pixels.shape
    return pixels.clip(0, 255).astype(np.uint8).reshape(shape)


def thumbnail(pixels: np.ndarray, side: int = _SIDE) -> bytes:
    """A small JPEG of an image ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` with values from 0 to 255."""
    picture = Image.fromarray(as_bytes(pixels))
    picture.thumbnail((side, side))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


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
