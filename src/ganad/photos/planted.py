"""Defects that are planted in normal photos, to see without real ones what a detector of photos finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from scipy.ndimage import gaussian_filter

from ..errors import InputError
from ..selftest import PLANTED
from .part import Part

KINDS = PLANTED  #: that can be planted
NOISE = "noise"  #: photos of nothing else

_FAINT, _STEP = 8, 40  # grey values: a scratch or a spot that changes fewer in the mean changes by so many instead
_MIDDLE = 128
_TIMES = 3  # that each of few photos is spoilt, at most
_SIDE = 250  # of the photos for which sizes in pixels are stated here


def unit_of(shape: tuple[int, ...]) -> float:
    """By how much defects of a photo ``(H, W[, C])`` are larger than stated: cameras of more pixels see smaller ones.

    1 up to a shorter side of 250 pixels, 2 for 1,000 and 4 for 4,000.
    """
    return float(max(1.0, min(shape[:2]) / _SIDE) ** 0.5)


def planted(
    photo: np.ndarray, kind: str, rng: np.random.Generator, *, unit: float = 1.0, inside: np.ndarray | None = None
) -> np.ndarray:
    """The photo, uint8 ``(H, W[, 3])``, with a defect of this kind, of a place and a size of its own.

    unit: pixels that count as one. inside: ``(H, W)``, True where the middle of the defect may lie; None: anywhere but
    at the rim, where only a patch may be. Raises InputError for another kind, and where nothing is inside.
    """
    if kind not in KINDS:
        raise InputError(f"{kind!r} is not a defect that can be planted; there are {', '.join(KINDS)}")
    if inside is not None and not inside.any():
        raise InputError("there is no place for a defect: no pixel is inside")
    y, x = rng.uniform(0.15, 0.85, 2) * photo.shape[:2]
    if inside is not None:
        places = np.flatnonzero(inside)
        y, x = np.array(np.unravel_index(places[rng.integers(len(places))], inside.shape))
    out: np.ndarray = photo.astype(np.float32)
    if kind == "patch":
        changed = _patch(out, None if inside is None else (y, x), unit, rng)
    else:
        changed = _WAYS[kind](out, float(y), float(x), unit, rng)
    return changed.clip(0, 255).round().astype(np.uint8)


def _scratch(out: np.ndarray, y: float, x: float, unit: float, rng: np.random.Generator) -> np.ndarray:
    ys, xs = _pixels(out)
    angle, length, wide = rng.uniform(0, np.pi), unit * rng.uniform(15, 60), unit * rng.uniform(1, 2.5)
    cos, sin = math.cos(angle), math.sin(angle)
    along = abs((xs - x) * cos + (ys - y) * sin) < length / 2
    across = abs((ys - y) * cos - (xs - x) * sin) < wide
    gain = rng.uniform(0.4, 0.8) if rng.random() < 0.7 else 1.4
    return _marked(along & across, out * gain, out)


def _spot(out: np.ndarray, y: float, x: float, unit: float, rng: np.random.Generator) -> np.ndarray:
    ys, xs = _pixels(out)
    radius, stretch = unit * rng.uniform(3, 9), rng.uniform(0.6, 1.6)
    there = ((xs - x) / stretch) ** 2 + ((ys - y) * stretch) ** 2 < radius**2
    return _marked(there, out * rng.uniform(0.3, 0.75), out)


def _uneven(out: np.ndarray, y: float, x: float, unit: float, rng: np.random.Generator) -> np.ndarray:
    ys, xs = _pixels(out)
    sd = unit * rng.uniform(30, 80)
    most = float(rng.choice([-1, 1])) * rng.uniform(20, 45)
    light: np.ndarray = most * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 2 / sd**2)
    light = _of_pixels(light, out)
    lit: np.ndarray = out + light
    hidden = np.abs(lit.clip(0, 255) - out).mean() < np.abs(light).mean() / 2
    return out - light if hidden else lit


def _blur(out: np.ndarray, y: float, x: float, unit: float, rng: np.random.Generator) -> np.ndarray:
    ys, xs = _pixels(out)
    side, sigma = unit * rng.uniform(25, 60), 2.5 * unit
    reach = side + 4 * sigma + 2  # as far as the filter looks: all of a large photo would take seconds
    box = tuple(slice(max(0, int(at - reach)), int(at + reach) + 1) for at in (y, x))
    there = ((abs(xs - x) < side) & (abs(ys - y) < side))[box]
    out[box] = _where(there, gaussian_filter(out[box], (sigma, sigma, 0)[: out.ndim]), out[box])
    return out


_WAYS: dict[str, Callable[[np.ndarray, float, float, float, np.random.Generator], np.ndarray]] = {
    "scratch": _scratch,
    "spot": _spot,
    "uneven": _uneven,
    "blur": _blur,
}


def _patch(out: np.ndarray, middle: tuple[int, int] | None, unit: float, rng: np.random.Generator) -> np.ndarray:
    """A patch fits anywhere, the rim included, unless its middle is given."""
    height, width = out.shape[:2]
    side = min(int(unit * rng.uniform(20, 60)), height // 2, width // 2)
    ends = np.array([height - side, width - side])
    (top, left), (to_top, to_left) = rng.integers(0, ends, (2, 2))
    if middle is not None:
        to_top, to_left = (np.array(middle) - side // 2).clip(0, ends)
    turned = np.rot90(out[top : top + side, left : left + side], int(rng.integers(1, 4))).copy()
    out[to_top : to_top + side, to_left : to_left + side] = turned
    return out


def _pixels(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``(H, 1)`` and columns ``(1, W)``, float32: whole grids of a large photo would need most memory here."""
    height, width = photo.shape[:2]
    return np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]


def _of_pixels(values: np.ndarray, photo: np.ndarray) -> np.ndarray:
    return values if photo.ndim == 2 else values[..., None]


def _marked(there: np.ndarray, changed: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """The change, or one by a fixed step where it would hardly show: what is black cannot be darkened by a factor."""
    steps = np.abs(changed[there].clip(0, 255) - photo[there])
    if steps.size and steps.mean() < _FAINT:
        changed = photo + (_STEP if photo[there].mean() < _MIDDLE else -_STEP)
    return _where(there, changed, photo)


def _where(there: np.ndarray, changed: np.ndarray, photo: np.ndarray) -> np.ndarray:
    return np.where(_of_pixels(there, photo), changed, photo)


class Spoilt(Sequence[np.ndarray]):
    """At most ``most`` photos, each with a defect of one kind in the part that is looked at, made when it is asked for.

    The kind "noise" is noise in the range of the photo's values. Of few photos each has up to three, one at a time.
    Equal photos give equal ones.
    """

    def __init__(self, photos: Sequence[np.ndarray], kind: str, most: int, part: Part | None):
        self.photos, self.kind, self.part = photos, kind, part
        self.seed = (NOISE, *KINDS).index(kind)
        order = np.random.default_rng([0, self.seed]).permutation(len(photos))
        self.numbers = np.tile(order, _TIMES)[:most]

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[np.ndarray]: ...
    def __getitem__(self, at: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        if isinstance(at, slice):
            return [self[i] for i in range(len(self))[at]]
        number = int(self.numbers[at])
        photo, rng = self.photos[number], np.random.default_rng([self.seed, at])
        if self.kind == NOISE:
            return rng.integers(photo.min(), photo.max(), photo.shape, np.uint8, endpoint=True)
        if self.part is None:
            return planted(photo, self.kind, rng, unit=unit_of(photo.shape))
        spoilt, box = photo.copy(), self.part.box
        spoilt[box] = planted(photo[box], self.kind, rng, unit=unit_of(photo[box].shape), inside=self.part.inside)
        return spoilt
