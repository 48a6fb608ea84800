"""A cache on disk for the pixels of a folder. Only new and changed files are decoded again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL

from ..atomic import replacing
from ..errors import InputError
from ..memory import in_words
from .decode import decode, reason, strict
from .samples import Progress

_RECIPE = 2  # raise it when decoding changes, so that older caches are not used
_WINDOW = 256  # files decoded ahead, so that decoded images do not pile up

Entry = list[Any]  # name, size and time of change, which tell whether a file has changed
Manifest = dict[str, Any]  # entries, unreadable: [name, reason], bytes of the complete pixel file


class PixelCache:
    """The pixels of the files below ``root`` in one size (height, width) and mode, as one .npy file and a manifest."""

    def __init__(self, store: Path, root: Path, size: tuple[int, int], mode: str, depth: int | None = None):
        recipe: dict[str, Any] = {"recipe": _RECIPE, "pillow": PIL.__version__}
        recipe |= {"root": str(root.resolve()), "size": list(size), "mode": mode}
        recipe |= {} if depth is None else {"depth": depth}
        key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
        self.store, self.size, self.mode, self.depth = store, size, mode, depth
        self.shape = (*size, 3) if mode == "RGB" else size
        self.pixels_file, self.manifest_file = store / f"{key}.npy", store / f"{key}.json"

    def update(
        self, names: list[str], files: list[Path], workers: int | None = None, progress: Progress | None = None
    ) -> dict[str, str]:
        """Decode new and changed files; returns the names of unreadable files with the reasons.

        Raises InputError if the cache cannot be written.
        """
        entries = [_entry(name, file) for name, file in zip(names, files)]
        manifest = self._manifest()
        if manifest is None or manifest["entries"] != entries:
            try:
                manifest = self._decode_all(files, entries, manifest, workers, progress)
            except OSError as error:
                why = error.strerror or error
                raise InputError(f"{self.store}: the image cache cannot be written ({why}); make room there") from error
        return dict(manifest["unreadable"])

    def pixels(self) -> np.ndarray:
        """The readable images in their order, uint8 ``(n, H, W)`` or ``(n, H, W, 3)``, as a memmap."""
        pixels: np.ndarray = np.load(self.pixels_file, mmap_mode="r")
        return pixels

    def _manifest(self) -> Manifest | None:
        """What the cache holds, or None if it is not complete."""
        try:
            manifest: Manifest = json.loads(self.manifest_file.read_text())
            complete = self.pixels_file.stat().st_size == manifest["bytes"]
        except (OSError, ValueError, KeyError):
            return None
        return manifest if complete else None

    def _decode_all(
        self,
        files: list[Path],
        entries: list[Entry],
        former: Manifest | None,
        workers: int | None,
        progress: Progress | None,
    ) -> Manifest:
        """Decode into the cache; the manifest, which says that it is complete, is written last."""
        self.store.mkdir(parents=True, exist_ok=True)
        self._refuse_small_disk(len(files))
        decoder = _Decoder(self.size, self.mode, self.depth, *self._reusable(former))
        self.manifest_file.unlink(missing_ok=True)
        unreadable: list[list[str]] = []
        with (
            replacing(self.pixels_file, wait=True) as temporary,
            open(temporary, "wb") as out,
            strict(),
            ThreadPoolExecutor(workers or os.cpu_count()) as pool,
        ):
            start, count = _write_header(out, self.shape, len(files)), 0
            for name, result in decoder.results(pool, entries, files, progress):
                if isinstance(result, str):
                    unreadable.append([name, result])
                else:
                    out.write(result.tobytes())
                    count += 1
            out.seek(0)
            _write_header(out, self.shape, count)
        size = start + count * int(np.prod(self.shape))
        manifest = {"entries": decoder.lasting(entries), "unreadable": unreadable, "bytes": size}
        with replacing(self.manifest_file, wait=True) as temporary:
            temporary.write_text(json.dumps(manifest))
        return manifest

    def _refuse_small_disk(self, count: int) -> None:
        """Raise InputError where the pixels of so many images do not fit on the disk of the cache."""
        size, free = count * int(np.prod(self.shape)), shutil.disk_usage(self.store).free
        if size > free:
            raise InputError(
                f"{self.store}: {count:,} images of {self.size[1]} x {self.size[0]} pixels need {in_words(size)}, and "
                f"{in_words(free)} are free; give a smaller --size, or set XDG_CACHE_HOME to a larger disk"
            )

    def _reusable(self, former: Manifest | None) -> tuple[dict[tuple[Any, ...], int], np.ndarray]:
        """The places, by entry, of pictures that may be unchanged in the former cache, and its rows."""
        if former is None:
            return {}, np.empty(0)
        bad = {name for name, _ in former["unreadable"]}
        readable = [tuple(entry) for entry in former["entries"] if entry[0] not in bad]
        return {entry: row for row, entry in enumerate(readable)}, self.pixels()


class _Decoder:
    """Takes a picture from the former cache if it is unchanged, else decodes it."""

    def __init__(
        self,
        size: tuple[int, int],
        mode: str,
        depth: int | None,
        known: dict[tuple[Any, ...], int],
        rows: np.ndarray,
    ):
        self.size, self.mode, self.depth, self.known, self.rows = size, mode, depth, known, rows
        self.passing: set[str] = set()  # errors of the system, not of the file, which may be gone the next time

    def results(
        self, pool: ThreadPoolExecutor, entries: list[Entry], files: list[Path], progress: Progress | None
    ) -> Iterator[tuple[str, np.ndarray | str]]:
        """Each name in order, with its pixels or the reason why there are none."""
        for start in range(0, len(files), _WINDOW):
            window, some = files[start : start + _WINDOW], entries[start : start + _WINDOW]
            for (name, *_), result in zip(some, pool.map(self.attempt, some, window)):
                yield name, result
            if progress:
                progress(start + len(window), len(files))

    def attempt(self, entry: Entry, file: Path) -> np.ndarray | str:
        row = self.known.get(tuple(entry))
        if row is not None:
            unchanged: np.ndarray = self.rows[row]
            return unchanged
        try:
            return decode(file, self.size, self.mode, self.depth)
        except Exception as error:
            if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
                self.passing.add(entry[0])
            return reason(error, file)

    def lasting(self, entries: list[Entry]) -> list[Entry]:
        """The entries. Those of files to try again are changed so that they match no file."""
        return [[name, -1, None] if name in self.passing else [name, *rest] for name, *rest in entries]


def _entry(name: str, file: Path) -> Entry:
    try:
        status = file.stat()
    except OSError:
        return [name, None, None]
    return [name, status.st_size, status.st_mtime_ns] if stat.S_ISREG(status.st_mode) else [name, None, None]


def _write_header(out: BinaryIO, shape: tuple[int, ...], count: int) -> int:
    """A .npy header that keeps its length for any smaller count; returns the length."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(count, *shape)}, }}"
    return out.write(b"\x93NUMPY\x01\x00" + (246).to_bytes(2, "little") + text.ljust(245).encode() + b"\n")
