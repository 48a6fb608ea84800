"""Single detectors and pairs of them on images, with and without each image's own brightness and contrast.

    python benchmarks/image_ensembles.py [--train 4000] [--cases mnist:1 digits:9] [--members KDE LOF@16]

A member "LOF@16" sees images of 16 x 16.

One class is held out of training and is the anomaly of the test. A member is fitted on four fifths of the training
images and scores the last fifth, which puts the scores of all members on one scale. Scores are kept, a file a case and
member, so that the command may be stopped and started. A label is used for the AUROC alone.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import ganad
from ganad import protocols

PROTOCOLS = {"mnist": "mnist-lo-official", "cifar10": "cifar-lo-official", "digits": "digits-lo"}
MEMBERS = "KDE NearestNeighbor LOF LOF@16".split()
SCALINGS = ("minmax", "contrast")
CASES = [f"mnist:{digit}" for digit in range(10)] + ["cifar10:airplane", "cifar10:automobile"]
TEST = 2_000

Array = NDArray[np.float64]


def member_scores(name: str, scaling: str, case: str, n_train: int, data_dir: str | None) -> dict[str, Array]:
    """Standardised scores of the test images, their labels, and the seconds of the fit."""
    dataset, _, held_out = case.partition(":")
    protocol = protocols.PROTOCOLS[PROTOCOLS[dataset]]
    samples = protocols.read(PROTOCOLS[dataset], data_dir=data_dir)
    split = protocol.split(samples, held_out, 0, n_train=n_train, n_test=TEST)
    x, x_new = split.take(samples.x)
    order = np.random.default_rng(0).permutation(len(x))
    part, rest = order[len(x) // 5 :], order[: len(x) // 5]
    method, _, side = name.partition("@")
    size = {"image_size": int(side)} if side else {}
    model = getattr(ganad, method)(scaling=scaling, random_state=0, threads=1, device="cpu", verbose=0, **size)
    start = time.perf_counter()
    model.fit(x[part])
    seconds = time.perf_counter() - start
    normal = model.anomaly_score(x[rest])
    scores = (model.anomaly_score(x_new) - normal.mean()) / (normal.std() or 1.0)
    return {"scores": scores, "labels": split.y_test, "seconds": np.array(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=4_000, help="training images")
    parser.add_argument("--cases", nargs="+", default=CASES, metavar="DATA:CLASS", help="the class held out")
    parser.add_argument("--members", nargs="+", default=MEMBERS)
    parser.add_argument("--scalings", nargs="+", default=SCALINGS)
    parser.add_argument("--data-dir", help="folder with the data sets")
    parser.add_argument("--scores", type=Path, default=Path("image-scores"))
    given = parser.parse_args()
    given.scores.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    found: dict[tuple[str, str], dict[str, Array]] = {}
    for name, scaling, case in itertools.product(given.members, given.scalings, given.cases):
        path = given.scores / f"{case.replace(':', '-')}-{given.train}-{name}-{scaling}.npz"
        if not path.exists():
            np.savez(path, **member_scores(name, scaling, case, given.train, given.data_dir))  # type: ignore[arg-type]
        with np.load(path) as file:
            found[f"{name}, {scaling}", case] = dict(file)
    show(found, given.cases)


def show(found: dict[tuple[str, str], dict[str, Array]], cases: Sequence[str]) -> None:
    """Lines of single members, then of the best pairs and triples, by their mean."""
    singles = sorted({member for member, _ in found})
    sets = [s for k in (1, 2, 3) for s in itertools.combinations(singles, k)]
    areas = {s: [area([found[m, case] for m in s]) for case in cases] for s in sets}
    print(f"| members | mean | {' | '.join(cases)} | fit s |\n|" + "---|" * (len(cases) + 3))
    best = sorted((s for s in sets if len(s) > 1), key=lambda s: -float(np.mean(areas[s])))[:25]
    for members in [(m,) for m in singles] + best:
        seconds = sum(float(np.mean([found[m, case]["seconds"] for case in cases])) for m in members)
        cells = " | ".join(f"{a:.3f}" for a in areas[members])
        print(f"| {' + '.join(members)} | {np.mean(areas[members]):.3f} | {cells} | {seconds:.0f} |")


def area(members: Sequence[dict[str, Array]]) -> float:
    return float(roc_auc_score(members[0]["labels"], np.mean([m["scores"] for m in members], axis=0)))


if __name__ == "__main__":
    main()
