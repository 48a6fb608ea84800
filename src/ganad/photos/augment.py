"""Variants of normal photos, for folders that hold few of them: what may change without being a defect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..errors import InputError

_GAINS = (0.85, 0.95)  # range of the darker variant; the brighter one is the inverse
_SHIFT = 8  # pixels that a photo moves, at most

Photo = tuple[np.ndarray, np.ndarray | None]


def _flip(photo: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    return [photo[:, ::-1], photo[::-1]]


def _rotate90(photo: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    return [np.rot90(photo, k) for k in (1, 2, 3)]


def _shift(photo: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    down, across = (int(s) for s in rng.integers(1, _SHIFT, 2, endpoint=True))
    widths = [(down, down), (across, across), *[(0, 0)] * (photo.ndim - 2)]
    padded = np.pad(photo, widths, mode="reflect")
    height, width = photo.shape[:2]
    return [padded[:height, :width], padded[2 * down :, 2 * across :]]


def _brightness(photo: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    gain = rng.uniform(*_GAINS)
    if photo.dtype == bool:  # where the part is does not change
        return [photo, photo]
    return [np.rint(photo * g).clip(0, 255).astype(np.uint8) for g in (gain, 1 / gain)]


_WAYS: dict[str, Callable[[np.ndarray, np.random.Generator], list[np.ndarray]]] = {
    "flip": _flip,
    "rotate90": _rotate90,
    "shift": _shift,
    "brightness": _brightness,
}


def names(text: str) -> list[str]:
    """The ways in "flip,rotate90,shift,brightness"; InputError for another one."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    for name in found:
        if name not in _WAYS:
            raise InputError(f"augment={text!r}: {name!r} is not one of {', '.join(_WAYS)}")
    return found


def variants(photo: np.ndarray, inside: np.ndarray | None, text: str, seed: list[int]) -> Iterator[Photo]:
    """The photo itself, then its variants, each with where the part is in it."""
    yield photo, inside
    for name in names(text):
        made = _WAYS[name](photo, np.random.default_rng(seed))
        # the same draws again, so that the part moves with the photo
        parts = [None] * len(made) if inside is None else _WAYS[name](inside, np.random.default_rng(seed))
        yield from zip(map(np.ascontiguousarray, made), parts)


def count(text: str) -> int:
    """How many variants a photo has, itself counted."""
    two_by_two = np.zeros((2 * _SHIFT + 2,) * 2, np.uint8)
    return 1 + sum(len(_WAYS[name](two_by_two, np.random.default_rng(0))) for name in names(text))
