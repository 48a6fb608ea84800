"""Input scaling that is fitted on the training data, saved with the model and applied on the device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..arrays import chunks
from ..errors import InputError
from ..shown import shown

#: Scaled table cells are clipped here: far beyond any normal value, and no cell can overflow a network.
CLIP = 1000.0


@dataclass(frozen=True)
class Scaling:
    """``(x - shift) / scale``: per column for tables ``(d,)``, one number for images ``()``.

    Tables are centred and scaled in float64 and only then rounded to float32, so that a column of large numbers with
    small differences (a time stamp, a frequency) keeps what it says.
    """

    shift: np.ndarray
    scale: np.ndarray
    clip: float | None = None

    @classmethod
    def fit(cls, x: np.ndarray, kind: str) -> Scaling:
        """Fit on training data ``(n, d)`` or images ``(n, H, W[, C])``.

        ``"auto"`` maps images to [-1, 1] and standardises tables; ``"minmax"`` maps the training range
        to [-1, 1]; ``"standard"`` gives mean 0 and spread 1; ``"none"`` leaves the values alone.
        Constant columns keep their unit, so a small change there stays small.
        """
        is_image = x.ndim > 2
        if kind == "auto":
            kind = "minmax" if is_image else "standard"
        if kind == "none":
            return cls(np.zeros((), np.float32), np.ones((), np.float32))
        if is_image and kind == "minmax":
            low, high = _image_range(x)
            return cls(np.array((low + high) / 2, np.float32), np.array((high - low) / 2 or 1, np.float32))
        axis = None if is_image else 0
        if kind == "minmax":
            low, high = x.min(axis=axis).astype(np.float64), x.max(axis=axis).astype(np.float64)
            shift, scale = (low + high) / 2, (high - low) / 2
        elif kind == "standard":
            shift, scale = _mean_and_sd(x, axis)
        else:
            raise InputError(f'scaling={kind!r} is not one of "auto", "minmax", "standard", "none"')
        rounding = np.finfo(x.dtype if x.dtype.kind == "f" else np.float64).eps
        scale = np.where(scale > 10 * rounding * np.abs(shift), scale, 1.0)
        if is_image:
            return cls(shift.astype(np.float32), scale.astype(np.float32))
        return cls(shift.astype(np.float64), scale.astype(np.float64), clip=CLIP)

    def check_itself(self, shape: tuple[int, ...]) -> None:
        """Raise InputError unless this is what ``fit`` makes of samples that need ``shape`` numbers."""
        for numbers in (self.shift, self.scale):
            if numbers.shape not in ((), shape) or numbers.dtype not in (np.float32, np.float64):
                raise InputError(f"a scaling by numbers of shape {shown(numbers.shape)} and type {numbers.dtype}")
        same = self.shift.shape == self.scale.shape and self.shift.dtype == self.scale.dtype
        if not (same and np.isfinite(self.shift).all() and np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise InputError("a scaling by numbers that no fit leaves")
        if self.clip != (CLIP if self.shift.shape else None):
            raise InputError(f"values clipped at {shown(self.clip)}, which is not what a fit leaves")

    def apply(self, x: Tensor) -> Tensor:
        """Scale a batch of samples, channels last as the user gave them; float32."""
        shift, scale = self._on(x)
        x = (x.to(shift.dtype) - shift) / scale
        return (x if self.clip is None else x.clamp(-self.clip, self.clip)).float()

    def invert(self, x: Tensor) -> Tensor:
        """From the networks' units back to the user's, float32."""
        shift, scale = self._on(x)
        return (x * scale + shift).float()

    def _on(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.as_tensor(self.shift, device=x.device), torch.as_tensor(self.scale, device=x.device)


def _image_range(x: np.ndarray) -> tuple[float, float]:
    """Integer images use the range of their type; float images that of the training set, read in chunks."""
    if x.dtype.kind == "u" and x.dtype.itemsize <= 2:
        return 0.0, float(np.iinfo(x.dtype).max)
    ranges = [(float(c.min()), float(c.max())) for c in chunks(x)]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _mean_and_sd(x: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation in float64 by chunks (a memmap is never loaded whole)."""
    sample_axes = None if axis is None else 0
    count, mean, m2 = 0, np.float64(0), np.float64(0)
    for part in chunks(x):
        chunk = np.asarray(part, dtype=np.float64)
        n = chunk.size if axis is None else len(chunk)
        delta = chunk.mean(axis=sample_axes) - mean
        m2 = m2 + chunk.var(axis=sample_axes) * n + np.square(delta) * count * n / (count + n)
        mean = mean + delta * n / (count + n)
        count += n
    return np.asarray(mean), np.sqrt(m2 / count)
