"""Folders as the benchmarks of the field are laid out, recognised by their names: MVTec AD's, anomalib's, BTAD's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .samples import Progress, Samples

if TYPE_CHECKING:
    from .photos import Photos

NORMAL = ("good", "ok", "normal")  #: what folders call photos without a defect
_TRAIN = (*(f"train/{name}" for name in NORMAL), "normal")
_MASKS = ("ground_truth", "masks", "mask")


@dataclass(frozen=True)
class Layout:
    """What the folders of a data set are for."""

    train: Path  #: normal photos to learn
    test: Path  #: photos in subfolders by kind
    normal: str  #: the kind that is normal
    masks: Path | None  #: ``KIND/NAME.png`` or ``KIND/NAME_mask.png``

    def says(self, normal: Sequence[str], anomaly: Sequence[str]) -> bool:
        """Whether classes that are named as normal and as anomalies tell no more than the folders do."""
        return not anomaly and set(normal) <= {self.train.name, self.normal}


def layout_of(root: str | Path) -> Layout | None:
    """The layout of ``root``, or None: it has ``train/good`` or ``normal``, and ``test/good`` beside other kinds.

    "ok" and "normal" are other words for "good". Masks are in ``ground_truth``, ``masks`` or ``mask``.
    """
    root = Path(root)
    train = next((root / name for name in _TRAIN if (root / name).is_dir()), None)
    normal = next((name for name in NORMAL if (root / "test" / name).is_dir()), None)
    if train is None or normal is None:
        return None
    masks = next((root / name for name in _MASKS if (root / name).is_dir()), None)
    return Layout(train, root / "test", normal, masks)


#: the class of the photos that such a folder gives for training, in ``read_layout``
TRAINING = "train"


def read_layout(layout: Layout, *, progress: Progress | None = None) -> Samples:
    """The photos of such a folder at their own size: those for training, of the class "train", then the others by kind.

    Raises InputError where no photo can be read, and for a folder of masks without any of these photos'.
    """
    from .photos import Photos, find_masks, load_photos  # Pillow comes with it

    learnt = load_photos(layout.train, progress=progress)
    tested = load_photos(layout.test, mode=learnt.x.mode, progress=progress)  # type: ignore[attr-defined]
    parts: list[Photos] = [learnt.x, tested.x]  # type: ignore[list-item]
    names = [f"{TRAINING}/{name}" for name in parts[0].names] + parts[1].names
    photos = Photos([file for part in parts for file in part.files], names, parts[0].mode)
    assert tested.y is not None
    masks = None
    if layout.masks is not None:
        masks = [None] * len(parts[0]) + find_masks(layout.masks, parts[1].names)
    return Samples(
        photos,  # type: ignore[arg-type]
        np.concatenate([np.full(len(parts[0]), TRAINING), tested.y.astype(str)]),
        names,
        unreadable=[*learnt.unreadable, *tested.unreadable],
        source=learnt.source,
        masks=masks,
    )
