"""A scratch of 20 pixels in photos of 1,024 x 1,024: found on tiles, and lost where the photo is squeezed to 128.

    python benchmarks/scratch.py --data tiles/normal --output benchmarks/results/scratch.jsonl [--only PCA]

The surfaces are real, those of normal magnetic tiles ("Surface defect saliency of magnetic tile", Huang et al., 2018),
each mirrored at its edges until it fills 1,024 x 1,024 pixels; the scratch is drawn: 20 pixels long, 2 wide, 60 grey
values brighter than its surroundings, at a place and in a direction of its own. 20 photos are learnt, and 20 others
tested, each without and with its scratch. One seed; a row a line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ganad import AutoEncoder, Detector, FenceGAN, GANomaly, PCAResidual
from ganad.data import load_photos
from ganad.metrics import auroc, pointing_accuracy
from ganad.photos import Regions, Tiles

SIDE, PHOTOS, LENGTH = 1024, 20, 20
QUIET = dict(random_state=0, verbose=0, device="cpu")


def surface(photo: np.ndarray) -> np.ndarray:
    """A photo mirrored at its edges until it fills the side."""
    rows, columns = (np.pad(np.arange(side), (0, SIDE), mode="reflect")[:SIDE] for side in photo.shape)
    return photo[np.ix_(rows, columns)]


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


def squeezed(photos: list[np.ndarray]) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(p).resize((128, 128), Image.Resampling.BILINEAR)) for p in photos])


def inner(**settings: object) -> dict[str, Callable[..., Detector]]:
    return {
        "PCA residual": lambda: PCAResidual(**QUIET),
        "Fence GAN": lambda: FenceGAN(**QUIET, **settings),
        "GANomaly": lambda: GANomaly(**QUIET, **settings),
        "autoencoder": lambda: AutoEncoder(**QUIET, **settings),
    }


def measure(name: str, make: Callable[[], Detector], tiled: bool, photos: list[np.ndarray]) -> dict:
    rng = np.random.default_rng(0)
    normal, good = photos[:PHOTOS], photos[PHOTOS:]
    bad, masks = zip(*(scratched(photo, rng) for photo in good))
    begun = time.process_time()
    if tiled:
        detector = Regions(make(), Tiles(64, 32), max_regions=4000, threshold_samples=2, **QUIET)
        found = [list(detector.fit(normal).inspect(list(part))) for part in (good, bad)]
        scores = [[finding.score for finding in part] for part in found]
        place = pointing_accuracy(masks, [finding.heat for finding in found[1]], within=15)
    else:
        fitted = make().fit(squeezed(normal))
        scores = [fitted.anomaly_score(squeezed(list(part))) for part in (good, bad)]
        place = None
    return dict(
        line=f"{name} on {'tiles' if tiled else 'the photo at 128 x 128'}",
        image_auroc=auroc(np.repeat([0, 1], len(good)), np.concatenate(scores)),
        pointing_within_15=place,
        seconds=round(time.process_time() - begun, 1),
        n_train=len(normal),
        n_test=2 * len(good),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of normal photos, 40 or more")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/scratch.jsonl"))
    parser.add_argument("--only", default="", help="lines whose names begin with this")
    given = parser.parse_args()
    all_photos = load_photos(given.data, mode="L").x
    photos = [surface(all_photos[i]) for i in np.linspace(0, len(all_photos) - 1, 2 * PHOTOS).astype(int)]
    for name in inner():
        for tiled in (True, False):
            if name.startswith(given.only):
                make = inner(epochs=5)[name] if tiled else inner()[name]
                row = measure(name, make, tiled, photos)
                with given.output.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)


if __name__ == "__main__":
    main()
