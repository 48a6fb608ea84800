"""How well detectors of regions find defects in photos, and where: a row a line and a pool, resumable.

    python benchmarks/photos.py --data tiles --output benchmarks/results/photos.jsonl [--only patches]

Learnt are the photos of ``normal/``; tested those of ``test/good`` and ``test/KIND``, with ``masks/KIND/NAME.png``. No
setting was chosen on test labels. The photos meant are those of "Surface defect saliency of magnetic tile" (Huang et
al., 2018). Pixel figures are of every second pixel each way. Seconds are those of the processor,
backbone included. A line that has its rows already is passed over.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from ganad import (
    DSEBM,
    GMM,
    IGMMGAN,
    MMOCGAN,
    OCAN,
    VAE,
    AutoEncoder,
    Detector,
    FenceGAN,
    GANomaly,
    NearestNeighbor,
    PCAResidual,
)
from ganad.data.photos import Photos, find_masks, load_photos, read_mask
from ganad.metrics import aupro, auroc, pixel_auroc, pointing_accuracy
from ganad.photos import Backbone, Regions, Tiles
from ganad.photos.regions import pooled
from ganad.photos.view import Grid

POOLS = ("max", "top5", "mean")
CACHE = Path(tempfile.gettempdir(), "ganad-photos-features")
spent = {"cached": 0.0}  # processor seconds that features took when they were computed


@dataclass(frozen=True)
class Cached(Backbone):
    """The same vectors, kept on disk, so that ten lines cost one pass of the network."""

    def blocks(self, photo, network, device):
        key = hashlib.sha256(f"{self.name}{self.layers}{self.side}{photo.shape}".encode() + photo.tobytes()).hexdigest()
        file = CACHE / f"{key[:24]}.npz"
        if not file.exists():
            begun = time.process_time()
            numbers, vectors = map(np.concatenate, zip(*super().blocks(photo, network, device)))
            CACHE.mkdir(exist_ok=True)
            temporary = file.with_suffix(".tmp.npz")
            np.savez(temporary, numbers=numbers, vectors=vectors, seconds=time.process_time() - begun)
            temporary.replace(file)
        with np.load(file) as kept:
            spent["cached"] += float(kept["seconds"])
            yield kept["numbers"], kept["vectors"]


class PatchCore:
    """PatchCore's rule in NumPy: a greedy core set of 1 % of 40,000 patches, distance to the nearest of it."""

    def __init__(self, view: Backbone):
        self.view, self.network = view, view.network()

    def fit(self, photos: Photos) -> PatchCore:
        rng = np.random.default_rng(0)
        parts = []
        for photo in photos:
            [(_, z)] = self.view.blocks(photo, self.network, "cpu")
            parts.append(z[rng.permutation(len(z))[: 40_000 // len(photos)]])
        z = np.concatenate(parts)
        low = z @ rng.normal(size=(z.shape[1], 64)).astype(np.float32)
        chosen, nearest = [0], np.full(len(z), np.inf)
        while len(chosen) < len(z) // 100:
            nearest = np.minimum(nearest, np.square(low - low[chosen[-1]]).sum(1))
            chosen.append(int(nearest.argmax()))
        self.bank = z[chosen]
        return self

    def region_scores(self, photos: Photos) -> Iterator[tuple[Grid, np.ndarray]]:
        for photo in photos:
            [(_, z)] = self.view.blocks(photo, self.network, "cpu")
            grid = self.view.grid(photo.shape, self.network)
            yield grid, cdist(z, self.bank).min(1).reshape(grid.shape)


def regions(inner: Detector, view: Backbone | Tiles, **settings: object) -> Regions:
    """A detector of regions as the lines use it; the threshold is not measured, so few photos set it."""
    return Regions(inner, view, random_state=0, device="cpu", verbose=0, threshold_samples=2, **settings)  # type: ignore[arg-type]


def lines() -> dict[str, Callable[[], Regions | PatchCore]]:
    """What is measured, by name; the order is that of the rows."""
    view, fine, tiles = Cached(), Cached(layers=(2, 3)), Tiles(64, 32)
    few = dict(max_regions=4_000)
    return {
        "patches, 10,000 at random": lambda: regions(NearestNeighbor(k=1), view),
        "patches, 2,000 by core set": lambda: regions(NearestNeighbor(k=1), view, max_regions=2_000, choose="coreset"),
        "patches, 2,000 by core set, not standardised": lambda: regions(
            NearestNeighbor(k=1, scaling="none"), view, max_regions=2_000, choose="coreset"
        ),
        "patches, 4,000 at random": lambda: regions(NearestNeighbor(k=1), view, **few),
        "PatchCore's rule in NumPy, 1 % core set": lambda: PatchCore(view),
        "PCA residual on vectors": lambda: regions(PCAResidual(), view),
        "patches, 2,000 by core set, layers 2 and 3": lambda: regions(
            NearestNeighbor(k=1), fine, max_regions=2_000, choose="coreset"
        ),
        "patches, 4,000 at random, layers 2 and 3": lambda: regions(NearestNeighbor(k=1), fine, **few),
        "PatchCore's rule in NumPy, 1 % core set, layers 2 and 3": lambda: PatchCore(fine),
        "PCA residual on vectors, layers 2 and 3": lambda: regions(PCAResidual(), fine),
        "GMM on vectors": lambda: regions(GMM(components=(10,)), view, **few),
        "VAE on vectors": lambda: regions(VAE(), view, **few),
        "DSEBM on vectors": lambda: regions(DSEBM(), view, **few),
        "Fence GAN on vectors": lambda: regions(FenceGAN(), view, **few),
        "OCAN on vectors": lambda: regions(OCAN(), view, **few),
        "MMOC-GAN on vectors": lambda: regions(MMOCGAN(), view, **few),
        "IGMM-GAN on vectors": lambda: regions(IGMMGAN(), view),
        "nearest neighbour on tiles": lambda: regions(NearestNeighbor(reducer="pca", k=1), tiles, **few),
        "PCA residual on tiles": lambda: regions(PCAResidual(), tiles, **few),
        "GMM on tiles": lambda: regions(GMM(components=(10,)), tiles, **few),
        "VAE on tiles": lambda: regions(VAE(epochs=5), tiles, **few),
        "DSEBM on tiles": lambda: regions(DSEBM(epochs=5), tiles, **few),
        "autoencoder on tiles": lambda: regions(AutoEncoder(epochs=5), tiles, **few),
        "GANomaly on tiles": lambda: regions(GANomaly(epochs=5), tiles, **few),
    }


def measure(name: str, make: Callable[[], Regions | PatchCore], data: Path, size: int | None) -> Iterator[dict]:
    """The rows of a line, one a pool; ``size`` limits photos of each kind, for a trial run."""
    normal, test = load_photos(data / "normal", mode="L").x, load_photos(data / "test", mode="L")
    rows = np.arange(len(test.x)) if size is None else np.arange(len(test.x))[:: max(1, len(test.x) // size)]
    normal = normal[:size] if size else normal
    photos = test.x[rows]
    kinds = test.y[rows]
    files = find_masks(data / "masks", photos.names)
    spent["cached"], begun = 0.0, time.process_time()
    model = make().fit(normal)
    fit_s = time.process_time() - begun + spent["cached"]
    spent["cached"], begun = 0.0, time.process_time()
    found = list(model.region_scores(photos))
    score_s = time.process_time() - begun + spent["cached"]
    shapes = [photo.shape for photo in photos]
    masks = [read_mask(file, shape)[::2, ::2] for file, shape in zip(files, shapes)]
    maps = [grid.upsampled(scores, shape)[::2, ::2] for (grid, scores), shape in zip(found, shapes)]
    place = dict(
        pixel_auroc=pixel_auroc(masks, maps),
        aupro=aupro(masks, maps),
        pointing=pointing_accuracy(masks, maps),
        pointing_within_15=pointing_accuracy(masks, maps, within=7.5),  # of every second pixel
    )
    for pool in POOLS:
        score = np.array([pooled(scores, pool) for _, scores in found])
        by_kind = {
            kind: auroc(kinds[own := (kinds == kind) | (kinds == "good")] != "good", score[own])
            for kind in sorted(set(kinds) - {"good"})
        }
        yield dict(
            line=name,
            pool=pool,
            image_auroc=auroc(kinds != "good", score),
            **place,
            by_kind=by_kind,
            fit_s=round(fit_s, 1),
            score_s=round(score_s, 1),
            peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,  # of this process so far
            n_train=len(normal),
            n_test=len(photos),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with normal/, test/ and masks/")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/photos.jsonl"))
    parser.add_argument("--only", default="", help="lines whose names hold this")
    parser.add_argument("--size", type=int, help="photos at most, for a trial")
    given = parser.parse_args()
    done = set()
    if given.output.exists():
        done = {json.loads(row)["line"] for row in given.output.read_text().splitlines()}
    for name, make in lines().items():
        if given.only not in name or name in done:
            continue
        rows = list(measure(name, make, given.data, given.size))
        with given.output.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        for row in rows:
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items() if k != "by_kind"}, flush=True)


if __name__ == "__main__":
    main()
