"""Data: public sets by name, folders of images, tables. One function, ``load``, reads them all."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .labels import choose_normal, labels_of, only_normal, unnamed
from .samples import Samples, Unreadable, Unseen

if TYPE_CHECKING:
    from .catalog import DATASETS, Dataset
    from .description import described
    from .folder import load_folder
    from .photos import Photos, find_masks, load_photos, read_mask
    from .reading import load
    from .table import iter_table, load_table, refill
    from .table_file import TABLES, is_table
    from .table_options import TableOptions
else:
    # pyarrow and Pillow double the time to start, so the first of these names imports them, not the package
    _HOMES = {
        "DATASETS": "catalog",
        "Dataset": "catalog",
        "Photos": "photos",
        "TABLES": "table_file",
        "TableOptions": "table_options",
        "described": "description",
        "find_masks": "photos",
        "is_table": "table_file",
        "iter_table": "table",
        "load": "reading",
        "load_folder": "folder",
        "load_photos": "photos",
        "load_table": "table",
        "read_mask": "photos",
        "refill": "table",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found


__all__ = [
    "DATASETS",
    "TABLES",
    "Dataset",
    "Photos",
    "Samples",
    "TableOptions",
    "Unreadable",
    "Unseen",
    "choose_normal",
    "described",
    "find_masks",
    "is_table",
    "iter_table",
    "labels_of",
    "load",
    "load_folder",
    "load_photos",
    "load_table",
    "only_normal",
    "read_mask",
    "refill",
    "unnamed",
]
