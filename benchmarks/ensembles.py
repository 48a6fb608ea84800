"""Single detectors and their ensembles on public tables: how members' scores are combined, and what holding out costs.

    python benchmarks/ensembles.py --data FOLDER [--seeds 2] [--scores FOLDER]

The splits are those of benchmarks/tables.py. Each member is fitted once on all training rows and once without a fifth,
which it then scores; these scores are kept, a file a table and seed, so that the command may be stopped and started.
From them the tables below are computed: AUROC, mean over tables and seeds; a label is used for that alone.
"""

from __future__ import annotations

import argparse
import itertools
import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

# beside this file
from tables import DATA, read_split  # type: ignore[import-not-found,unused-ignore]

import ganad
from ganad.calibrate import p_values

MEMBERS = "KDE GMM NearestNeighbor LOF OneClassSVM PCAResidual IsolationForest AutoEncoder IGMMGAN".split()
MEMBERS += ["NearestNeighbor, minmax", "GMM, minmax", "OneClassSVM, minmax"]  # the others: the default scaling
SHARE = 0.2  #: of the training rows, held out

Scores = dict[str, NDArray[np.float64]]
Array = NDArray[np.float64]


def member_scores(path: Path, seed: int) -> Scores:
    """Scores of all members on one table: "GMM/all" and "GMM/part" of the test rows, "GMM/held" of those held out."""
    split = read_split(path, seed)
    order = np.random.default_rng(seed).permutation(len(split.train))
    n = round(SHARE * len(order))
    found: Scores = {"labels": split.labels}
    for name in MEMBERS:
        for which, rows in (("all", order), ("part", order[n:])):
            method, _, scaling = name.partition(", ")
            chosen = {"scaling": scaling} if scaling else {}
            detector = getattr(ganad, method)(random_state=seed, threads=1, verbose=0, device="cpu", **chosen)
            model = detector.fit(split.train[rows])
            found[f"{name}/{which}"] = model.anomaly_score(split.test)
        found[f"{name}/held"] = model.anomaly_score(split.train[order[:n]])
    return found


def deviation(held: Array) -> tuple[float, float]:
    return float(held.mean()), float(held.std()) or 1.0


def median_deviation(held: Array) -> tuple[float, float]:
    centre = float(np.median(held))
    return centre, 1.4826 * float(np.median(np.abs(held - centre))) or 1.0


def upper_half(held: Array) -> tuple[float, float]:
    centre = float(np.median(held))
    return centre, float(np.quantile(held, 0.9) - centre) / 1.2816 or 1.0


def of_scaled(scale: Callable[[Array], tuple[float, float]], join: Callable[[Array], Array]) -> Callable[..., Array]:
    def combined(tests: Sequence[Array], helds: Sequence[Array]) -> Array:
        parts = [(scale(held), test) for held, test in zip(helds, tests, strict=True)]
        return join(np.array([(test - centre) / spread for (centre, spread), test in parts]))

    return combined


def of_p_values(join: Callable[[Array], Array]) -> Callable[..., Array]:
    def combined(tests: Sequence[Array], helds: Sequence[Array]) -> Array:
        return join(np.array([p_values(test, held) for test, held in zip(tests, helds, strict=True)]))

    return combined


COMBINATIONS: dict[str, Callable[..., Array]] = {
    "mean, deviation": of_scaled(deviation, lambda z: z.mean(0)),
    "mean, median deviation": of_scaled(median_deviation, lambda z: z.mean(0)),
    "mean, upper half": of_scaled(upper_half, lambda z: z.mean(0)),
    "median, deviation": of_scaled(deviation, lambda z: np.median(z, 0)),
    "max, deviation": of_scaled(deviation, lambda z: z.max(0)),
    "p, Fisher": of_p_values(lambda p: -np.log(p).sum(0)),
    "p, Stouffer": of_p_values(lambda p: norm.isf(p.clip(0, 0.999)).sum(0)),
    "p, Cauchy": of_p_values(lambda p: np.tan((0.5 - p.clip(1e-9, 0.999)) * np.pi).sum(0)),
}


def mean_auroc(cases: list[Scores], score: Callable[[Scores], Array]) -> float:
    return float(np.mean([roc_auc_score(case["labels"], score(case)) for case in cases]))


def ensemble(members: Sequence[str], which: str, combination: str) -> Callable[[Scores], Array]:
    def score(case: Scores) -> Array:
        tests = [case[f"{name}/{which}"] for name in members]
        return COMBINATIONS[combination](tests, [case[f"{name}/held"] for name in members])

    return score


def show(cases: list[Scores]) -> None:
    print(f"{len(cases)} tables and seeds\n\n| member | all rows | without a fifth |\n|---|---|---|")
    for name in MEMBERS:
        whole, part = (mean_auroc(cases, operator.itemgetter(f"{name}/{which}")) for which in ("all", "part"))
        print(f"| {name} | {whole:.4f} | {part:.4f} |")
    sets = [s for k in (2, 3, 4, 5, len(MEMBERS)) for s in itertools.combinations(MEMBERS, k)]
    print(f"\n{len(sets)} sets of members:\n\n| combination | all rows | without a fifth |\n|---|---|---|")
    for combination in COMBINATIONS:
        means = [np.mean([mean_auroc(cases, ensemble(s, w, combination)) for s in sets]) for w in ("all", "part")]
        print(f"| {combination} | {means[0]:.4f} | {means[1]:.4f} |")
    ranked = sorted(sets, key=lambda s: -mean_auroc(cases, ensemble(s, "all", "mean, deviation")))
    print("\n| members | mean, deviation; all rows | worst table |\n|---|---|---|")
    for members in ranked[:12]:
        score = ensemble(members, "all", "mean, deviation")
        worst = min(mean_auroc([case], score) for case in cases)
        print(f"| {' + '.join(members)} | {mean_auroc(cases, score):.4f} | {worst:.4f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--scores", type=Path, default=Path("ensemble-scores"))
    given = parser.parse_args()
    given.scores.mkdir(exist_ok=True)
    cases = []
    for seed, path in itertools.product(range(given.seeds), sorted(given.data.glob("*.npz"))):
        kept = given.scores / f"{path.stem}-{seed}.npz"
        if not kept.exists():
            np.savez(kept, **member_scores(path, seed))  # type: ignore[arg-type]
        with np.load(kept) as file:
            cases.append(dict(file))
    show(cases)


if __name__ == "__main__":
    main()
