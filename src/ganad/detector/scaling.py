"""Input scaling that is fitted on the training data, saved with the model and applied on the device."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..arrays import chunks
from ..display import shown
from ..errors import InputError

#: Scaled table cells are clipped here, far beyond normal values, so that no cell can overflow a network.
CLIP = 1000.0
#: Least contrast an image is divided by, relative to training's median; less would fill a blank image with noise.
_FLOOR = 0.1
#: Share of training images that lie in [-1, 1] after "contrast"; not all, because one odd image must not set the range.
_WITHIN = 0.99
_TOGETHER = 64  # images at a time


@dataclass(frozen=True)
class Contrast:
    """Global contrast normalisation: each image minus its mean pixel, divided by the standard deviation of its pixels.

    A. Coates, H. Lee, A. Y. Ng, "An analysis of single-layer networks in unsupervised feature learning", AISTATS 2011.
    """

    floor: float  #: the least standard deviation that an image is divided by
    center: float  #: mean pixel of the training images
    spread: float  #: mean of what the training images are divided by

    @classmethod
    def fit(cls, x: np.ndarray) -> Contrast:
        """Fit to training images ``(n, H, W[, C])``. The floor is a tenth of their median contrast."""
        parts = [_rows(part) for part in chunks(x)]
        centers = np.concatenate([part.mean(1) for part in parts])
        spreads = np.concatenate([part.std(1) for part in parts])
        floor = _FLOOR * float(np.median(spreads) or spreads.max()) or 1.0
        return cls(floor, float(centers.mean()), float(np.maximum(spreads, floor).mean()))

    def of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and divisor of each image ``(n, ...)``, of shape ``(n, 1, ...)``."""
        axes = tuple(range(1, x.ndim))
        center = x.mean(axes, keepdim=True)
        return center, (x - center).square().mean(axes, keepdim=True).sqrt().clamp_min(self.floor)

    def apply(self, x: Tensor) -> Tensor:
        """Images ``(n, ...)`` without their brightness and contrast."""
        center, spread = self.of(x)
        return (x - center) / spread

    def usual(self, x: Tensor) -> Tensor:
        """Give images without brightness and contrast those usual in training."""
        return x * self.spread + self.center

    def lent(self, x: Tensor, lender: Tensor) -> Tensor:
        """The result of ``usual`` with the brightness and contrast of the images ``lender`` ``(n, ...)`` instead."""
        center, spread = self.of(lender)
        return (x - self.center) / self.spread * spread + center


@dataclass(frozen=True)
class Scaling:
    """``(x - shift) / scale``: per column for tables ``(d,)``, one number for images ``()``.

    Tables are centred and scaled in float64 and only then rounded to float32, so that a column of large numbers with
    small differences (a time stamp, a frequency) keeps these differences.
    """

    shift: np.ndarray
    scale: np.ndarray
    clip: float | None = None
    contrast: Contrast | None = None  #: applied to each image before

    @classmethod
    def fit(cls, x: np.ndarray, kind: str) -> Scaling:
        """Fit on training data ``(n, d)`` or images ``(n, H, W[, C])``.

        ``"auto"`` maps images to [-1, 1] and standardises tables; ``"minmax"`` maps the training range
        to [-1, 1]; ``"standard"`` gives mean 0 and standard deviation 1; ``"none"`` changes nothing.
        ``"contrast"`` removes brightness and contrast from each image. Then 99 of 100 training images lie in [-1, 1],
        which a generator's tanh can reach. Raises InputError for another word, and for a table with ``"contrast"``.
        Constant columns keep their unit, so a small change there stays small.
        """
        is_image = x.ndim > 2
        if kind == "auto":
            kind = "minmax" if is_image else "standard"
        if kind == "none":
            return cls(np.zeros((), np.float32), np.ones((), np.float32))
        if kind == "contrast":
            return cls._of_contrast(x)
        if is_image and kind == "minmax":
            low, high = _image_range(x)
            return cls(np.array((low + high) / 2, np.float32), np.array((high - low) / 2 or 1, np.float32))
        axis = None if is_image else 0
        if kind == "minmax":
            shift, scale = _middle_and_half(x, axis)
        elif kind == "standard":
            shift, scale = _mean_and_sd(x, axis)
        else:
            raise InputError(f'scaling={kind!r} is not one of "auto", "minmax", "standard", "none", "contrast"')
        rounding = np.finfo(x.dtype if x.dtype.kind == "f" else np.float64).eps
        scale = np.where(scale > 10 * rounding * np.abs(shift), scale, 1.0)
        if is_image:
            return cls(shift.astype(np.float32), scale.astype(np.float32))
        return cls(shift.astype(np.float64), scale.astype(np.float64), clip=CLIP)

    def check_itself(self, shape: tuple[int, ...]) -> None:
        """Raise InputError unless ``fit`` could have made this for samples that need ``shape`` numbers."""
        for numbers in (self.shift, self.scale):
            if numbers.shape not in ((), shape) or numbers.dtype not in (np.float32, np.float64):
                raise InputError(f"a scaling by numbers of shape {shown(numbers.shape)} and type {numbers.dtype}")
        same = self.shift.shape == self.scale.shape and self.shift.dtype == self.scale.dtype
        if not (same and np.isfinite(self.shift).all() and np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise InputError("a scaling by numbers that a fit cannot give")
        if self.clip != (CLIP if self.shift.shape else None):
            raise InputError(f"values clipped at {shown(self.clip)}, which a fit cannot give")

    @classmethod
    def _of_contrast(cls, x: np.ndarray) -> Scaling:
        if x.ndim < 3:
            raise InputError('scaling="contrast" is for images, and these data are a table; use "standard"')
        contrast = Contrast.fit(x)
        lows, highs = [], []
        for part in map(_rows, chunks(x)):
            plain = contrast.apply(torch.from_numpy(part)).numpy()
            lows.append(plain.min(1))
            highs.append(plain.max(1))
        low, high = np.quantile(np.concatenate(lows), 1 - _WITHIN), np.quantile(np.concatenate(highs), _WITHIN)
        shift, scale = (low + high) / 2, (high - low) / 2 or 1
        return cls(np.array(shift, np.float32), np.array(scale, np.float32), contrast=contrast)

    def apply(self, x: Tensor) -> Tensor:
        """Scale a batch of samples, channels last as the user gave them, to float32."""
        shift, scale = self._on(x)
        if self.contrast is not None:  # doubles stay doubles until they are centred
            x = self.contrast.apply(x if x.dtype == torch.float64 else x.float())
        x = (x.to(shift.dtype) - shift) / scale
        return (x if self.clip is None else x.clamp(-self.clip, self.clip)).float()

    def invert(self, x: Tensor) -> Tensor:
        """From the networks' units back to the user's, float32.

        If brightness and contrast were removed, the images get those that are usual in training.
        """
        shift, scale = self._on(x)
        x = x * scale + shift
        return (x if self.contrast is None else self.contrast.usual(x)).float()

    def lent(self, redrawn: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Versions of the samples ``x`` that ``invert`` returned, with each sample's own brightness and contrast."""
        if self.contrast is None:
            return redrawn
        pairs = zip(chunks(redrawn, _TOGETHER), chunks(x, _TOGETHER))
        parts = [self.contrast.lent(*(torch.from_numpy(part.astype(np.float64)) for part in pair)) for pair in pairs]
        return torch.cat(parts).numpy()

    def _on(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and scale on the device of ``x``. To a GPU they are copied once, because it waits for every copy."""
        if x.device.type == "cpu":
            return torch.as_tensor(self.shift), torch.as_tensor(self.scale)
        shift, scale = (_kept(a.tobytes(), a.dtype.str, a.shape, x.device) for a in (self.shift, self.scale))
        return shift, scale


@functools.lru_cache(maxsize=64)
def _kept(numbers: bytes, dtype: str, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Numbers on a device, copied there once."""
    return torch.as_tensor(np.frombuffer(numbers, dtype).reshape(shape).copy(), device=device)


def _rows(images: np.ndarray) -> np.ndarray:
    """Images as rows ``(n, pixels)`` of doubles."""
    return images.reshape(len(images), -1).astype(np.float64)


def _image_range(x: np.ndarray) -> tuple[float, float]:
    """The range of integer images is that of their type; the range of float images is read in chunks."""
    if x.dtype.kind == "u" and x.dtype.itemsize <= 2:
        return 0.0, float(np.iinfo(x.dtype).max)
    ranges = [(float(c.min()), float(c.max())) for c in chunks(x)]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _middle_and_half(x: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half of the range in float64 by chunks."""
    lows, highs = zip(*((part.min(axis=axis), part.max(axis=axis)) for part in chunks(x)))
    low, high = np.min(lows, axis=0).astype(np.float64), np.max(highs, axis=0).astype(np.float64)
    return (low + high) / 2, (high - low) / 2


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
