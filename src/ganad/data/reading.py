"""One function that reads them all: a data set's name, a folder of images, one image, or a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from ..errors import InputError
from .catalog import DATASETS
from .folder import load_folder
from .image_account import account_of_images
from .photos import load_photos
from .samples import Progress, Samples
from .table import load_table
from .table_file import is_table
from .table_options import TableOptions


def load(
    name: Any,
    *,
    data_dir: str | Path | None = None,
    split: str | None = None,
    size: int | None = None,
    mode: str | None = None,
    depth: int | None = None,
    own_size: bool = False,
    least: Sequence[int] | None = None,
    follow_links: bool = False,
    source: dict[str, Any] | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
    **table: Unpack[TableOptions],
) -> Samples:
    """Samples from a data set's name, a folder of images, one image, or a table: a file, a query or a frame.

    split: "train", "test" or "all", for the sets that have one. own_size: photos of a folder keep their size, and
    ``Samples.x`` is a ``Photos``; least: height and width that they must have. depth: bits that images of 16 bits use,
    such as 12 of many cameras. follow_links: read what links in a folder of images lead to outside of it. source: the
    recipe that a model was trained on; new data are then read in the same size and colour, or matched to the same
    columns. table: how a table is to be read, see ``TableOptions``.

    Raises InputError that says what, where and what to do.
    """
    images = dict(size=size, mode=mode, depth=depth)
    if is_table(name):
        if source and source.get("kind") != "table":
            raise InputError(f"{name} is a table, but the model was trained on images")
        refuse_for_tables(name, images)
        return load_table(name, source=source, **table)
    path = Path(name)
    if str(name) in DATASETS and not path.exists():
        _refuse({**table, **images}, f"{name}:", "for files and folders; a data set by name is read as it is")
        return _matched(_named(str(name), split, data_dir, progress), source, str(name))
    if not path.exists():
        raise InputError(f"{name}: no such file or folder, and no data set of that name; known: {', '.join(DATASETS)}")
    if own_size or (source or {}).get("kind") == "photos":
        _refuse({**table, "size": size}, f"{path}:", "not for photos that keep their size; leave it out")
        recipe = source or {}
        kept: dict[str, Any] = dict(mode=recipe.get("mode", mode), depth=depth or recipe.get("depth"))
        kept["least"] = recipe.get("least", least)
        return _accounted(path, load_photos(path, **kept, follow_links=follow_links, progress=progress), source)
    if source and source.get("kind") != "images":
        raise InputError(f"{path}: images, but the model was trained on a table; give a .csv, .parquet or .xlsx file")
    _refuse({**table}, f"{path}:", "for tables: CSV, Parquet, Excel; leave it out for images")
    if source:
        size, mode, depth = source["size"], source["mode"], depth or source.get("depth")
    form: dict[str, Any] = dict(size=size, mode=mode, depth=depth)
    samples = load_folder(path, **form, follow_links=follow_links, cache=cache, progress=progress)
    return _accounted(path, samples, source)


def _accounted(path: Path, samples: Samples, source: dict[str, Any] | None) -> Samples:
    """Training images with an account of how they were read."""
    if source is None:
        samples.source["read"] = account_of_images(path, samples)
    return samples


def refuse_for_tables(name: Any, images: dict[str, Any]) -> None:
    """Raise InputError naming the first option for images, which is said of a table."""
    _refuse(images, f"{name}:", "for images, and this is a table; leave it out")


def _refuse(options: dict[str, Any], where: str, why: str) -> None:
    """Raise InputError naming the first of the options that has a value."""
    for option, value in options.items():
        if value not in (None, False, (), []):
            raise InputError(f"{where} --{option} is {why}")


def _named(name: str, split: str | None, data_dir: str | Path | None, progress: Progress | None) -> Samples:
    if split not in (None, "train", "test", "all"):
        raise InputError(f"split {split!r} is not one of train, test, all")
    entry = DATASETS[name]
    return entry.read(split=(split or "all") if entry.has_split else "all", data_dir=data_dir, progress=progress)


def _matched(samples: Samples, source: dict[str, Any] | None, name: str) -> Samples:
    """A named set as the model wants it; it is never resized or re-encoded, so it must fit as it is."""
    if source and _unlabelled(samples.source) != _unlabelled(source):
        raise InputError(f"{name}: its samples are not of the kind that the model was trained on")
    return samples


def _unlabelled(source: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in source.items() if k in ("kind", "columns", "size", "mode")}
