"""LSUN's scenes, from images that the data set's own script exported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InputError
from ..fetch import find
from ..folder import load_folder
from ..samples import Progress, Samples


def lsun(
    split: str = "all", *, data_dir: Any = None, size: int = 64, progress: Progress | None = None, **_: Any
) -> Samples:
    """Scenes as ``size`` x ``size`` x 3, the training images first: ``lsun/train/SCENE`` and ``lsun/val/SCENE``.

    These folders hold the images, in any subfolders, as the data set's own ``data.py export`` writes them. The pixels
    are a memmap in the cache. Raises InputError if the folders are missing.
    """
    root = find((), ("lsun",), data_dir)
    if root is None or not ((root / "train").is_dir() and (root / "val").is_dir()):
        raise InputError(
            "no LSUN here: export its databases (github.com/fyu/lsun, python data.py export) to lsun/train/bedroom and "
            "lsun/val/SCENE for ten scenes, in --data-dir or $GANAD_DATA"
        )
    samples = load_folder(root, size=size, mode="RGB", progress=progress)
    part, scene = np.array([name.split("/")[:2] for name in samples.names or []]).T
    samples = replace(samples, y=scene)
    return samples if split == "all" else samples.subset(part == {"train": "train", "test": "val"}[split])
