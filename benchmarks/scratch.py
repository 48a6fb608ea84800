"""A scratch of 20 pixels in photos of 1,024 x 1,024: found on tiles, and lost where the photo is squeezed to 128.

    python benchmarks/scratch.py --data tiles/normal [--surfaces "smooth plate" ...] [--only GANomaly] [--rows FILE]
    python benchmarks/scratch.py --table     # into docs/guide/photos.md, from the rows

Three kinds of surface, 20 photos to learn and 20 others to test, each without and with its scratch:

smooth plate    made up: uneven light and a little noise (``plates.py``)
brushed plate   the same with fine lines across
rough tile      real: normal magnetic tiles ("Surface defect saliency of magnetic tile", Huang et al., 2018), each
                mirrored at its edges until it fills the photo; the surfaces differ more than a scratch from its tile

The scratch is drawn: 20 pixels long, 2 wide, 60 grey values brighter than its surroundings, at a place and in a
direction of its own. The GANs have few channels and passes, so that a line takes minutes on one thread; a row says
which. On filters (``--backbone filters``) a Gaussian for each of 32 x 32 places is what ``auto`` takes where no weights
are installed, and the others learn the vector of every position, all places alike. One seed. A row that is there is not
made again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pages import between  # type: ignore[import-not-found,unused-ignore]
from PIL import Image
from plates import plate  # type: ignore[import-not-found,unused-ignore]

from ganad.atomic import write_text
from ganad.data import load_photos
from ganad.metrics import auroc, pointing_accuracy
from ganad.photos import Backbone, Regions, Tiles
from ganad.photos.pool import pooled
from ganad.registry import get

ROWS = Path(__file__).parent / "results" / "scratch.jsonl"
PAGE = Path(__file__).parents[1] / "docs" / "guide" / "photos.md"
SIDE, PHOTOS, LENGTH, TILES = 1024, 20, 20, Tiles(32, 24)
POOLS = ("ranked", "max")
SURFACES = {"smooth plate": 0.0, "brushed plate": 12.0, "rough tile": None}  #: grey values of the lines across
FEW: dict[str, Any] = dict(epochs=5)
ON_SQUEEZED = dict(epochs=50)  # passes over 20 samples and not over 2,000
#: detector on tiles -> its settings
LINES: dict[str, dict[str, Any]] = {
    "PCAResidual": {},
    "GANomaly": FEW | dict(width=16),
    "SkipGANomaly": FEW | dict(width=16),
    "FenceGAN": FEW,
    "AutoEncoder": FEW,
}
GANS = ("GANomaly", "SkipGANomaly", "EGBAD", "FenceGAN")
#: the same on filters; vectors are few numbers, so that networks have their default widths
ON_FILTERS: dict[str, dict[str, Any]] = {
    "Gaussian": dict(apart=True),
    "PCAResidual": {},
    "GANomaly": {},
    "EGBAD": {},
    "FenceGAN": {},
}
TILED, SQUEEZED, FILTERED = f"tiles {TILES.size}/{TILES.stride}", "squeezed to 128 x 128", "filters"
VIEWS = {TILED: LINES, SQUEEZED: LINES, FILTERED: ON_FILTERS}
NAMES = {**LINES, **ON_FILTERS}
QUIET: dict[str, Any] = dict(random_state=0, verbose=0, device="cpu", threads=1)


def surface(photo: np.ndarray) -> np.ndarray:
    """A photo mirrored at its edges until it fills the side."""
    rows, columns = (np.pad(np.arange(side), (0, SIDE), mode="reflect")[:SIDE] for side in photo.shape)
    return photo[np.ix_(rows, columns)]


def photos_of(kind: str, data: Path | None) -> list[np.ndarray]:
    """40 normal photos of a surface; those of tiles come from the folder ``data``."""
    lines = SURFACES[kind]
    if lines is not None:
        rng = np.random.default_rng(0)
        return [plate(rng, SIDE, SIDE, lines) for _ in range(2 * PHOTOS)]
    if data is None:
        raise SystemExit("rough tile: give --data, a folder of 40 normal photos or more")
    found = load_photos(data, mode="L").x
    return [surface(found[i]) for i in np.linspace(0, len(found) - 1, 2 * PHOTOS).astype(int)]


def scratched(photo: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The photo with a scratch, and its mask."""
    y, x = rng.integers(LENGTH, SIDE - LENGTH, 2)
    along, angle = np.linspace(-LENGTH / 2, LENGTH / 2, 4 * LENGTH), rng.uniform(0, np.pi)
    mask = np.zeros(photo.shape, bool)
    for wide in (0, 1):
        mask[np.rint(y + along * np.sin(angle)).astype(int) + wide, np.rint(x + along * np.cos(angle)).astype(int)] = (
            True
        )
    return np.where(mask, np.minimum(photo + 60.0, 255), photo).astype(np.uint8), mask


def squeezed(photos: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(p).resize((128, 128), Image.Resampling.BILINEAR)) for p in photos])


def regions_of(name: str, view: str, inner: Any) -> Regions:
    quick: dict[str, Any] = dict(threshold_samples=2, threshold_fits=0)
    if view == TILED:
        return Regions(inner, TILES, max_regions=2000, **quick, **QUIET)
    if name == "Gaussian":
        return Regions(inner, Backbone("filters", cells=32), max_regions=400_000, **quick, **QUIET)
    return Regions(inner, Backbone("filters"), max_regions=20_000, **quick, **QUIET)


def measure(kind: str, name: str, view: str, photos: list[np.ndarray]) -> dict:
    rng = np.random.default_rng(0)
    normal, good = photos[:PHOTOS], photos[PHOTOS:]
    bad, masks = zip(*(scratched(photo, rng) for photo in good))
    y, begun = np.repeat([0, 1], len(good)), time.process_time()
    settings = VIEWS[view][name]
    settings = settings | (ON_SQUEEZED if "epochs" in settings and view == SQUEEZED else {})
    inner, place = get(name)(**QUIET, **settings), None
    if view != SQUEEZED:
        detector = regions_of(name, view, inner).fit(normal)
        found = list(detector.inspect([*good, *bad]))
        scores = {pool: [pooled(finding.region_scores, pool) for finding in found] for pool in POOLS}
        place = pointing_accuracy(masks, [finding.heat for finding in found[len(good) :]], within=15)
    else:
        inner.fit(squeezed(normal))
        scores = {"-": np.concatenate([inner.anomaly_score(squeezed(part)) for part in (good, bad)])}
    return dict(
        surface=kind,
        detector=name,
        settings=settings,
        view=view,
        auroc={pool: round(auroc(y, np.asarray(values)), 4) for pool, values in scores.items()},
        pointing_within_15=place,
        seconds=round(time.process_time() - begun, 1),
        n_train=len(normal),
        n_test=2 * len(good),
    )


def table(rows: list[dict]) -> str:
    """The rows as a table: by the surface, and the best of a view first. What is no GAN is in italics."""
    head = ["surface", "regions", "detector", "`ranked`", "`max`", "pointing", "s", "squeezed photo"]
    out = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    found = {(row["surface"], row["detector"], row["view"]): row for row in rows}
    order = ([*SURFACES], [*VIEWS])
    local = [row for row in found.values() if row["view"] != SQUEEZED]
    for row in sorted(
        local, key=lambda r: (order[0].index(r["surface"]), order[1].index(r["view"]), -r["auroc"]["max"])
    ):
        kind, name, view = row["surface"], row["detector"], row["view"]
        other = found.get((kind, name, SQUEEZED)) if view == TILED else None
        cells = [f"{row['auroc'][pool]:.3f}" for pool in POOLS]
        cells += [f"{row['pointing_within_15']:.2f}", f"{row['seconds']:.0f}"]
        cells += [f"{other['auroc']['-']:.3f}" if other else "-"]
        out.append(f"| {kind} | {view} | {name if name in GANS else f'*{name}*'} | {' | '.join(cells)} |")
    return "\n".join(out)


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of normal photos of tiles, 40 or more")
    parser.add_argument("--surfaces", nargs="*", choices=[*SURFACES], default=[*SURFACES])
    parser.add_argument("--only", nargs="*", choices=[*NAMES], default=[*NAMES])
    parser.add_argument("--views", nargs="*", choices=[*VIEWS], default=[*VIEWS])
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--table", action="store_true", help="write the table into the guide and measure nothing")
    given = parser.parse_args()
    if given.table:
        write_text(PAGE, between(PAGE.read_text("utf-8"), "scratch", table(read(given.rows))))
        return
    for kind in given.surfaces:
        photos = photos_of(kind, given.data)
        for view in given.views:
            for name in [name for name in VIEWS[view] if name in given.only]:
                case = (kind, name, view)
                if case in [(row["surface"], row["detector"], row["view"]) for row in read(given.rows)]:
                    continue
                row = measure(kind, name, view, photos)
                with given.rows.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)


if __name__ == "__main__":
    main()
