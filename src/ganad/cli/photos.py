"""Photos that keep their size in ``ganad fit``: the options for a view, and the detector with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError

if TYPE_CHECKING:
    from ..detector import Detector

TilesOption = Annotated[
    str | None,
    typer.Option(metavar="SIZE/STRIDE", help="Learn crops of full-size photos; side and step in pixels: 64/32."),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME[:FILE]",
        help="Learn vectors of full-size photos from a network trained on ImageNet: efficientnet-lite0, "
        "resnet18:FILE, wide-resnet50-2:FILE.",
    ),
]
PoolOption = Annotated[
    str | None, typer.Option(help="A photo's score from those of its regions: max, mean or top5 (mean of 5 highest).")
]
MaxRegions = Annotated[int | None, typer.Option(help="Learn at most this many regions of normal photos.")]


def of_photos(
    detector: Detector, tiles: str | None, backbone: str | None, pool: str | None, max_regions: int | None
) -> Detector:
    """The detector, or, if an option names a view, a detector of photos that learns their regions with it.

    Raises InputError for both views at once, for options of a view without one, and for values that cannot work.
    """
    given = {k: v for k, v in (("pool", pool), ("max_regions", max_regions)) if v is not None}
    if tiles is None and backbone is None:
        if given:
            option = next(iter(given)).replace("_", "-")
            raise InputError(f"--{option} is for regions of photos; give --tiles 64/32 or --backbone NAME as well")
        return detector
    if tiles is not None and backbone is not None:
        raise InputError("--tiles and --backbone are two views of a photo; give one of them")
    from ..photos import Backbone, Regions, Tiles  # imports torch

    view: Tiles | Backbone
    if backbone is not None:
        view = Backbone.named(backbone)
    else:
        view = Tiles(*_two_numbers(tiles or ""))
    options: dict[str, object] = {k: getattr(detector, k) for k in ("device", "threads", "verbose", "random_state")}
    regions = Regions(detector, view, contamination=detector.contamination, **options | given)  # type: ignore[arg-type]
    regions.check_settings()
    return regions


def _two_numbers(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})(?:/(\d{1,5}))?", text)
    if not found:
        raise InputError(f"--tiles {text}: give the side of a crop and the step to the next in pixels, such as 64/32")
    size = int(found[1])
    return size, int(found[2]) if found[2] else max(1, size // 2)
