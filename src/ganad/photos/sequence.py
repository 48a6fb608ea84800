"""Photos in any of the accepted forms as a sequence of arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, cast, overload

import numpy as np
from torch import Tensor

from ..data.decode import LEAST_SIDE
from ..data.photos import Photos
from ..errors import InputError


def as_photos(X: Any, least: int = 1) -> Sequence[np.ndarray]:
    """A sequence of photos: a list of arrays, an array ``(n, H, W[, C])``, ``data.Photos``, or ``Samples``.

    A sequence of your own needs ``len``, and whole numbers as indices with IndexError past the end.

    Raises InputError for anything else and for fewer than ``least`` photos.
    """
    X = getattr(X, "x", X) if not isinstance(X, np.ndarray | Tensor) else X
    if isinstance(X, Tensor):
        X = X.detach().cpu().numpy()
    if isinstance(X, np.ndarray) and X.ndim not in (3, 4):
        raise InputError(f"Regions takes photos, not an array of shape {X.shape}; one photo alone is x[None]")
    if not (hasattr(X, "__len__") and hasattr(X, "__getitem__")) or isinstance(X, str | bytes | dict):
        raise InputError(f"Regions takes a list of photos, not {type(X).__name__}; read a folder with data.load_photos")
    if len(X) < least:
        raise InputError(f"Regions needs at least {least} photos, not {len(X)}")
    return cast("Sequence[np.ndarray]", X)


def taken(photos: Sequence[np.ndarray], rows: np.ndarray) -> Sequence[np.ndarray]:
    """The photos at these places, each read when it is asked for."""
    if isinstance(photos, np.ndarray | Photos):
        return cast("Sequence[np.ndarray]", photos[rows])
    return _Taken(photos, rows)


class _Taken(Sequence[np.ndarray]):
    """Photos of a sequence by their numbers: one of the user's own may take nothing but whole numbers."""

    def __init__(self, photos: Sequence[np.ndarray], rows: np.ndarray):
        self.photos, self.rows = photos, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> _Taken: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | _Taken:
        if isinstance(index, slice):
            return _Taken(self.photos, self.rows[index])
        return self.photos[int(self.rows[index])]


@contextlib.contextmanager
def naming(photos: Sequence[np.ndarray], number: int) -> Iterator[None]:
    """Within: an InputError about a photo of a folder says which file it is."""
    try:
        yield
    except InputError as error:
        names = getattr(photos, "names", None)
        if names is None:
            raise
        raise InputError(f"{names[number]}: {error}") from error


def check_photo(photo: Any, number: int, channels: int | None) -> int:
    """The number of a photo's channels, 1 or 3. Raises InputError for other arrays, and unless it is ``channels``."""
    if not isinstance(photo, np.ndarray) or photo.dtype != np.uint8 or photo.ndim not in (2, 3):
        what = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise InputError(f"photo {number}: {what}; a photo is uint8 of shape (H, W) or (H, W, 3)")
    found = photo.shape[2] if photo.ndim == 3 else 1
    if found not in (1, 3) or min(photo.shape[:2]) < LEAST_SIDE:
        raise InputError(
            f"photo {number}: shape {photo.shape}; it must be (H, W) or (H, W, 3) with sides of {LEAST_SIDE} or more"
        )
    if channels is not None and found != channels:
        raise InputError(f"photo {number} has {found} channels, the others have {channels}; convert it")
    return found
