"""What part of a fit makes variants of its photos, which is done with NumPy before the backbone or the tiles.

    python benchmarks/variants.py --data tiles/normal

20 photos, all ways, one thread; processor time, five fits of each view, the middle one.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np

from ganad import NearestNeighbor
from ganad.data import load_photos
from ganad.photos import Backbone, Regions, Tiles, augment

PHOTOS, TIMES = 20, 5
VIEWS = {
    "backbone": lambda: Regions(NearestNeighbor(k=1), Backbone(), **SETTINGS),
    "tiles": lambda: Regions(NearestNeighbor(k=1, reducer="pca"), Tiles(64, 32), **SETTINGS),
}
SETTINGS: dict[str, Any] = dict(
    augment="flip,rotate90,shift,brightness", random_state=0, device="cpu", threads=1, verbose=0
)


def measured(view: str, photos: list[np.ndarray]) -> tuple[float, float]:
    """Processor seconds of the variants and of the whole fit."""
    made, spent = augment.variants, [0.0]

    def timed(*arguments: Any) -> Iterator[augment.Photo]:
        variants = made(*arguments)
        while True:
            begun = time.process_time()
            variant = next(variants, None)
            spent[0] += time.process_time() - begun
            if variant is None:
                return
            yield variant

    with mock.patch.object(augment, "variants", timed):
        begun = time.process_time()
        VIEWS[view]().fit(photos)
        return spent[0], time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    folder = load_photos(parser.parse_args().data).x
    photos = [folder[i] for i in range(PHOTOS)]
    for view in VIEWS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = sorted((measured(view, photos) for _ in range(TIMES)), key=lambda row: row[0] / row[1])
        variants, whole = rows[TIMES // 2]
        print(f"{view}: variants {variants:.3f} s of {whole:.1f} s, {variants / whole:.1%}")


if __name__ == "__main__":
    main()
