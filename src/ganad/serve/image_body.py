"""A body that is a picture, read as the training pictures were."""

from __future__ import annotations

import io

from PIL import Image

from ..data import Samples
from ..data.decode import decode_one
from ..detector import Detector
from ..errors import InputError
from .limits import Limits

_LIGHT = 2**14  # bytes, and pixels


def is_light(body: bytes) -> bool:
    """Whether reading it costs less than handing it to a thread: a picture of few bytes and few pixels."""
    if len(body) > _LIGHT:
        return False
    try:
        with Image.open(io.BytesIO(body), formats=("PNG", "JPEG")) as image:
            return image.width * image.height <= _LIGHT
    except Exception:
        return False  # then the thread may find out what it is


def depth_of(detector: Detector) -> int | None:
    """Bits that images of 16 bits use, as it was said in training."""
    depth: int | None = (getattr(detector, "source_", None) or {}).get("depth")
    return depth


def image(body: bytes, detector: Detector, limits: Limits) -> Samples:
    """One image as the model's training images were read."""
    scaling = detector.input_.scaling
    if (
        getattr(detector, "source_", None) is None
        and scaling.contrast is None
        and 0 < scaling.shift + scaling.scale <= 1
    ):
        raise InputError(
            "this model learnt an array of pixels up to 1 and does not know how pictures become such pixels; fit it on "
            "a folder of pictures, or on pixels from 0 to 255"
        )
    height, width = detector.input_.sample_shape[:2]
    mode = "RGB" if len(detector.input_.sample_shape) == 3 and detector.input_.sample_shape[2] == 3 else "L"
    pixels = decode_one(body, (height, width), mode, limits.pixels, depth_of(detector))
    return Samples(pixels.reshape(1, *detector.input_.sample_shape), names=["image"])
