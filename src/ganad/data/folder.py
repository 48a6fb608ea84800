"""A folder of images: every file is either decoded or listed with the reason why not; decoded once, then cached."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ..errors import InputError
from .fetch import cache_dir
from .samples import Progress, Samples, Unreadable

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
#: Pictures too, which are listed as unreadable and not passed over in silence.
UNSUPPORTED = {".gif", ".heic", ".heif", ".avif", ".jp2", ".jxl", ".tga", ".psd", ".exr", ".dcm", ".pgm", ".ppm"}
MAX_PIXELS = 64 * 10**6  #: larger images are refused before they are decoded
MAX_SIDE = 128  #: default size when the images do not say one
_RECIPE = 2  # raise when decoding changes, so that caches made before are not used
_LOOKED_AT = 50  # images read to find out size and colour


def load_folder(
    root: str | Path,
    *,
    size: int | list[int] | None = None,
    mode: str | None = None,
    cache: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Samples:
    """All images below ``root`` (or the one image that it is) as uint8, resized to one size.

    size: a side in pixels or [height, width]; None takes the most common size, at most 128. mode: "L" or "RGB";
    None takes grey if the first images are all grey. Images in subfolders have the subfolder's name as class.
    Anything with an image's ending, or without an ending, counts as an image: what cannot be decoded is listed in
    ``unreadable``. The pixels land in a memmap in the cache; a second call decodes only if something changed.

    Raises InputError if there is no image or none can be read.
    """
    root = Path(root)
    files = [root] if root.is_file() else _candidates(root)
    if not files:
        raise InputError(f"{root}: no images in this folder; ganad reads {', '.join(sorted(SUFFIXES))}")
    names = [f.name if f == root else f.relative_to(root).as_posix() for f in files]
    if size is None or mode is None:
        with _strict():
            found_size, found_mode = _look(files)
        size, mode = size or found_size, mode or found_mode
    if mode not in ("L", "RGB"):
        raise InputError(f"mode {mode!r} is not one of L, RGB")
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 8:
        raise InputError(f"images of {width} x {height} pixels are too small; give --size 8 or more")
    if height * width > MAX_PIXELS:
        raise InputError(f"images of {width} x {height} pixels are too large; give a smaller --size")
    entries = [_entry(n, f) for n, f in zip(names, files)]
    versions = {"recipe": _RECIPE, "pillow": PIL.__version__}
    recipe = {**versions, "root": str(root.resolve()), "size": [height, width], "mode": mode}
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    store = Path(cache) if cache else cache_dir() / "images"
    pixels_file, manifest_file = store / f"{key}.npy", store / f"{key}.json"
    manifest = _read_manifest(manifest_file, pixels_file)
    if manifest is None or manifest["entries"] != entries:
        try:
            manifest = _decode_all(
                files, entries, (height, width), mode, pixels_file, manifest_file, manifest, workers, progress
            )
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{store}: the image cache cannot be written ({reason}); make room there") from error
    bad = dict(manifest["unreadable"])
    good = [n for n in names if n not in bad]
    unreadable = [Unreadable(n, r) for n, r in bad.items()]
    if not good and files == [root]:
        raise InputError(f"{root}: no image ({unreadable[0].reason}), nor a table, whose names end in .csv or .parquet")
    if not good:
        raise InputError(f"{root}: none of the {len(files)} images can be read; the first: {unreadable[0].reason}")
    x = np.load(pixels_file, mmap_mode="r")
    parents = [n.rpartition("/")[0] for n in good]
    y = np.array([p.rpartition("/")[2] for p in parents]) if any(parents) else None
    source = {"kind": "images", "size": [height, width], "mode": mode}
    return Samples(x, y, good, unreadable=unreadable, source=source)


def _candidates(root: Path) -> list[Path]:
    """Everything below ``root`` that claims to be an image, in a stable order; hidden files are left alone."""
    found: list[Path] = []
    real: dict[str, tuple[str, ...]] = {str(root): (os.path.realpath(root),)}  # each folder with those above it

    def refused(error: OSError) -> None:
        found.append(Path(error.filename))

    for folder, subfolders, files in os.walk(root, onerror=refused, followlinks=True):
        above = real.pop(folder)
        subfolders[:] = sorted(d for d in subfolders if not d.startswith("."))
        targets = {d: os.path.realpath(os.path.join(folder, d)) for d in subfolders}
        subfolders[:] = [d for d in subfolders if targets[d] not in above]  # a link back up would never end
        real |= {os.path.join(folder, d): (*above, targets[d]) for d in subfolders}
        # a folder called x.png is not walked into: it is an input that cannot be read
        found += [Path(folder, d) for d in subfolders if Path(d).suffix.lower() in SUFFIXES]
        subfolders[:] = [d for d in subfolders if Path(d).suffix.lower() not in SUFFIXES]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES | UNSUPPORTED | {""}:
                found.append(Path(folder, name))
    return sorted(found, key=lambda p: p.relative_to(root).as_posix())


def _look(files: list[Path]) -> tuple[list[int], str]:
    """The most common size of the first readable images, no side above 128, and their colour mode."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    # spread over all: the first ones may be one class, of another size or colour than the rest
    spread = files[:: max(1, -(-len(files) // _LOOKED_AT))]
    for file in [*spread, *files]:
        if sum(sizes.values()) >= len(spread):
            break
        try:
            with _open(file) as image:
                turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
                sizes[image.size if turned else image.size[::-1]] += 1
                grey &= image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")
        except Exception:
            continue
    if not sizes:
        return [MAX_SIDE, MAX_SIDE], "RGB"
    height, width = sizes.most_common(1)[0][0]
    shrink = min(1.0, MAX_SIDE / max(height, width))
    return [max(8, round(height * shrink)), max(8, round(width * shrink))], "L" if grey else "RGB"


class _Refused(ValueError):
    """An image that is readable as a file but has no meaning as pixels from 0 to 255."""


def _open(file: Path) -> Image.Image:
    """Open an image of the allowed formats, refusing folders, empty files and bombs before anything is decoded."""
    if file.is_dir():
        raise _Refused("a folder, not an image")
    if file.is_symlink() and not file.exists():
        raise _Refused("a link to nothing")
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


def decode_one(content: bytes, size: tuple[int, int], mode: str, most: int = MAX_PIXELS) -> np.ndarray:
    """``decode`` of a file's content of at most so many pixels; InputError, in words, if that is not possible."""
    file = io.BytesIO(content)
    try:
        image = Image.open(file, formats=FORMATS)
        if image.width * image.height > most:
            raise _Refused(f"{image.width * image.height:,} pixels, more than the {most:,} allowed")
        return _pixels(image, size, mode)
    except Exception as error:
        raise InputError(f"the image cannot be read: {_reason(error, Path('image'))}") from error


def decode(file: Path, size: tuple[int, int], mode: str) -> np.ndarray:
    """One image as uint8 ``(H, W)`` or ``(H, W, 3)``.

    The first frame is taken, turned by its EXIF orientation, 16-bit grey scaled by 256, transparency laid on white.
    Raises whatever Pillow does for a damaged file, EXIF data included, if that is not possible.
    """
    with _open(file) as image:
        return _pixels(image, size, mode)


def _pixels(image: Image.Image, size: tuple[int, int], mode: str) -> np.ndarray:
    height, width = size
    with image:
        if image.format == "JPEG":
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            target = (height, width) if turned else (width, height)
            image.draft(mode if image.mode in ("L", "RGB", "YCbCr") else None, target)
        image.load()
        pixels = ImageOps.exif_transpose(_eight_bit(image)).convert(mode)
    if pixels.size != (width, height):
        pixels = pixels.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(pixels, np.uint8)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The same picture in a mode that ``convert`` treats rightly: it saturates 16-bit grey and truncates floats."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise _Refused("integer pixels outside 0 to 65,535")
        return _grey(values >> 8, image)  # by the type, never by the content, or a dark picture would turn bright
    if image.mode == "F":
        floats = np.asarray(image)
        if not np.isfinite(floats).all() or floats.min() < 0 or floats.max() > 1:
            raise _Refused("floating-point pixels outside 0 to 1")
        return _grey(np.rint(floats * 255), image)
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        colour = image.convert("RGBA")
        white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
        flat = Image.alpha_composite(white, colour).convert("RGB")
        flat.info["exif"] = image.info.get("exif", b"")
        return flat
    return image


@contextmanager
def _strict() -> Iterator[None]:
    """Within: cut-off files are errors whatever the program asked of Pillow, and Pillow's warnings are silent.

    Both are settings of the process: entered by the calling thread alone, for catch_warnings in several threads at
    once leaves the program's own filters changed for ever.
    """
    lenient = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def _grey(values: np.ndarray, image: Image.Image) -> Image.Image:
    grey = Image.fromarray(values.astype(np.uint8))
    grey.info["exif"] = image.info.get("exif", b"")
    return grey


def _reason(error: Exception, file: Path) -> str:
    """Why an image could not be read, in words."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image in one of the formats " + ", ".join(FORMATS)
    if isinstance(error, Image.DecompressionBombError):
        return f"more than the {MAX_PIXELS:,} pixels allowed"
    text = (str(error).replace(str(file), "").strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, OSError | SyntaxError | ValueError | MemoryError):
        return text
    return f"damaged ({type(error).__name__}: {text})"  # "required argument is not an integer" alone says nothing


def _entry(name: str, file: Path) -> list[Any]:
    """What tells whether a file has changed."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            return [name, None, None]
        return [name, status.st_size, status.st_mtime_ns]
    except OSError:
        return [name, None, None]


def _read_manifest(manifest_file: Path, pixels_file: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads(manifest_file.read_text())
        complete = pixels_file.stat().st_size == manifest["bytes"]
    except (OSError, ValueError, KeyError):
        return None
    return manifest if complete else None


def _decode_all(
    files: list[Path],
    entries: list[list[Any]],
    size: tuple[int, int],
    mode: str,
    pixels_file: Path,
    manifest_file: Path,
    former: dict[str, Any] | None,
    workers: int | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Decode into the cache; the manifest, which says that it is complete, is written last."""
    manifest_file.parent.mkdir(parents=True, exist_ok=True)
    manifest_file.unlink(missing_ok=True)
    temporary = pixels_file.with_name(f".{pixels_file.name}.{os.getpid()}.tmp")
    shape = (*size, 3) if mode == "RGB" else size
    unreadable: list[list[str]] = []
    row_bytes = int(np.prod(shape))
    known, rows = _reusable(former, pixels_file)
    passing: list[str] = []

    def attempt(job: tuple[list[Any], Path]) -> np.ndarray | str:
        entry, file = job
        row = known.get(tuple(entry))
        if row is not None:
            return rows[row]
        try:
            return decode(file, size, mode)
        except Exception as error:
            if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
                passing.append(entry[0])  # the system's refusal and not the file's: it may be gone the next time
            return _reason(error, file)

    try:
        with open(temporary, "wb") as out, _strict(), ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            header_at, count = _write_header(out, shape, len(files)), 0
            for start in range(0, len(files), 256):  # a window, so that decoded images never pile up
                window = files[start : start + 256]
                for (name, *_), result in zip(entries[start:], pool.map(attempt, zip(entries[start:], window))):
                    if isinstance(result, str):
                        unreadable.append([name, result])
                    else:
                        out.write(result.tobytes())
                        count += 1
                if progress:
                    progress(start + len(window), len(files))
            out.seek(0)
            assert _write_header(out, shape, count) == header_at
        os.replace(temporary, pixels_file)
    finally:
        temporary.unlink(missing_ok=True)
    again = set(passing)
    entries = [[name, -1, None] if name in again else [name, *rest] for name, *rest in entries]
    manifest = {"entries": entries, "unreadable": unreadable, "bytes": header_at + count * row_bytes}
    temporary.write_text(json.dumps(manifest))
    os.replace(temporary, manifest_file)
    return manifest


def _reusable(former: dict[str, Any] | None, pixels_file: Path) -> tuple[dict[tuple[Any, ...], int], np.ndarray]:
    """Where the pictures that may be unchanged lie in the former cache, by their entries, and its rows."""
    if former is None:
        return {}, np.empty(0)
    bad = {name for name, _ in former["unreadable"]}
    readable = [tuple(entry) for entry in former["entries"] if entry[0] not in bad]
    return {entry: row for row, entry in enumerate(readable)}, np.load(pixels_file, mmap_mode="r")


def _write_header(out: Any, shape: tuple[int, ...], count: int) -> int:
    """A .npy header that keeps its length for any smaller count; returns the length."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(count, *shape)}, }}"
    out.write(b"\x93NUMPY\x01\x00" + (246).to_bytes(2, "little") + text.ljust(245).encode() + b"\n")
    return 256
