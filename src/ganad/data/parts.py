"""Data as parts that can be read each by itself: row groups of Parquet files, CSV files, some images of a folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
import pyarrow
import pyarrow.parquet

from ..atomic import scratch
from ..errors import InputError
from .decode import SUFFIXES, UNSUPPORTED, decode, decode_one, reason, strict
from .folder import images_in
from .places import Place, is_address, listed
from .row_groups import row_batches
from .samples import Samples, Unreadable
from .table import encode, iter_table
from .table_file import first_line
from .table_options import Place as Written

ROWS = 500_000  #: of a part, about
IMAGES = 4096  #: of a part
_BATCH = 65_536  # rows in memory at a time
_WINDOW = 256  # images in memory at a time
_TABLES = (".csv", ".parquet")


class Part(Protocol):
    """Samples that are read together, by one worker."""

    @property
    def key(self) -> list[str]:
        """What tells this part from others, and from itself once its source has changed; the source comes first."""
        ...

    def read(self, recipe: dict[str, Any], label: str | None) -> Iterator[Samples]:
        """The samples in the size and form of a training recipe, some at a time.

        Raises InputError or OSError for what cannot be read as a whole; single images that cannot are listed.
        """
        ...


def plan(
    data: str, recipe: dict[str, Any], *, rows: int = ROWS, images: int = IMAGES, follow_links: bool = False
) -> tuple[list[Part], list[Unreadable]]:
    """The parts of a file, a folder or an address, in a stable order, and what will not be read.

    recipe: of the samples that the model was trained on, which says what is looked for. rows, images: of a part, about.
    A CSV file is one part, because a line break may stand inside a cell. Raises InputError where there is nothing of
    the kind that the model was trained on.
    """
    data = data if is_address(data) else os.path.abspath(data)
    if recipe.get("kind") == "images":
        return _image_parts(data, images, follow_links)
    if recipe.get("kind") != "table":
        raise InputError(
            f"{data}: this model scores neither tables nor images of one size in parts; give -o scores.csv"
        )
    found = [place for place in listed(data) if place.suffix in _TABLES]
    if not found:
        raise InputError(f"{data}: no CSV or Parquet file, and the model was trained on a table")
    return [part for place in found for part in _table_parts(place, rows)], []


@dataclass(frozen=True)
class TablePart:
    """A table's file, or some row groups of a Parquet file."""

    place: Place
    groups: tuple[int, ...] = ()  #: empty means all there is
    first_row: int = 0

    @property
    def key(self) -> list[str]:
        span = f"{self.groups[0]}-{self.groups[-1]}" if self.groups else ""
        return [self.place.address, span, self.place.mark]

    def read(self, recipe: dict[str, Any], label: str | None) -> Iterator[Samples]:
        for samples in self._of_csv(recipe, label) if self.place.suffix == ".csv" else self._of_parquet(recipe, label):
            yield samples if not self.place.name else replace(samples, names=self._named(samples.names or []))

    def _named(self, rows: Sequence[str]) -> list[str]:
        return [f"{self.place.name}:{row}" for row in rows]

    def _of_parquet(self, recipe: dict[str, Any], label: str | None) -> Iterator[Samples]:
        first, path = self.first_row, Path(self.place.address)
        known = {label or recipe.get("label"), *(column["name"] for column in recipe["columns"])}
        try:
            with self.place.open() as opened, pyarrow.parquet.ParquetFile(opened) as file:
                columns = [name for name in file.schema_arrow.names if name in known]
                for batch in row_batches(file, _BATCH, self.groups, columns):
                    part = pyarrow.Table.from_batches([batch])
                    if part.num_rows:
                        yield encode(part, Written(path, None, first), source=recipe, label=label)
                        first += part.num_rows
        except pyarrow.ArrowException as error:
            raise InputError(f"{self.place.address}: cannot be read as a table ({first_line(error)})") from error

    def _of_csv(self, recipe: dict[str, Any], label: str | None) -> Iterator[Samples]:
        if not is_address(self.place.address):
            yield from iter_table(Path(self.place.address), recipe, rows=_BATCH, label=label)
            return
        with scratch() as folder:  # the reader looks at the first lines twice
            path = folder / "table.csv"
            path.write_bytes(self.place.read())
            yield from iter_table(path, recipe, rows=_BATCH, label=label)


def _table_parts(place: Place, rows: int) -> Iterator[Part]:
    if place.suffix == ".csv":
        yield TablePart(place)
        return
    try:
        with place.open() as opened, pyarrow.parquet.ParquetFile(opened) as file:
            counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    except (OSError, pyarrow.ArrowException):
        yield TablePart(place)  # whoever reads it says what is wrong
        return
    groups: list[int] = []
    first = start = 0
    for number, count in enumerate(counts):
        groups.append(number)
        start += count
        if start - first >= rows or number == len(counts) - 1:
            yield TablePart(place, tuple(groups), first)
            groups, first = [], start


@dataclass(frozen=True)
class ImagesPart:
    """Some images of a folder."""

    root: str
    places: tuple[Place, ...]

    @property
    def key(self) -> list[str]:
        marks = hashlib.sha256("\n".join(f"{p.name} {p.mark}" for p in self.places).encode(errors="replace"))
        return [
            self.root,
            f"{self.places[0].name or self.root} and {len(self.places) - 1} more",
            marks.hexdigest()[:16],
        ]

    def read(self, recipe: dict[str, Any], label: str | None) -> Iterator[Samples]:
        height, width = recipe["size"]
        with strict(), ThreadPoolExecutor(2) as pool:
            for start in range(0, len(self.places), _WINDOW):
                window = self.places[start : start + _WINDOW]
                found = list(pool.map(lambda place: _pixels(place, (height, width), recipe), window))
                yield _as_samples(window, found, (height, width), recipe)


def _as_samples(
    places: Sequence[Place], found: Sequence[np.ndarray | str], size: tuple[int, int], recipe: dict[str, Any]
) -> Samples:
    """What could be decoded, and the reasons of what could not."""
    names = [place.name or PurePosixPath(place.address).name for place in places]
    good = [(name, pixels) for name, pixels in zip(names, found) if not isinstance(pixels, str)]
    bad = [Unreadable(name, why) for name, why in zip(names, found) if isinstance(why, str)]
    shape = (*size, 3) if recipe["mode"] == "RGB" else size
    x = np.stack([pixels for _, pixels in good]) if good else np.empty((0, *shape), np.uint8)
    kept = [name for name, _ in good]
    classes = np.array([name.rpartition("/")[0].rpartition("/")[2] for name in kept], str)
    return Samples(x, classes, kept, unreadable=bad, source=recipe)


def _pixels(place: Place, size: tuple[int, int], recipe: dict[str, Any]) -> np.ndarray | str:
    """A picture, or the reason why there is none."""
    mode, depth = recipe["mode"], recipe.get("depth")
    try:
        if is_address(place.address):
            return decode_one(place.read(), size, mode, depth=depth)
        return decode(Path(place.address), size, mode, depth)
    except Exception as error:
        return reason(error, Path(place.address))


def _image_parts(data: str, images: int, follow_links: bool) -> tuple[list[Part], list[Unreadable]]:
    outside: list[Unreadable] = []
    if is_address(data):
        places = [place for place in listed(data) if place.suffix in SUFFIXES | UNSUPPORTED | {""}]
    else:
        places, outside = _local_images(Path(data), follow_links)
    if not places:
        raise InputError(f"{data}: no images, and the model was trained on images")
    return [ImagesPart(data, tuple(places[i : i + images])) for i in range(0, len(places), images)], outside


def _local_images(root: Path, follow_links: bool) -> tuple[list[Place], list[Unreadable]]:
    if not root.exists():
        raise InputError(f"{root}: no such file or folder")
    files, outside = images_in(root, follow_links)
    return [Place(str(f), "" if f == root else f.relative_to(root).as_posix(), _mark(f)) for f in files], outside


def _mark(file: Path) -> str:
    try:
        status = file.stat()
    except OSError:
        return "gone"
    return f"{status.st_size}-{status.st_mtime_ns}"
