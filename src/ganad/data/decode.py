"""Opening a picture safely, decoding it, and converting it to a model's size and colour."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ..errors import InputError

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
#: Other image formats, which are listed as unreadable instead of being ignored.
UNSUPPORTED = {".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".tga", ".psd", ".exr", ".dcm", ".pgm", ".ppm"}
LEAST_SIDE = 8  #: of a photo that keeps its size
MAX_PIXELS = 64 * 10**6  #: larger images are refused before they are decoded


def decode_one(
    content: bytes, size: tuple[int, int] | None, mode: str, most: int = MAX_PIXELS, depth: int | None = None
) -> np.ndarray:
    """``decode`` of a file's content with at most ``most`` pixels. Raises InputError with the reason if it fails."""
    file = io.BytesIO(content)
    try:
        image = Image.open(file, formats=FORMATS)
        if image.width * image.height > most:
            raise _Refused(f"{image.width * image.height:,} pixels, more than the {most:,} allowed")
        return _pixels(image, size, mode, depth)
    except Exception as error:
        raise InputError(f"the image cannot be read: {reason(error, Path('image'))}") from error


def decode(
    file: Path, size: tuple[int, int] | None, mode: str, depth: int | None = None, ground: int = 255
) -> np.ndarray:
    """One image as uint8 ``(H, W)`` or ``(H, W, 3)``, at its own size if ``size`` is None.

    It takes the first frame, turns it by its EXIF orientation, keeps the upper eight bits of 16-bit grey and puts
    transparency on ``ground``, which is white. depth: bits that 16-bit grey uses, of which the upper eight are kept;
    None: all. For a damaged file, or damaged EXIF data, it raises what Pillow raises.
    """
    with open_image(file) as image:
        return _pixels(image, size, mode, depth, ground)


def decode_mask(file: Path) -> np.ndarray:
    """What a person drew, as grey values ``(H, W)``: white is meant, and black or transparent is not."""
    return decode(file, None, "L", ground=0)


def refuse_small(photo: np.ndarray, least: Sequence[int] | None = None) -> None:
    """Raise, with what ``reason`` gives, for a photo that is smaller than what is looked at.

    least: height and width of that, where a model says it.
    """
    (height, width), (least_height, least_width) = photo.shape[:2], least or (LEAST_SIDE, LEAST_SIDE)
    if height < least_height or width < least_width:
        raise _Refused(f"{width} x {height} pixels, too few: at least {least_width} x {least_height} are needed")


def check_depth(depth: int | None) -> None:
    """Raise InputError for a number of bits that images cannot have."""
    if depth is not None and not 8 <= depth <= 16:
        raise InputError(f"--depth {depth}: images of 16 bits use 8 to 16 of them")


def open_image(file: Path) -> Image.Image:
    """Open an image of the allowed formats. It refuses folders, empty files and decompression bombs before decoding."""
    if file.is_dir():
        raise _Refused("a folder, not an image")
    if file.is_symlink() and not file.exists():
        raise _Refused("a broken link")
    if not file.is_file():
        raise _Refused("not a regular file")
    if file.stat().st_size == 0:
        raise _Refused("empty file")
    if file.suffix.lower() in UNSUPPORTED:
        raise _Refused(f"{file.suffix[1:].upper()} images are not read; convert it to PNG")
    image = Image.open(file, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        pixels = image.width * image.height
        image.close()
        raise _Refused(f"{pixels:,} pixels, more than the {MAX_PIXELS:,} allowed")
    return image


@contextmanager
def strict() -> Iterator[None]:
    """A context in which truncated files are errors, whatever the program set in Pillow, and Pillow does not warn.

    Both are settings of the process. Only the calling thread may enter, because catch_warnings in several threads would
    change the program's own filters permanently.
    """
    lenient = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def reason(error: Exception, file: Path) -> str:
    """The reason why an image could not be read, in words."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image in one of the formats " + ", ".join(FORMATS)
    if isinstance(error, Image.DecompressionBombError):
        return f"more than the {MAX_PIXELS:,} pixels allowed"
    text = (str(error).replace(str(file), "").strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, OSError | SyntaxError | ValueError | MemoryError):
        return text
    return f"damaged ({type(error).__name__}: {text})"  # "required argument is not an integer" alone says nothing


def is_turned(image: Image.Image) -> bool:
    """Whether the EXIF orientation swaps width and height."""
    return image.getexif().get(0x0112, 1) in (5, 6, 7, 8)


def shape_of(image: Image.Image) -> tuple[int, int]:
    """Height and width of an image once it is turned by its EXIF orientation, by its head alone."""
    return image.size if is_turned(image) else (image.height, image.width)


class _Refused(ValueError):
    """A readable image that cannot be converted to pixels from 0 to 255."""


def _pixels(
    image: Image.Image, size: tuple[int, int] | None, mode: str, depth: int | None, ground: int = 255
) -> np.ndarray:
    with image:
        if size is not None and image.format == "JPEG":
            height, width = size
            target = (height, width) if is_turned(image) else (width, height)
            image.draft(mode if image.mode in ("L", "RGB", "YCbCr") else None, target)
        image.load()
        pixels = ImageOps.exif_transpose(_eight_bit(image, depth or 16, ground)).convert(mode)
    if size is not None and pixels.size != (size[1], size[0]):
        pixels = pixels.resize((size[1], size[0]), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(pixels, np.uint8)


def _eight_bit(image: Image.Image, depth: int, ground: int) -> Image.Image:
    """The picture in a mode that ``convert`` handles well; it saturates 16-bit grey and truncates floats."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise _Refused("integer pixels outside 0 to 65,535")
        if values.max() >= 2**depth:
            raise _Refused(f"pixels up to {values.max():,}, and {depth} bits (--depth) end at {2**depth - 1:,}")
        return _grey(values >> (depth - 8), image)  # by type, never by content, which would turn dark pictures bright
    if image.mode == "F":
        floats = np.asarray(image)
        if not np.isfinite(floats).all() or floats.min() < 0 or floats.max() > 1:
            raise _Refused("floating-point pixels outside 0 to 1")
        return _grey(np.rint(floats * 255), image)
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        colour = image.convert("RGBA")
        plain = Image.new("RGBA", colour.size, (ground, ground, ground, 255))
        flat = Image.alpha_composite(plain, colour).convert("RGB")
        flat.info["exif"] = image.info.get("exif", b"")
        return flat
    return image


def _grey(values: np.ndarray, image: Image.Image) -> Image.Image:
    grey = Image.fromarray(values.astype(np.uint8))
    grey.info["exif"] = image.info.get("exif", b"")
    return grey
