"""Folders as the benchmarks of the field are laid out, recognised by their names: MVTec AD's, anomalib's, BTAD's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_NORMAL = ("good", "ok", "normal")
_TRAIN = (*(f"train/{name}" for name in _NORMAL), "normal")
_MASKS = ("ground_truth", "masks", "mask")


@dataclass(frozen=True)
class Layout:
    """What the folders of a data set are for."""

    train: Path  #: normal photos to learn
    test: Path  #: photos in subfolders by kind
    normal: str  #: the kind that is normal
    masks: Path | None  #: ``KIND/NAME.png`` or ``KIND/NAME_mask.png``


def layout_of(root: str | Path) -> Layout | None:
    """The layout of ``root``, or None: it has ``train/good`` or ``normal``, and ``test/good`` beside other kinds.

    "ok" and "normal" are other words for "good". Masks are in ``ground_truth``, ``masks`` or ``mask``.
    """
    root = Path(root)
    train = next((root / name for name in _TRAIN if (root / name).is_dir()), None)
    normal = next((name for name in _NORMAL if (root / "test" / name).is_dir()), None)
    if train is None or normal is None:
        return None
    masks = next((root / name for name in _MASKS if (root / name).is_dir()), None)
    return Layout(train, root / "test", normal, masks)
