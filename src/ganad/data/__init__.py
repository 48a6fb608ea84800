"""Data: public sets by name, folders of images, tables. One function, ``load``, reads them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import public
from .folder import load_folder
from .samples import Progress, Samples, Unreadable, choose_normal
from .table import iter_table, load_table, refill

__all__ = [
    "DATASETS",
    "Dataset",
    "Samples",
    "Unreadable",
    "choose_normal",
    "iter_table",
    "load",
    "load_folder",
    "load_table",
    "refill",
]

TABLES = {".csv", ".parquet"}


@dataclass(frozen=True)
class Dataset:
    """A data set that is known by name."""

    read: Callable[..., Samples]
    description: str
    has_split: bool = False


DATASETS = {
    "digits": Dataset(public.digits, "1,797 handwritten digits, 8 x 8, shipped with scikit-learn"),
    "mnist": Dataset(public.mnist, "70,000 handwritten digits, 28 x 28; train and test", has_split=True),
    "cifar10": Dataset(public.cifar10, "60,000 photographs, 32 x 32 x 3, ten classes; train and test", has_split=True),
    "kddcup99": Dataset(public.kddcup99, "494,021 network connections, 121 features; 23 classes"),
    "arrhythmia": Dataset(public.arrhythmia, "452 patients, 274 features, 66 with arrhythmia"),
    "lsun": Dataset(public.lsun, "photographs of scenes, 64 x 64 x 3; train and test (val)", has_split=True),
    "rings": Dataset(public.rings, "2-D toy: two rings; train (normal) and test", has_split=True),
    "blob": Dataset(public.blob, "2-D toy of the Fence GAN code; train (normal) and test", has_split=True),
}


def load(
    name: str | Path,
    *,
    data_dir: str | Path | None = None,
    split: str | None = None,
    label: str | None = None,
    drop: Sequence[str] = (),
    impute: bool = False,
    size: int | None = None,
    mode: str | None = None,
    source: dict[str, Any] | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Samples:
    """Samples from a data set's name, a folder of images, one image, or a CSV or Parquet file.

    split: "train", "test" or "all", for the sets that have one. source: the recipe that a model was trained on; new
    data are then read in the same size and colour, or matched to the same columns.

    Raises InputError that says what, where and what to do.
    """
    path = Path(name)
    if str(name) in DATASETS and not path.exists():
        entry = DATASETS[str(name)]
        if split not in (None, "train", "test", "all"):
            raise InputError(f"split {split!r} is not one of train, test, all")
        if ignored := _given(label=label, drop=drop, impute=impute, size=size, mode=mode):
            raise InputError(f"{name}: --{ignored[0]} is for files and folders; a data set by name is read as it is")
        samples = entry.read(split=(split or "all") if entry.has_split else "all", data_dir=data_dir, progress=progress)
        return _matched(samples, source, str(name))
    if not path.exists():
        raise InputError(f"{name}: no such file or folder, and no data set of that name; known: {', '.join(DATASETS)}")
    if path.is_file() and path.suffix.lower() in TABLES:
        if source and source.get("kind") != "table":
            raise InputError(f"{path} is a table, but the model was trained on images")
        if ignored := _given(size=size, mode=mode):
            raise InputError(f"{path}: --{ignored[0]} is for images, and this is a table; leave it out")
        return load_table(path, label=label, drop=drop, impute=impute, source=source)
    if source and source.get("kind") != "images":
        raise InputError(f"{path}: images, but the model was trained on a table; give a .csv or .parquet file")
    if ignored := _given(label=label, drop=drop, impute=impute):
        raise InputError(f"{path}: --{ignored[0]} is for tables, .csv or .parquet; leave it out for images")
    if source:
        return load_folder(path, size=source["size"], mode=source["mode"], cache=cache, progress=progress)
    return load_folder(path, size=size, mode=mode, cache=cache, progress=progress)


def _given(**options: Any) -> list[str]:
    """The names of the options that have a value."""
    return [option for option, value in options.items() if value not in (None, False, (), [])]


def _matched(samples: Samples, source: dict[str, Any] | None, name: str) -> Samples:
    """A named set as the model wants it; it is never resized or re-encoded, so it must fit as it is."""
    if source and {k: v for k, v in samples.source.items() if k != "label"} != {
        k: v for k, v in source.items() if k != "label"
    }:
        raise InputError(f"{name}: its samples are not of the kind that the model was trained on")
    return samples
