"""Scores of samples in ``ganad score``, and what else one look at them gives: regions, and figures against masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from ..data import Samples
    from ..detector import Detector
    from ..photos import Region
    from ..pixel_metrics import PixelFigures

_AT_ONCE = 64  # images whose maps are in memory together


@dataclass
class Scan:
    """What was found in some samples."""

    scores: np.ndarray  #: ``(n,)``
    regions: list[list[Region]] | None = None  #: of each photo that keeps its size
    pixels: PixelFigures | None = None  #: maps against masks
    defective: np.ndarray | None = None  #: ``(n,)`` bool, whose masks mark anything, where masks were given
    masks: list[Path | None] = field(default_factory=list)  #: the file of each one's, where masks were given


def scan(detector: Detector, samples: Samples, masks: Path | None) -> Scan:
    """Score samples; with a folder of ``masks`` compare their maps with those.

    Raises InputError for masks of a table, and for masks that do not fit.
    """
    import numpy as np

    from ..data import Photos, find_masks, read_mask
    from ..data.photos import check_masks
    from ..photos import Regions
    from ..pixel_metrics import PixelFigures

    if masks is None and not isinstance(detector, Regions):
        return Scan(_scores(detector, samples))
    if samples.names is None or (not isinstance(detector, Regions) and samples.x.ndim < 3):
        raise InputError("--masks say where defects are in images, and these data are a table")
    files = [] if masks is None else find_masks(masks, samples.names)
    check_masks(files, samples.x if isinstance(samples.x, Photos) else None)  # before hours of scores
    found = Scan(np.empty(len(samples.x)), [], masks=files)
    if files:
        found.pixels, found.defective = PixelFigures(len(files)), np.zeros(len(files), bool)
    for i, (score, heat, regions) in enumerate(_looked_at(detector, samples.x)):
        found.scores[i] = score
        if regions is not None and found.regions is not None:
            found.regions.append(regions)
        if found.pixels is not None and found.defective is not None:
            mask = read_mask(files[i], heat.shape if isinstance(detector, Regions) or not files[i] else None)
            found.pixels.add(mask, _as_large(heat, mask.shape))
            found.defective[i] = mask.any()
    if not isinstance(detector, Regions):
        found.regions = None
    return found


def _scores(detector: Detector, samples: Any) -> np.ndarray:
    from ..progress import Bar

    with Bar("scoring", enabled=detector.verbose > 0, follows=True):
        return detector.anomaly_score(samples)


def _looked_at(detector: Detector, x: Any) -> Iterator[tuple[float, np.ndarray, list[Region] | None]]:
    """Score, map and regions of each sample."""
    from ..photos import Regions
    from ..progress import Bar

    if isinstance(detector, Regions):
        with Bar("scoring", enabled=detector.verbose > 0) as bar:
            for i, finding in enumerate(detector.inspect(x)):
                bar.update(i + 1, len(x))
                yield finding.score, finding.heat, finding.regions
        return
    scores = _scores(detector, x)
    for start in range(0, len(x), _AT_ONCE):
        maps = detector.explain(x[start : start + _AT_ONCE])
        yield from ((float(s), heat, None) for s, heat in zip(scores[start:], maps))


def _as_large(heat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The map of an image that was resized, at the size of its mask."""
    import numpy as np
    from PIL import Image

    if heat.shape == shape:
        return heat
    picture = Image.fromarray(heat.astype(np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def show_places(lines: list[dict[str, Any]]) -> None:
    """Figures by kind of defect as a table."""
    columns = [key for key in lines[0] if key not in ("kind", "photos")]
    wide = max(len("kind"), *(len(line["kind"]) for line in lines))
    typer.echo(f"{'kind':{wide}}  photos  " + "  ".join(f"{name.replace('_', ' '):>13}" for name in columns))
    for line in lines:
        values = "  ".join(f"{'–' if line[key] is None else format(line[key], '.4f'):>13}" for key in columns)
        typer.echo(f"{line['kind']:{wide}}  {line['photos']:6,}  {values}")
