"""Whether thresholds hold for new samples: the normal rows that ``predict`` flags at ``contamination=0.01``.

    python benchmarks/unlearnt.py FOLDER [--only KDE GMM] [--rows FILE]
    python benchmarks/unlearnt.py --tiles FOLDER   # photos: 30, 100 and all of FOLDER/normal
    python benchmarks/unlearnt.py --table     # into docs/guide/thresholds.md, from the rows

FOLDER holds the tables of benchmarks/tables.py, and the rows are parted as there, with one seed: at most 800 normal
rows train, the other normal rows are tested. Detectors have their defaults, and a threshold from the scores of training
samples (``threshold_fits=0``) beside the default one, from samples that more fits did not learn. One process, one
thread; the widest table is left out, because networks take minutes for it. Of photos, those of FOLDER/test/good are
tested, the score of each and, beside it, whether any place of its map stands out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from pages import between  # type: ignore[import-not-found,unused-ignore]
from tables import Split, read_rows, read_split  # type: ignore[import-not-found,unused-ignore]

import ganad
from ganad import Gaussian, NearestNeighbor, PCAResidual
from ganad.atomic import write_text
from ganad.data import load_photos
from ganad.photos import Backbone, Regions, Tiles

ROWS = Path(__file__).parent / "results" / "unlearnt.jsonl"
PAGE = Path(__file__).parent.parent / "docs" / "guide" / "thresholds.md"
BASELINES = ("OneClassSVM", "KDE", "GMM", "NearestNeighbor", "LOF", "Gaussian", "PCAResidual", "IsolationForest")
GANS = ("GANomaly", "FenceGAN", "IGMMGAN", "MMOCGAN", "ADGAN", "AnoGAN")
DETECTORS = (*BASELINES, "Trivial", "AutoEncoder", "VAE", *GANS, "Auto")
PHOTOS: dict[str, Callable[[], Regions]] = {
    "auto's: a Gaussian a place": lambda: Regions(
        Gaussian(apart=True), Backbone(layers=(0, 3), cells=24), max_regions=400_000, pool="max"
    ),
    "nearest neighbour of a backbone's vectors": lambda: Regions(NearestNeighbor(k=1), Backbone()),
    "PCA of tiles": lambda: Regions(PCAResidual(), Tiles(64, 32)),
}
LEFT_OUT = "17_InternetAds"
RATE = 0.01


def measure(detector: str, fits: int | None, table: str, split: Split) -> dict[str, Any]:
    """The share of tested normal rows that are flagged, and the processor time of the fit."""
    model = getattr(ganad, detector)(contamination=RATE, random_state=0, device="cpu", threads=1, verbose=0)
    if fits is not None:  # else as it comes
        model.set_params(threshold_fits=fits)
    start = time.process_time()
    model.fit(split.train)
    seconds = time.process_time() - start
    normal = split.test[split.labels == 0]
    flagged = float((model.predict(normal) == -1).mean())
    row = dict(detector=detector, fits=fits, table=table, n=len(normal), flagged=round(flagged, 5))
    return row | dict(fit_s=round(seconds, 3))


def measure_photos(detector: str, fits: int | None, learnt: list[np.ndarray], good: list[np.ndarray]) -> dict[str, Any]:
    """The share of good photos that are flagged, and of those with a region that stands out."""
    model = PHOTOS[detector]()
    model.set_params(contamination=RATE, threshold_fits=fits, random_state=0, device="cpu", threads=1, verbose=0)
    start = time.process_time()
    model.fit(learnt)
    seconds = time.process_time() - start
    found = list(model.inspect(good))
    flagged = float(np.mean([each.score > model.threshold_ for each in found]))
    regions = float(np.mean([len(each.regions) > 0 for each in found]))
    row = dict(detector=detector, fits=fits, table="tiles", learnt=len(learnt), n=len(good), flagged=round(flagged, 5))
    return row | dict(regions=round(regions, 5), fit_s=round(seconds, 3))


def photo_table(rows: list[dict[str, Any]]) -> str:
    """A line a detector and number of photos: good photos that are flagged, and in brackets those with a region."""
    lines = ["| detector | photos | learnt | unlearnt | time of a fit |", "|---" * 5 + "|"]
    for detector in PHOTOS:
        for n in sorted({row["learnt"] for row in rows if row["detector"] == detector}):
            mine = [row for row in rows if (row["detector"], row.get("learnt")) == (detector, n)]
            own = {row["fits"] == 0: row for row in mine}
            if len(own) < 2:
                continue  # interrupted
            cells = [f"{own[learnt]['flagged']:.1%} ({own[learnt]['regions']:.1%})" for learnt in (True, False)]
            cells.append(f"x {own[False]['fit_s'] / own[True]['fit_s']:.1f}")
            lines.append(f"| {detector} | {n} | {' | '.join(cells)} |")
    return "\n".join(lines)


def table(rows: list[dict[str, Any]]) -> str:
    """A line a detector, and beside each other its threshold from training samples and from unlearnt ones."""
    lines = ["| detector | learnt: mean | worst table | unlearnt: mean | worst table | time of a fit |"]
    lines.append("|---" * 6 + "|")
    for detector in DETECTORS:
        mine = [row for row in rows if row["detector"] == detector]
        cells, seconds = [], []
        for unlearnt in (False, True):
            own = [row for row in mine if (row["fits"] != 0) is unlearnt]
            shares = [row["flagged"] for row in own]
            cells += [f"{np.mean(shares):.1%}", f"{max(shares):.1%}"] if shares else ["", ""]
            seconds.append(sum(row["fit_s"] for row in own))
        cells.append(f"x {seconds[1] / seconds[0]:.1f}" if all(seconds) else "")
        if mine:
            lines.append(f"| {detector} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--tiles", type=Path, metavar="FOLDER", help="measure photos instead of tables")
    parser.add_argument("--only", nargs="+", default=DETECTORS, help="detectors")
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--table", action="store_true", help="write the table into the guide and measure nothing")
    given = parser.parse_args()
    if given.table:
        rows = read_rows(given.rows)
        photos = [row for row in rows if "learnt" in row]
        page = between(PAGE.read_text("utf-8"), "unlearnt", table([row for row in rows if row not in photos]))
        write_text(PAGE, between(page, "unlearnt-photos", photo_table(photos)))
        return
    warnings.simplefilter("ignore")
    if given.tiles is not None:
        normal, good = (list(load_photos(given.tiles / part).x) for part in ("normal", "test/good"))
        normal = [normal[i] for i in np.random.default_rng(0).permutation(len(normal))]  # neighbours by name are alike
        done = [(row["detector"], row["fits"], row["learnt"]) for row in read_rows(given.rows) if "learnt" in row]
        for n in (30, 100, len(normal)):
            for detector in PHOTOS:
                for fits in (0, None):
                    if (detector, fits, n) not in done:
                        _write(measure_photos(detector, fits, normal[:n], good), given.rows)
        return
    if given.folder is None:
        parser.error("give the folder of the tables, or --tiles FOLDER")
    for path in sorted(given.folder.glob("*.npz")):
        if path.stem == LEFT_OUT:
            continue
        split = read_split(path, 0)
        for detector in given.only:
            default = None if detector == "Auto" else getattr(ganad, detector)().threshold_fits
            for fits in (0, default)[detector == "Auto" :]:  # that of auto comes from the samples it holds out
                case = (detector, fits, path.stem)
                if case in [(row["detector"], row["fits"], row["table"]) for row in read_rows(given.rows)]:
                    continue
                _write(measure(*case, split), given.rows)


def _write(row: dict[str, Any], rows: Path) -> None:
    with rows.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(row, flush=True)


if __name__ == "__main__":
    main()
