"""InputSpec: what a detector knows of its input, in one value that is complete when assigned and never changes.

A sample passes ``as_array`` (checks what the user gave), ``InputSpec.check`` (compares it with the training samples)
and ``InputSpec.to_network`` (scales, puts channels first, resizes). ``InputSpec.to_user`` is the way back. A further
step between a photo and the networks, such as cutting regions, belongs between ``check`` and ``to_network``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from ..arrays import chunks, is_on_disk
from ..display import shown
from ..errors import InputError
from ..training import TrainingSet
from .scaling import Scaling

_MIN_SIDE, _MAX_CHANNELS = 8, 4
_MAX_SIDE = 2**24  # largest side that a model file may name


@dataclass(frozen=True, eq=False)
class InputSpec:
    """Shape, scaling and names of the samples that a detector was fitted on."""

    sample_shape: tuple[int, ...]  #: of one sample as the user gives it, (d,), (H, W) or (H, W, C)
    shape: tuple[int, ...]  #: of one sample as the networks see it, (d,) or (C, H, W)
    scaling: Scaling  #: fitted on the training samples
    names: tuple[str, ...] | None = None  #: of the columns, where the data have names

    @classmethod
    def of(cls, x: np.ndarray, names: tuple[str, ...] | None, scaling: str, side: int | None, owner: str) -> InputSpec:
        """The spec of training samples ``(n, ...)`` that ``as_array`` checked; ``side`` resizes images to a square.

        Raises InputError for images that are too small or have too many channels.
        """
        if x.ndim == 2:
            return cls((x.shape[1],), (x.shape[1],), Scaling.fit(x, scaling), names)
        height, width, channels = (*x.shape[1:], 1)[:3]
        if min(height, width) < _MIN_SIDE or channels > _MAX_CHANNELS:
            raise InputError(
                f"{owner}: images of shape {x.shape[1:]}: sides must be at least {_MIN_SIDE} pixels and the last "
                f"axis, the channels, at most {_MAX_CHANNELS}"
            )
        return cls(x.shape[1:], (channels, side or height, side or width), Scaling.fit(x, scaling))

    def check_itself(self, side: int | None) -> None:
        """Raise InputError unless this is what ``of`` makes, for a spec that comes from a file; see ``of``."""
        if len(self.sample_shape) not in (1, 2, 3) or not all(0 < n <= _MAX_SIDE for n in self.sample_shape):
            raise InputError(f"samples of shape {shown(self.sample_shape)} cannot be")
        d, wanted = self.sample_shape[0], self.sample_shape
        if self.is_image:
            height, width, channels = (*self.sample_shape, 1)[:3]
            wanted = (channels, side or height, side or width)
        if self.shape != wanted:
            raise InputError(f"networks for {shown(self.shape)} do not take samples of shape {self.sample_shape}")
        if self.names is not None and (self.is_image or len(self.names) != d):
            raise InputError(f"{len(self.names)} names are not those of samples of shape {self.sample_shape}")
        self.scaling.check_itself(() if self.is_image else (d,))

    @property
    def is_image(self) -> bool:
        """Whether samples are images; otherwise they are rows of a table."""
        return len(self.sample_shape) > 1

    @property
    def n_features(self) -> int:
        """Values that a sample has."""
        return int(np.prod(self.sample_shape))

    def check(self, X: Any, owner: str) -> np.ndarray:
        """New samples as an array ``(n, *sample_shape)``. Raises InputError if their kind differs from training's."""
        if self.is_image and getattr(_array_like(X), "ndim", 2) < 3:
            one = getattr(X, "shape", None) == self.sample_shape
            what = "one image alone is x[None]" if one else "this is a table"
            raise InputError(
                f"{owner} was fitted on images of shape {self.sample_shape}; "
                f"give an array of shape (n, {', '.join(map(str, self.sample_shape))}); {what}"
            )
        array, _ = as_array(X, owner, fitted=self)
        if array.shape[1:] != self.sample_shape:
            raise InputError(
                f"X has samples of shape {array.shape[1:]}, but {owner} was fitted on {self.sample_shape}; resize them"
            )
        return array

    def to_network(self, x: Tensor) -> Tensor:
        """A batch as the user gives it -> as the networks take it, float32: scaled, channels first, resized."""
        x = self.scaling.apply(x)
        if not self.is_image:
            return x
        x = x.unsqueeze(-1) if len(self.sample_shape) == 2 else x
        x = x.permute(0, 3, 1, 2)  # in memory it stays channels-last, which is faster
        if x.shape[2:] != self.shape[1:]:
            x = resized(x, self.shape[1:])
        return x.contiguous(memory_format=torch.channels_last)

    def to_user(self, x: Tensor) -> Tensor:
        """The reverse of ``to_network``, in the units and the shape of the user's samples."""
        x = x.float()
        if self.is_image:
            x = resized(x, self.sample_shape[:2]).permute(0, 2, 3, 1)
            x = x.squeeze(-1) if len(self.sample_shape) == 2 else x
        return self.scaling.invert(x)

    def training_set(self, x: np.ndarray, device: torch.device) -> TrainingSet:
        """Training samples ``(n, *sample_shape)``, which are prepared for the networks when they are drawn."""
        if self.is_image or is_on_disk(x):
            return TrainingSet(x, device, self.to_network)
        # a table in memory is scaled once and not in every step
        scaled = (self.to_network(on_device(part, device)) for part in chunks(x))
        return TrainingSet(joined(scaled, len(x)), device)

    def parts_to_user(self, parts: Tensor) -> Tensor:
        """The networks' contributions as those of columns ``(n, d)`` or pixels ``(n, H, W)``, channels summed."""
        return resized(parts.sum(1, keepdim=True), self.sample_shape[:2])[:, 0] if self.is_image else parts

    def mean(self, x: np.ndarray, device: torch.device) -> np.ndarray:
        """Mean of samples ``(n, *sample_shape)`` as the networks see them, ``shape``. Explanations start there."""
        total = sum(self.to_network(on_device(part, device)).sum(0) for part in chunks(x))
        return (total / len(x)).cpu().numpy()  # type: ignore[union-attr]


def resized(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Images ``(n, C, H, W)`` at another size; the same tensor if they have this size."""
    return x if x.shape[2:] == size else nn.functional.interpolate(x, size, mode="bilinear", antialias=True)


def on_device(rows: np.ndarray, device: torch.device) -> Tensor:
    """Samples as a tensor. Bytes and doubles keep their type, everything else becomes float32."""
    kept = rows.dtype in (np.uint8, np.float64)
    return torch.from_numpy(np.array(rows, dtype=rows.dtype if kept else np.float32)).to(device)


def joined(parts: Iterable[Tensor], n: int) -> Tensor:
    """Parts of ``n`` rows in all as one tensor, in memory once: ``torch.cat`` has them there twice."""
    whole, filled = torch.empty(0), 0
    for part in parts:
        if not filled:
            whole = part.new_empty((n, *part.shape[1:]))
        whole[filled : filled + len(part)] = part
        filled += len(part)
    return whole


def as_array(X: Any, owner: str, *, fitted: InputSpec | None = None) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """The user's samples as a checked array, and the names of the columns.

    X: a table ``(n, d)``, images ``(n, H, W)`` or ``(n, H, W, C)``: an array, a memmap, a tensor, a data frame, lists.
    fitted: the spec to compare columns with; None for a new fit, which needs two samples. Raises InputError.
    """
    X = _array_like(X)
    least = 1 if fitted else 2
    if getattr(X, "ndim", 2) < 3:
        return _as_table(X, owner, fitted, least)
    if X.ndim > 4 or X.dtype.kind not in "buif":
        raise InputError(
            f"{owner} takes tables (n, d) or images (n, H, W) or (n, H, W, C) of numbers, "
            f"not an array of shape {X.shape} and type {X.dtype}"
        )
    if len(X) < least:
        raise InputError(f"Found array with {len(X)} sample(s), but {owner} needs {least}")
    if X.dtype.kind == "f" and not all(np.isfinite(c).all() for c in chunks(X)):
        raise InputError(f"Input X contains NaN or infinity; {owner} needs numbers: remove or repair those images")
    return X, None


def _mapped_table(x: np.ndarray, columns: _Columns, owner: str, *, reset: bool) -> np.ndarray:
    """A table on disk, of which a part at a time is in memory. Raises ValueError as scikit-learn does."""
    validate_data(columns, x[:1], reset=reset)
    if not all(np.isfinite(part).all() for part in chunks(x)):
        raise InputError(f"Input X contains NaN or infinity; {owner} needs numbers: remove or repair those rows")
    return x


def _array_like(X: Any) -> Any:
    if isinstance(X, Tensor):
        return X.detach().cpu().numpy()
    return np.asarray(X) if isinstance(X, list | tuple) else X


class _Columns(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Carries what scikit-learn compares a table with."""

    n_features_in_: int
    feature_names_in_: np.ndarray


def _as_table(X: Any, owner: str, fitted: InputSpec | None, least: int) -> tuple[np.ndarray, tuple[str, ...] | None]:
    columns = type(owner, (_Columns,), {})()  # scikit-learn's messages contain this name
    if fitted is not None:
        columns.n_features_in_ = fitted.n_features
        if fitted.names is not None:
            columns.feature_names_in_ = np.array(fitted.names, dtype=object)
    if issparse(X):
        raise InputError(f"{owner} takes dense tables, and X is sparse; give X.toarray() if that fits into memory")
    try:
        # doubles stay doubles until they are centred: 1e9 + 0.5 is not a float32
        kinds = [np.float64, np.float32]
        if isinstance(X, np.ndarray) and X.dtype in kinds and is_on_disk(X) and len(X) >= least:
            return _mapped_table(X, columns, owner, reset=fitted is None), None
        table = validate_data(columns, X, dtype=kinds, order="C", reset=fitted is None, ensure_min_samples=least)
    except ValueError as error:  # scikit-learn's words, in our type
        raise InputError(_in_our_words(str(error), X, owner, fitted)) from error
    except TypeError as error:
        if not str(error).startswith("Feature names"):  # of cells that are no numbers scikit-learn asks for this type
            raise
        mixed = "the names of X's columns mix numbers and texts; make them texts: X.columns = X.columns.astype(str)"
        raise InputError(mixed) from error
    names = getattr(columns, "feature_names_in_", None)
    return table, None if names is None else tuple(map(str, names))


def _in_our_words(text: str, X: Any, owner: str, fitted: InputSpec | None) -> str:
    """Why a table was refused: where it is not finite, which columns are others, or else in scikit-learn's words."""
    if text.startswith("The feature names should match") and fitted is not None:
        return _other_columns(list(map(str, X.columns)), list(fitted.names or ()), owner)
    if "NaN" not in text and "infinity" not in text:
        return text
    values = np.asarray(X, np.float64)
    row, column = np.argwhere(~np.isfinite(values))[0]
    names = getattr(X, "columns", None)
    where = f"row {row}, column {column if names is None else shown(repr(names[column]))}"
    what, remedy = "infinity", "repair that cell"
    if np.isnan(values[row, column]):
        what, remedy = "NaN", "fill the gaps, or read the table with ganad.data.load(X, impute=True)"
    return f"Input X contains {what} ({where}); {owner} needs numbers: {remedy}"


def _other_columns(names: list[str], fitted: list[str], owner: str) -> str:
    """What is wrong with a frame's columns, as a sentence."""
    found = [
        f"{shown(repr(some[0]), 200)}{f' and {len(some) - 1} more' * (len(some) > 1)} {what}"
        for some, what in (
            ([name for name in fitted if name not in names], "missing"),
            ([name for name in names if name not in fitted], "not known"),
        )
        if some
    ]
    wrong = ", ".join(found) or "they are in another order"
    return f"The columns should match those that {owner} was fitted on: {wrong}"
