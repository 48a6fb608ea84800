"""The part of every photo that is looked at: a rectangle, a drawn shape, or both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.decode import LEAST_SIDE, decode_mask, reason, strict
from ..errors import InputError
from .view import Grid


@dataclass(frozen=True, eq=False)
class Part:
    """What is outside the part is cut away where it can be, and black elsewhere: no score depends on it."""

    left: int = 0
    top: int = 0
    width: int | None = None  #: None: all there is
    height: int | None = None
    shape: np.ndarray | None = None  #: ``(H, W)`` of whole photos, True in the part

    def cut(self, photo: np.ndarray, number: int) -> np.ndarray:
        """The photo's part; InputError for a photo that is too small for it, or has another size than the shape."""
        height, width = photo.shape[:2]
        if self.shape is not None and self.shape.shape != (height, width):
            raise InputError(
                f"photo {number} has {width} x {height} pixels, but the image of the part has {self.shape.shape[1]} x "
                f"{self.shape.shape[0]}; they must be as large"
            )
        if self.left + (self.width or 1) > width or self.top + (self.height or 1) > height:
            raise InputError(
                f"photo {number} has {width} x {height} pixels, too few for the crop "
                f"{self.left},{self.top},{self.width},{self.height}"
            )
        seen = photo[self._rows, self._columns]
        inside = self.inside
        if inside is None:
            return seen
        return np.where(inside if photo.ndim == 2 else inside[..., None], seen, 0).astype(np.uint8)

    @property
    def inside(self) -> np.ndarray | None:
        """Which pixels of a cut photo are in the part; None: all."""
        return None if self.shape is None else self.shape[self._rows, self._columns]

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of a whole photo that a cut photo has."""
        return self._rows, self._columns

    def where(self, shape: tuple[int, ...]) -> np.ndarray:
        """Which pixels of a photo of this shape are in the part, ``(H, W)``."""
        found = np.zeros(shape[:2], bool)
        found[self._rows, self._columns] = True if self.inside is None else self.inside
        return found

    def moved(self, grid: Grid) -> Grid:
        """A cut photo's grid in the pixels of the whole photo."""
        return Grid(grid.ys + self.top, grid.xs + self.left)

    def whole(self, heat: np.ndarray) -> np.ndarray:
        """A map ``(H, W)`` of a whole photo with the lowest of its values outside the part."""
        inside = self.where(heat.shape)
        return np.where(inside, heat, heat[inside].min())

    @property
    def _rows(self) -> slice:
        return slice(self.top, None if self.height is None else self.top + self.height)

    @property
    def _columns(self) -> slice:
        return slice(self.left, None if self.width is None else self.left + self.width)


def crop_of(text: str) -> tuple[int, int, int, int]:
    """Left, top, width and height of "x,y,w,h"; InputError for another text."""
    found = re.fullmatch(r"\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*", text)
    if not found or min(int(found[3]), int(found[4])) < LEAST_SIDE:
        raise InputError(
            f"crop={text!r}: give left, top, width and height in pixels, such as 100,50,800,600; sides of "
            f"{LEAST_SIDE} or more"
        )
    left, top, width, height = (int(number) for number in found.groups())
    return left, top, width, height


def part_of(crop: str | None, shape: np.ndarray | None) -> Part | None:
    """The part that a crop and a shape leave, cut to what the shape needs; None for whole photos.

    Raises InputError where nothing is left.
    """
    if crop is None and shape is None:
        return None
    left, top, width, height = (0, 0, None, None) if crop is None else crop_of(crop)
    if shape is None:
        return Part(left, top, width, height)
    kept = np.zeros(shape.shape, bool)
    window = (
        slice(top, None if height is None else top + height),
        slice(left, None if width is None else left + width),
    )
    kept[window] = shape[window]
    if not kept.any():
        raise InputError("the image of the part leaves nothing; what is to be looked at must be bright in it")
    (top, bottom), (left, right) = (_span(np.atleast_1d(kept.any(axis)), kept.shape[1 - axis]) for axis in (1, 0))
    return Part(left, top, right - left, bottom - top, kept)


def _span(used: np.ndarray, side: int) -> tuple[int, int]:
    """First and last + 1 of the used places, at least as wide as a photo's least side where there is room."""
    places = np.flatnonzero(used)
    first, last = int(places[0]), int(places[-1]) + 1
    missing = max(0, LEAST_SIDE - (last - first))
    first = max(0, first - missing)
    return first, min(side, max(last, first + LEAST_SIDE))


def read_shape(file: str | Path) -> np.ndarray:
    """The part drawn in an image, bool ``(H, W)``: its bright half, of which what is transparent is none.

    Raises InputError for a file that cannot be read.
    """
    file = Path(file)
    try:
        with strict():
            values = decode_mask(file)
    except Exception as error:
        raise InputError(f"{file}: the image of the part cannot be read: {reason(error, file)}") from error
    return values > 127
