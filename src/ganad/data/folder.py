"""A folder of images. Every file is decoded, or listed with the reason why not."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from ..errors import InputError
from .decode import MAX_PIXELS, SUFFIXES, UNSUPPORTED, check_depth, open_image, shape_of, strict
from .fetch import cache_dir
from .pixel_cache import PixelCache
from .samples import Progress, Samples, Unreadable, image_source

MAX_SIDE = 128  #: largest default size
_LEADS_OUT = "a link that leads out of the folder; --follow-links reads it"
_LOOKED_AT = 50  # images read to find the default size and colour


def load_folder(
    root: str | Path,
    *,
    size: int | list[int] | None = None,
    mode: str | None = None,
    depth: int | None = None,
    follow_links: bool = False,
    cache: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Samples:
    """All images below the folder ``root``, or the one image ``root``, as uint8, resized to one size.

    size: a side in pixels or [height, width]; None takes the most common size, at most 128. mode: "L" or "RGB"; None
    takes grey if the first images are all grey. depth: bits that images of 16 bits use, 8 to 16; None: all. Images in
    subfolders have the subfolder's name as class. A link that leads out of ``root`` is listed in ``unreadable`` unless
    ``follow_links``. A file with an image's ending, or without an ending, counts as an image and is listed in
    ``unreadable`` if it cannot be decoded. The pixels are a memmap in the cache. A second call decodes only what has
    changed.

    Raises InputError if there is no image or none can be read.
    """
    check_depth(depth)
    root = Path(root)
    files, outside = images_in(root, follow_links)
    names = [f.name if f == root else f.relative_to(root).as_posix() for f in files]
    (height, width), mode = _size_and_mode(files, size, mode)
    pictures = PixelCache(Path(cache) if cache else cache_dir() / "images", root, (height, width), mode, depth)
    bad = pictures.update(names, files, workers, progress)
    good = [n for n in names if n not in bad]
    unreadable = [Unreadable(n, r) for n, r in bad.items()]
    unreadable += outside
    if not good and files == [root]:
        raise InputError(f"{root}: no image ({unreadable[0].reason}), nor a table, such as .csv, .parquet or .xlsx")
    if not good:
        raise InputError(f"{root}: none of the {len(files)} images can be read; the first: {unreadable[0].reason}")
    source = image_source(height, width, mode, depth)
    return Samples(pictures.pixels(), classes_of(good), good, unreadable=unreadable, source=source)


def _size_and_mode(files: list[Path], size: int | list[int] | None, mode: str | None) -> tuple[tuple[int, int], str]:
    """Height, width and colour mode: the given ones, or those of the images."""
    if size is None or mode is None:
        with strict():
            found_size, found_mode = look(files)
        size, mode = size or found_size, mode or found_mode
    if mode not in ("L", "RGB"):
        raise InputError(f"mode {mode!r} is not one of L, RGB")
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 8:
        raise InputError(f"images of {width} x {height} pixels are too small; give --size 8 or more")
    if height * width > MAX_PIXELS:
        raise InputError(f"images of {width} x {height} pixels are too large; give a smaller --size")
    return (height, width), mode


def classes_of(names: list[str]) -> np.ndarray | None:
    """The subfolder of each image, "" for images outside of subfolders; None if there are no subfolders."""
    parents = [name.rpartition("/")[0] for name in names]
    return np.array([parent.rpartition("/")[2] for parent in parents]) if any(parents) else None


def images_in(root: Path, follow_links: bool) -> tuple[list[Path], list[Unreadable]]:
    """The images to read in the folder ``root``, or the image ``root``, and the links out of it that are not followed.

    Raises InputError if there is none.
    """
    if root.is_file():
        return [root], []
    files, outside = _candidates(root, follow_links)
    if not files and outside:
        raise InputError(f"{root}: the folder has only links that lead out of it; --follow-links reads them")
    if not files:
        raise InputError(f"{root}: no images in this folder; ganad reads {', '.join(sorted(SUFFIXES))}")
    return files, [Unreadable(f.relative_to(root).as_posix(), _LEADS_OUT) for f in outside]


def _candidates(root: Path, follow_links: bool) -> tuple[list[Path], list[Path]]:
    """All files below ``root`` that seem to be images, in a stable order, and the links that lead out of it.

    Hidden files are ignored.
    """
    found: list[Path] = []
    outside: list[Path] = []
    top = os.path.realpath(root)
    real: dict[str, tuple[str, ...]] = {str(root): (os.path.realpath(root),)}  # each folder with those above it

    def refused(error: OSError) -> None:
        found.append(Path(error.filename))

    for folder, subfolders, files in os.walk(root, onerror=refused, followlinks=True):
        above = real.pop(folder)
        subfolders[:] = sorted(d for d in subfolders if not d.startswith("."))
        targets = {d: os.path.realpath(os.path.join(folder, d)) for d in subfolders}
        if not follow_links:
            outside += [Path(folder, d) for d in subfolders if not _is_below(targets[d], top)]
            subfolders[:] = [d for d in subfolders if _is_below(targets[d], top)]
        subfolders[:] = [d for d in subfolders if targets[d] not in above]  # a link to a parent would never end
        real |= {os.path.join(folder, d): (*above, targets[d]) for d in subfolders}
        # a folder called x.png counts as an unreadable input and is not searched
        found += [Path(folder, d) for d in subfolders if Path(d).suffix.lower() in SUFFIXES]
        subfolders[:] = [d for d in subfolders if Path(d).suffix.lower() not in SUFFIXES]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES | UNSUPPORTED | {""}:
                place = Path(folder, name)
                leads_out = place.is_symlink() and not _is_below(os.path.realpath(place), top)
                (outside if leads_out and not follow_links else found).append(place)
    found, outside = (sorted(paths, key=lambda p: p.relative_to(root).as_posix()) for paths in (found, outside))
    return found, outside


def _is_below(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip(os.sep) + os.sep)


def look(files: list[Path]) -> tuple[list[int], str]:
    """The most common size, at most 128 pixels a side, and the colour mode of some readable images."""
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    # spread over all images, because the first ones may be one class with another size or colour
    spread = files[:: max(1, -(-len(files) // _LOOKED_AT))]
    for file in [*spread, *files]:
        if sum(sizes.values()) >= len(spread):
            break
        try:
            with open_image(file) as image:
                sizes[shape_of(image)] += 1
                grey &= image.mode in ("1", "L", "LA", "F") or image.mode.startswith("I")
        except Exception:
            continue
    if not sizes:
        return [MAX_SIDE, MAX_SIDE], "RGB"
    height, width = sizes.most_common(1)[0][0]
    shrink = min(1.0, MAX_SIDE / max(height, width))
    return [max(8, round(height * shrink)), max(8, round(width * shrink))], "L" if grey else "RGB"
