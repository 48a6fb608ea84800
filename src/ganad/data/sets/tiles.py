"""Magnetic tiles, photographed at a factory, with masks of their defects.

Y. Huang, C. Qiu and K. Yuan, "Surface defect saliency of magnetic tile", The Visual Computer, 2020.
"""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ..fetch import find
from ..layouts import layout_of, read_layout
from ..samples import Progress, Samples


def tiles(*, data_dir: Any = None, progress: Progress | None = None, **_: Any) -> Samples:
    """Photos at their own size: ``tiles/normal`` for training, and ``tiles/test/KIND`` with ``tiles/masks/KIND``.

    The kinds are good, blowhole, break, crack, fray and uneven. Raises InputError if the folders are missing.
    """
    root = find((), ("tiles",), data_dir)
    layout = root and layout_of(root)
    if not layout:
        raise InputError(
            "no magnetic tiles here: sort the photos of github.com/abin24/Magnetic-tile-defect-datasets. into "
            "tiles/normal, tiles/test/good and tiles/test/KIND, their masks into tiles/masks/KIND, in --data-dir or "
            "$GANAD_DATA"
        )
    return read_layout(layout, progress=progress)
