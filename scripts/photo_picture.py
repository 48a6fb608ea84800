"""The picture of the guide to photos: a photo with its boxes, its map, and the mask of its defect, side by side.

    python scripts/photo_picture.py docs/assets/photos.png

The photo is made up, brushed metal with a scratch of 20 pixels, so that the picture belongs to nobody else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ganad import Gaussian
from ganad.photos import Backbone, Regions
from ganad.photos.found import to_scale

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from plates import plate  # type: ignore[import-not-found,unused-ignore]

HEIGHT, WIDTH, GAP = 180, 260, 8


def scratched(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros(photo.shape, bool)
    steps = np.arange(20)
    for wide in range(2):
        mask[100 + steps, 170 + steps + wide] = True
    return np.where(mask, 235, photo).astype(np.uint8), mask


def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    settings = dict(max_regions=400_000, pool="max", random_state=0, verbose=0, device="cpu")
    detector = Regions(Gaussian(apart=True), Backbone("filters", cells=32), **settings)
    detector.fit([plate(rng, HEIGHT, WIDTH) for _ in range(60)], hold_out=0.5, false_alarm_rate=0.05)
    photo, mask = scratched(plate(rng, HEIGHT, WIDTH))
    [found] = detector.inspect([photo])
    boxed = Image.fromarray(photo).convert("RGB")
    for region in found.regions:
        right, bottom = region.x + region.width - 1, region.y + region.height - 1
        ImageDraw.Draw(boxed).rectangle((region.x, region.y, right, bottom), outline=(230, 40, 40), width=2)
    heat = to_scale(found.heat, detector.map_threshold_).clip(0, 1)
    steps = 3 * heat[..., None] - [0, 1, 2]
    panels = [boxed, Image.fromarray(np.uint8(255 * steps.clip(0, 1))), Image.fromarray(mask).convert("RGB")]
    whole = Image.new("RGB", (3 * WIDTH + 2 * GAP, HEIGHT), "white")
    for i, panel in enumerate(panels):
        whole.paste(panel, (i * (WIDTH + GAP), 0))
    return whole


if __name__ == "__main__":
    picture().quantize(64).save(Path(sys.argv[1]), optimize=True)
