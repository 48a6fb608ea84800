"""Photos at their own size, each decoded when it is read, and masks of their defects."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..errors import InputError
from .decode import check_depth, decode, decode_mask, open_image, reason, refuse_small, shape_of, strict
from .folder import classes_of, images_in, look
from .samples import Progress, Samples, Unreadable

_MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".webp", ".jpg", ".jpeg")  # what keeps every pixel comes first
_MASK_ENDS = tuple(part + suffix for suffix in _MASK_SUFFIXES for part in ("", "_mask"))
_NAMED = 20  # masks that a message lists
_WINDOW = 64  # photos decoded at a time while a folder is looked through


class Photos(Sequence[np.ndarray]):
    """The photos of some files, uint8 ``(H, W)`` or ``(H, W, 3)``, each at its own size. None is kept in memory.

    A number selects a photo; a slice, a mask ``(n,)`` or row numbers select photos.
    """

    def __init__(self, files: Sequence[Path], names: Sequence[str], mode: str, depth: int | None = None):
        self.files, self.names, self.mode, self.depth = list(files), list(names), mode, depth

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> Photos: ...
    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray | Photos:
        if isinstance(index, int | np.integer):
            return self._decoded(self.files[index])
        rows = np.arange(len(self))[index]
        return Photos([self.files[i] for i in rows], [self.names[i] for i in rows], self.mode, self.depth)

    def shape(self, number: int) -> tuple[int, int]:
        """Height and width of a photo, by its head alone."""
        file = self.files[number]
        try:
            with strict(), open_image(file) as image:
                return shape_of(image)
        except Exception as error:
            raise self._gone(file, error) from error

    def _decoded(self, file: Path) -> np.ndarray:
        try:
            with strict():
                return decode(file, None, self.mode, self.depth)
        except Exception as error:
            raise self._gone(file, error) from error

    def _gone(self, file: Path, error: Exception) -> InputError:
        """What to say of a file that could be read when the folder was checked."""
        return InputError(f"{file}: no longer readable ({reason(error, file)}); read the folder again")


def load_photos(
    root: str | Path,
    *,
    mode: str | None = None,
    depth: int | None = None,
    least: Sequence[int] | None = None,
    follow_links: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Samples:
    """All photos below the folder ``root``, or the photo ``root``, at their own size; ``Samples.x`` is a ``Photos``.

    mode: "L" or "RGB"; None takes grey if the first photos are all grey. depth: bits that photos of 16 bits use, 8 to
    16; None: all. least: height and width that a photo must have, 8 and 8 if None. Subfolders are classes. Every file
    is decoded once here to list in ``unreadable`` what is smaller or cannot be read. The pixels are not kept.

    Raises InputError if there is no photo or none can be read.
    """
    root = Path(root)
    files, outside = images_in(root, follow_links)
    if mode not in (None, "L", "RGB"):
        raise InputError(f"mode {mode!r} is not one of L, RGB")
    check_depth(depth)
    names = [f.name if f == root else f.relative_to(root).as_posix() for f in files]
    with strict(), ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        chosen = mode or look(files)[1]
        reasons = list(_reasons(pool, files, chosen, depth, least, progress))
    unreadable = [Unreadable(name, why) for name, why in zip(names, reasons) if why]
    if len(unreadable) == len(files):
        raise InputError(f"{root}: none of the {len(files)} images can be read; the first: {unreadable[0].reason}")
    good = [(file, name) for file, name, why in zip(files, names, reasons) if not why]
    photos = Photos([file for file, _ in good], [name for _, name in good], chosen, depth)
    source: dict[str, Any] = {"kind": "photos", "mode": chosen} | ({} if depth is None else {"depth": depth})
    source |= {} if least is None else {"least": list(least)}
    return Samples(photos, classes_of(photos.names), photos.names, unreadable=[*unreadable, *outside], source=source)  # type: ignore[arg-type]


def _reasons(
    pool: ThreadPoolExecutor,
    files: list[Path],
    mode: str,
    depth: int | None,
    least: Sequence[int] | None,
    progress: Progress | None,
) -> Iterator[str]:
    """The reason why each file cannot be used; "" if it can."""

    def attempt(file: Path) -> str:
        try:
            refuse_small(decode(file, None, mode, depth), least)
        except Exception as error:
            return reason(error, file)
        return ""

    for start in range(0, len(files), _WINDOW):
        window = files[start : start + _WINDOW]
        yield from pool.map(attempt, window)
        if progress:
            progress(start + len(window), len(files))


def usual_side(root: str | Path, follow_links: bool = False) -> int:
    """The median of the longer sides of some images below ``root`` in pixels, by their heads alone; 0 without any."""
    try:
        files, _ = images_in(Path(root), follow_links)
    except InputError:  # which who reads the folder will say
        return 0
    sides = []
    with strict():
        for file in files[:: max(1, -(-len(files) // _WINDOW))]:
            with contextlib.suppress(Exception), open_image(file) as image:
                sides.append(max(image.size))
    return int(np.median(sides)) if sides else 0


def find_masks(root: str | Path, names: Sequence[str]) -> list[Path | None]:
    """The mask of each photo by its name ``KIND/NAME.jpg``; None if there is none, as for good photos.

    Looked for below ``root`` are ``KIND/NAME.png`` and MVTec's ``KIND/NAME_mask.png``, also with the other endings of
    images, in small letters or large, and without what stands before KIND in the photo's name. Raises InputError if
    there is no such folder, or no photo has a mask in it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder of masks; its files are called KIND/NAME.png or KIND/NAME_mask.png")

    @functools.cache
    def listed(folder: Path) -> dict[str, Path]:
        """The files of a folder by their names, with the ending in small letters."""
        return {f.stem + f.suffix.lower(): f for f in sorted(folder.iterdir())} if folder.is_dir() else {}

    found = [_mask_of(root, name, listed) for name in names]
    if not any(found):
        raise InputError(f"{root}: no mask for any of {len(names):,} photos, such as {_stem(names[0])}.png")
    return found


def without_mask(kinds: np.ndarray | None, masks: Sequence[Path | None], labels: np.ndarray | None) -> Iterator[str]:
    """A sentence for each kind of defect of which some photos have no mask, and so count as without a defect.

    kinds: of the photos, ``(n,)``; None: they are of one. labels: 1 for photos with a defect; None: a kind is one of
    defects where it has a mask.
    """
    kinds = np.full(len(masks), "") if kinds is None else kinds.astype(str)
    known = np.array([mask is not None for mask in masks])
    defects = known if labels is None else labels == 1
    for kind in np.unique(kinds[defects]):
        of_kind = known[kinds == kind]
        missing, of = int((~of_kind).sum()), f" of kind {kind}" if kind else ""
        if missing:
            verb = "has" if missing == 1 else "have"
            yield f"{missing:,} of {len(of_kind):,} photos{of} {verb} no mask; no pixel of them counts as a defect"


def check_masks(masks: Sequence[Path | None], photos: Photos | None) -> None:
    """Raise InputError, naming all of them, if ``read_mask`` refuses masks; no photo is decoded.

    photos: whose masks they are; None: photos that were resized, whose masks may have any size.
    """
    wrong: dict[Path, InputError] = {}
    for i, mask in enumerate(masks):
        if mask is not None:
            try:
                read_mask(mask, None if photos is None else photos.shape(i))
            except InputError as error:
                wrong[mask] = error
    if not wrong:
        return
    first = next(iter(wrong.values()))
    if len(wrong) == 1:
        raise first
    names = ", ".join(str(mask) for mask in [*wrong][:_NAMED]) + (", ..." if len(wrong) > _NAMED else "")
    raise InputError(f"{len(wrong):,} masks cannot be used: {names}; the first: {first}")


def read_mask(file: Path | None, shape: tuple[int, ...] | None) -> np.ndarray:
    """Where the defect is, bool ``(H, W)``: the bright half of the grey values; nowhere without a file.

    Transparent is black. shape: of the photo; None: it is as large as its mask. Raises InputError for a mask that
    cannot be read, has another size or is drawn in dark values alone, and where neither file nor shape is given.
    """
    if file is None:
        if shape is None:
            raise InputError("a mask without a file has the photo's shape; give it")
        return np.zeros(shape[:2], bool)
    try:
        with strict():
            values = decode_mask(file)
    except Exception as error:
        raise InputError(f"{file}: the mask cannot be read: {reason(error, file)}") from error
    if shape is not None and values.shape != shape[:2]:
        raise InputError(
            f"{file}: a mask of {values.shape[1]} x {values.shape[0]} pixels for a photo of "
            f"{shape[1]} x {shape[0]}; make it as large"
        )
    bright = values > 127
    if not bright.any():
        _refuse_dark(file, values)
    return bright


def _refuse_dark(file: Path, values: np.ndarray) -> None:
    """Raise InputError for a mask without a bright pixel unless it is black: one in 0 and 1, or in class numbers."""
    brightest, white = int(values.max(initial=0)), 255
    with open_image(file) as image:
        if image.mode.startswith("I"):  # of whose 16 bits the upper eight were read
            brightest, white = int(np.asarray(image).max()), 65535
    if brightest:
        raise InputError(f"{file}: its brightest value is {brightest}; white ({white}) is the defect, draw it so")


def _mask_of(root: Path, name: str, listed: Callable[[Path], dict[str, Path]]) -> Path | None:
    parts = _stem(name).split("/")
    least = min(2, len(parts))  # without its kind a name may be that of another kind's photo
    for first in range(len(parts) - least + 1):
        beside = listed(root.joinpath(*parts[first:-1]))
        for end in _MASK_ENDS:
            file = beside.get(parts[-1] + end)
            if file is not None and file.is_file():
                return file
    return None


def _stem(name: str) -> str:
    return Path(name).with_suffix("").as_posix()
