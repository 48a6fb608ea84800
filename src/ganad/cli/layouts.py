"""Folders laid out as the field's benchmarks are, in ``ganad fit``, ``score`` and ``bench``: which part is for what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer

Names = tuple[str, ...]


def training_folder(data: str, normal: Names, anomaly: Names) -> tuple[str, tuple[Names, Names]]:
    """Where the normal photos are, and the classes there: ``train/good`` of such a folder, or the data themselves.

    Classes of --normal and --anomaly that are not the layout's own say themselves what is learnt.
    """
    from ..data.layouts import layout_of

    layout = layout_of(data)
    if layout is None or not layout.says(normal, anomaly):
        return data, (normal, anomaly)
    typer.echo(f"{data}: learning {_below(layout.train, data)}; ganad score takes {_below(layout.test, data)}")
    return str(layout.train), ((), ())


def measured_folders(data: str) -> None:
    """Say which parts of such a folder train and test in ``ganad bench``."""
    from ..data.layouts import layout_of

    if layout := layout_of(data):
        typer.echo(f"{data}: learning {_below(layout.train, data)}, testing {_below(layout.test, data)}")


@dataclass(frozen=True)
class Tested:
    """What ``ganad score`` reads, and what it knows of it from the names of folders."""

    data: str
    normal: str | None
    masks: Path | None


def tested(data: str, normal: str | None, anomaly: str | None, masks: Path | None, own_size: bool) -> Tested:
    """The photos to score: ``test`` of such a folder with its masks, and with its normal class if none is named.

    own_size: whether the model's photos have their own size; only then are masks taken that nobody named.
    """
    from ..data.layouts import layout_of

    layout = layout_of(data)
    if layout is None:
        return Tested(data, normal, masks and _masks_of(data, masks))
    masks = masks or (layout.masks if own_size else None)
    known = "" if normal or anomaly else f", of which {layout.normal} is normal"
    place = f", masks of {masks.name}" if masks else ""
    typer.echo(f"{data}: scoring {_below(layout.test, data)}{known}{place}")
    return Tested(str(layout.test), normal if known == "" else layout.normal, masks)


def _masks_of(data: str, masks: Path) -> Path:
    """Where the masks of the folder ``data`` are: in the one of its name, if it is one kind of photos of several."""
    own, folder = masks / Path(data).resolve().name, Path(data)
    if not (folder.is_dir() and own.is_dir()) or any((masks / kind.name).is_dir() for kind in folder.glob("*/")):
        return masks
    typer.echo(f"{data}: masks of {own}")
    return own


def _below(path: Path, data: str) -> str:
    return path.relative_to(data).as_posix()
