"""Small pictures as data URLs, within a budget of bytes, so that a page of 200 samples stays small."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InputError

BUDGET = 7400  #: bytes of all pictures of one sample; 200 samples in base64 then take less than 2 MB
SIDE = 128  #: largest side of a thumbnail, in pixels
HEAT_SIDE = 64  #: largest side of a heat map, in pixels
HEAT_LEVELS = 16  #: so that a pixel takes half a byte
HEAT_BYTES = 2300  #: of a heat map at most
MASK_BYTES = 1000  #: of a mask at most
LARGE = 24  #: samples, the highest, whose photos can be looked at more closely
LARGE_SIDE = 768  #: largest side of these
LARGE_BYTES = 48_000  #: of each of these; 24 of them in base64 take 1.5 MB
QUALITIES = (85, 70, 50, 30, 15, 5)  #: of JPEG, the first that fits is taken


def scale_of(images: np.ndarray) -> float:
    """The factor that brings pixels to 0..255: 255 for floats and booleans within 0..1, else 1.

    Raises InputError for other shapes than ``(n, H, W)`` or ``(n, H, W, 1 | 3 | 4)`` and for values out of range.
    """
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] not in (1, 3, 4)):
        raise InputError(f"images of shape {images.shape} cannot be drawn; give (n, H, W) or (n, H, W, 3)")
    if images.dtype.kind not in "buif":
        raise InputError(f"images of type {images.dtype} cannot be drawn; give numbers")
    low, high = images.min(initial=0), images.max(initial=0)
    if not (low >= 0 and high <= 255):
        raise InputError(f"images hold values from {low:g} to {high:g}; give 0 to 255, or floats from 0 to 1")
    return 255.0 if images.dtype.kind in "bf" and high <= 1 else 1.0


def thumbnail(image: Any, scale: float, budget: int, side: int = SIDE) -> str:
    """A picture ``(H, W[, C])``: PNG where that fits the budget of bytes, else the best JPEG that does."""
    image = np.asarray(image, np.float32) * scale
    if not np.isfinite(image).all():
        raise InputError("a picture holds NaN or infinity, which cannot be drawn")
    pixels = image.clip(0, 255).round().astype(np.uint8)
    picture = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels)
    picture = picture.convert("RGB") if picture.mode == "RGBA" else picture
    picture.thumbnail((side, side))
    if len(data := _encoded(picture, "PNG", optimize=True)) <= budget:
        return _address("png", data)
    for quality in QUALITIES:
        if len(data := _encoded(picture, "JPEG", quality=quality, optimize=True)) <= budget:
            break
    return _address("jpeg", data)


def reduced(heatmap: Any) -> np.ndarray:
    """A heat map or mask ``(H, W)`` at the size that a page draws it, float32: the page of it is the same.

    Whoever has many large ones need not keep them. What is below zero lowers the score and is drawn as zero.
    """
    picture = Image.fromarray(np.asarray(heatmap, np.float32).clip(0))
    picture.thumbnail((HEAT_SIDE, HEAT_SIDE), Image.Resampling.BOX)
    return np.asarray(picture)


def heat(heatmap: Any, full: float | None = None) -> str:
    """A heat map ``(H, W)`` from black over red and yellow to white; white pixels raise the score most.

    full: what is white; None: the map's own maximum.
    """
    heatmap = np.asarray(heatmap, np.float32)
    if heatmap.ndim != 2 or not np.isfinite(heatmap).all():
        raise InputError(f"a heat map must be an (H, W) array of finite numbers; one has shape {heatmap.shape}")
    level = reduced(heatmap)
    level = (level / (full or level.max() or 1)).clip(0, 1)
    picture = Image.fromarray(np.rint((HEAT_LEVELS - 1) * level).astype(np.uint8)).convert("P")
    steps = 3 * np.linspace(0, 1, HEAT_LEVELS)[:, None] - [0, 1, 2]
    picture.putpalette((255 * steps.clip(0, 1)).astype(np.uint8).tobytes())
    return _address("png", _encoded(picture, "PNG", bits=4, optimize=False))


def mask(where: Any) -> str:
    """A mask ``(H, W)`` in black and white; what a pixel of the small picture holds of the defect makes it white."""
    where = np.asarray(where, bool)
    if where.ndim != 2:
        raise InputError(f"a mask must be an (H, W) array; one has shape {where.shape}")
    return _address("png", _encoded(Image.fromarray(reduced(where) > 0), "PNG", optimize=True))


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
