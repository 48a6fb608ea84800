"""PatchCore's and PaDiM's rules on the magnetic tiles, with the features that ``ganad bench tiles`` has.

    python benchmarks/photos.py --data-dir FOLDER [--seeds 3] [--rows FILE]

They are written here in NumPy from their papers, because anomalib needs torchvision, and are compared with the rows of
``ganad bench tiles`` (docs/guide/photos.md). Both see EfficientNet-Lite0, as those rows do:

PatchCore   layers 2 and 3 of photos whose shorter side is 256 pixels, 3 x 3 means, a greedy core set of 1 % of 40,000
            patches, the distance to the nearest of it; a photo's score is its highest patch (K. Roth et al., CVPR 2022)
PaDiM       layers 2, 3 and 4 of photos of 256 x 256 pixels, 100 random channels, a Gaussian for every position; a
            photo's score is its highest position (T. Defard et al., ICPR 2021)

One thread. A row is written when it is done, and one that is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.spatial.distance import cdist

from ganad import metrics, protocols
from ganad.data import read_mask
from ganad.photos import Backbone
from ganad.pixel_metrics import PixelFigures

ROWS = Path(__file__).parent / "results" / "photos.jsonl"
CPU = torch.device("cpu")


def vectors(view: Backbone, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """``(rows, columns, d)`` of each photo."""
    network, found = view.network(), []
    for photo in photos:
        blocks = list(view.blocks(photo, network, CPU))
        order, z = (np.concatenate(part) for part in zip(*blocks))
        found.append(z[np.argsort(order)].reshape(*view.grid(photo.shape, network).shape, -1))
    return found


class PatchCore:
    view = Backbone(layers=(2, 3), side=256)

    def seen(self, photo: np.ndarray) -> np.ndarray:
        return photo

    def fit(self, maps: list[np.ndarray], rng: np.random.Generator) -> None:
        share = 40_000 // len(maps)
        z = np.concatenate([rng.permutation(m.reshape(-1, m.shape[-1]))[:share] for m in maps])
        low = z @ rng.normal(size=(z.shape[1], 64)).astype(np.float32)
        chosen, nearest = [0], np.full(len(z), np.inf)
        while len(chosen) < len(z) // 100:
            nearest = np.minimum(nearest, np.square(low - low[chosen[-1]]).sum(1))
            chosen.append(int(nearest.argmax()))
        self.bank = z[chosen]

    def heat(self, m: np.ndarray) -> np.ndarray:
        return cdist(m.reshape(-1, m.shape[-1]), self.bank).min(1).reshape(m.shape[:2])


class PaDiM:
    view = Backbone(layers=(2, 3, 4))

    def seen(self, photo: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(photo).resize((256, 256), Image.Resampling.BILINEAR))

    def fit(self, maps: list[np.ndarray], rng: np.random.Generator) -> None:
        self.channels = rng.permutation(maps[0].shape[-1])[:100]
        z = np.stack([m[..., self.channels] for m in maps]).astype(np.float64)
        self.mean = z.mean(0)
        z -= self.mean
        covariance = np.einsum("nijc,nijd->ijcd", z, z, optimize=True) / (len(z) - 1)
        self.whiten = np.linalg.inv(np.linalg.cholesky(covariance + 0.01 * np.eye(100)))

    def heat(self, m: np.ndarray) -> np.ndarray:
        gap = m[..., self.channels] - self.mean
        return np.linalg.norm(np.einsum("ijcd,ijd->ijc", self.whiten, gap), axis=-1)


def measure(rule: PatchCore | PaDiM, seed: int, data_dir: Path | None) -> dict:
    """One row: figures of all photos, and by kind of defect."""
    samples = protocols.read("tiles", data_dir=data_dir)
    split = protocols.split("tiles", samples)
    train, test = split.take(samples.x)
    begun = time.process_time()
    rule.fit(vectors(rule.view, [rule.seen(photo) for photo in train]), np.random.default_rng(seed))
    fitted = time.process_time()
    heats = [rule.heat(m) for m in vectors(rule.view, [rule.seen(photo) for photo in test])]
    done = time.process_time()
    pixels = PixelFigures(len(test))
    for row, photo, heat in zip(split.test, test, heats):
        large = Image.fromarray(heat.astype(np.float32)).resize(photo.shape[::-1], Image.Resampling.BILINEAR)
        pixels.add(read_mask(samples.masks[row], photo.shape), np.asarray(large))
    scores = np.array([heat.max() for heat in heats])
    lines = metrics.by_kind(samples.y[split.test].tolist(), split.y_test, scores, pixels)
    return dict(
        rule=type(rule).__name__,
        seed=seed,
        metrics={k: round(v, 6) for k, v in lines[-1].items() if isinstance(v, float)},
        by_kind=lines,
        fit_s=round(fitted - begun, 1),
        score_s=round(done - fitted, 1),
        split=split.hash,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="folder that holds tiles/; default: GANAD_DATA")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=Path, default=ROWS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [json.loads(line) for line in given.rows.read_text().splitlines()] if given.rows.exists() else []
    done = {(row["rule"], row["seed"]) for row in rows}
    for seed in range(given.seeds):
        for rule in (PatchCore(), PaDiM()):
            if (type(rule).__name__, seed) not in done:
                row = measure(rule, seed, given.data_dir)
                with given.rows.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row["rule"], seed, row["metrics"], f"fit {row['fit_s']} s, score {row['score_s']} s", flush=True)


if __name__ == "__main__":
    main()
