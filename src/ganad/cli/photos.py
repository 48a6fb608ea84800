"""Photos that keep their size in ``ganad fit``: the options for a view, and the detector with it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError

if TYPE_CHECKING:
    from ..detector import Detector
    from ..photos.choice import Choice

TilesOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE/STRIDE", help="Learn crops of full-size photos; side and step in pixels: 64/32."),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[:FILE]",
        help="Learn vectors of full-size photos from a network trained on ImageNet: efficientnet-lite0 or -lite2, "
        "resnet18:FILE, wide-resnet50-2:FILE, alexnet:FILE, or onnx:FILE for any other. Or vectors of edges and lines, "
        "which need no weights: filters. Without --method, what no option says is as auto has it.",
    ),
]
LayersOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,N",
        help="With --backbone: the network's layers to join, 1 (fine) to 4 (coarse); 0 adds edges and lines: 0,3. "
        "With onnx:FILE: its outputs, from 1.",
    ),
]
WholeOption = Annotated[bool, typer.Option("--whole", help="With --backbone: one vector a photo, not one a region.")]
CellsOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="With --backbone: N x N vectors a photo, the means of as many equal parts of it."),
]
EmbedOption = Annotated[
    bool, typer.Option("--embed-backbone", help="Put the backbone's weights into the model file as well.")
]
CropOption = Annotated[
    str | None, typer.Option(metavar="X,Y,W,H", help="Look at this rectangle of every photo alone, in pixels.")
]
MaskOutOption = Annotated[
    Path | None,
    typer.Option(
        metavar="IMAGE", help="An image as large as the photos. Where it is black or transparent, nothing is looked at."
    ),
]
AugmentOption = Annotated[
    str | None,
    typer.Option(metavar="WAYS", help="Learn variants of few photos as well: flip,rotate90,shift,brightness."),
]
PoolOption = Annotated[
    str | None,
    typer.Option(help="A photo's score from those of its regions: ranked, max, mean or top5 (mean of 5 highest)."),
]
MaxRegions = Annotated[int | None, typer.Option(help="Regions of normal photos to learn, at most.")]
ChooseOption = Annotated[
    str | None, typer.Option(help="Which regions to learn: random, or coreset, which lie far apart (--backbone).")
]
WhitenOption = Annotated[
    str | None,
    typer.Option(help="Give vectors equal spread in all directions: all, or place, for each of --cells (--backbone)."),
]


@dataclass(frozen=True)
class PhotoOptions:
    """The options of ``ganad fit`` that are for photos of their own size, as they were given."""

    tiles: str | None = None
    backbone: str | None = None
    pool: str | None = None
    max_regions: int | None = None
    layers: str | None = None
    whole: bool = False
    cells: int | None = None
    embed_backbone: bool = False
    crop: str | None = None
    mask_out: Path | None = None
    augment: str | None = None
    choose: str | None = None
    whiten: str | None = None

    @property
    def own_size(self) -> bool:
        """Whether photos keep their size."""
        return self.tiles is not None or self.backbone is not None

    @property
    def least(self) -> tuple[int, int] | None:
        """Height and width that a photo needs for the crop, if there is one; InputError for a crop that cannot be."""
        if self.crop is None or not self.own_size:
            return None
        from ..photos.part import crop_of

        left, top, width, height = crop_of(self.crop)
        return top + height, left + width

    def refuse_for_tables(self, data: str) -> None:
        """Raise InputError where a view of photos is named for a table."""
        from ..data import is_table

        view = "--tiles" if self.tiles is not None else "--backbone"
        if self.own_size and is_table(data):
            raise InputError(f"{data}: {view} is for photos, and this is a table; leave it out")

    def _is_given(self, name: str) -> bool:
        value = getattr(self, name)
        return value is not None and value is not False  # 0 is given, and wrong

    def chosen(self, data: str, follow_links: bool) -> tuple[str, dict[str, str], PhotoOptions]:
        """What auto is for photos, said aloud: a method, its settings, and these options with what they leave open.

        That is for a folder of large photos, and where ``backbone`` is named. For anything else, and with ``tiles`` or
        a named backbone's ``whole``, it is auto itself.
        """
        choice, why = self._choice(data, follow_links)
        if choice is None:
            return "auto", {}, self
        if self.backbone is None and self.layers is not None and "layers" not in choice.options:
            raise InputError("--layers are those of a network; pip install 'ganad[backbone]', or name one: --backbone")
        mine = {name: value for name, value in choice.options.items() if getattr(self, name) is None}
        if self.whole:
            mine.pop("cells", None)
        if self.choose is not None:  # of so many regions a core set is never found
            mine.pop("max_regions", None)
        taken = mine | {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if self._is_given(f.name)}
        taken = {name: taken[name] for name in choice.options if name in taken} | taken  # in the order of auto's own
        typer.echo(f"auto: {dataclasses.replace(choice, options=taken).words}{why}: {choice.reason}")
        if choice.more:
            typer.echo(f"      {choice.more}")
        return choice.method, {k: str(v) for k, v in choice.settings.items()}, dataclasses.replace(self, **mine)

    def _choice(self, data: str, follow_links: bool) -> tuple[Choice | None, str]:
        """The choice for photos, if these are such, and what of them led to it."""
        from ..data.photos import usual_side

        if self.tiles is not None or (self.backbone is not None and self.whole):
            return None, ""
        if self.backbone is None and not (side := usual_side(data, follow_links) if Path(data).is_dir() else 0):
            return None, ""
        from ..photos.choice import LARGE, choice_here, choice_on

        if self.backbone is not None:
            return choice_on(self.backbone), ""
        return (choice_here(), f", for photos of {side:,} pixels") if side > LARGE else (None, "")

    def of_photos(self, detector: Detector) -> Detector:
        """The detector, or one of photos whose regions it learns where an option names a view.

        Raises InputError for both views at once, for options of a view without one, and for values that cannot work.
        """
        given = {
            "pool": self.pool,
            "max_regions": self.max_regions,
            "crop": self.crop,
            "part": self.mask_out and str(self.mask_out),
            "augment": self.augment,
            "choose": self.choose,
            "whiten": self.whiten,
            "embed": self.embed_backbone or None,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if not self.own_size:
            if named := next((f.name for f in dataclasses.fields(self) if self._is_given(f.name)), None):
                option = named.replace("_", "-")
                raise InputError(f"--{option} is for regions of photos; give --tiles 64/32 or --backbone NAME as well")
            return detector
        if self.tiles is not None and self.backbone is not None:
            raise InputError("--tiles and --backbone are two views of a photo; give one of them")
        for name in ("layers", "whole", "cells", "embed_backbone"):
            if self.backbone is None and self._is_given(name):
                raise InputError(f"--{name.replace('_', '-')} is for --backbone; give --backbone NAME")
        if self.whole and self.cells is not None:
            raise InputError("--whole is one vector a photo, and --cells several; give one of them")
        from ..photos.words import regions_of  # torch comes with it

        return regions_of(
            detector,
            tiles=self.tiles,
            backbone=self.backbone,
            layers=self.layers,
            whole=self.whole,
            cells=self.cells,
            **given,
        )
