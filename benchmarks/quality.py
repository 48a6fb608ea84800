"""How well each method finds what was held out, on real data, beside plain baselines; last epoch, no test label used.

    python benchmarks/quality.py --data-dir DATA [--only digits mnist kdd] [--workers 2] [--table]

digits   scikit-learn's, one digit held out (0, 1, 9 first, then the others): 60 % of the others train, the rest tests
mnist    12,000 random training images without one digit (0, 1, 5); the whole official test set tests
kdd      half of the KDD99 attacks train; the other half and half of the normal connections test (anomalies)

A row of benchmarks/results/quality.jsonl is one fit: settings, seed, quality of its scores, seconds. A second start
skips what is there. Training lengths were set by the time they take on two CPU cores, not by results. With --table
QUALITY.md is written from the rows. For FenceGAN, whose epochs differ widely, a row also holds the test AUROC after
every epoch with the last weights and with the averaged ones; "FenceGAN patience 5" is stopped by its loss on held-out
normal data.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

RESULTS = Path(__file__).parent / "results" / "quality.jsonl"
PAGE = Path(__file__).parent / "QUALITY.md"
INTRODUCTION = """# How well each method finds what was held out

Written by `python benchmarks/quality.py --table` from `results/quality.jsonl`; every row there is a fit that
`python benchmarks/quality.py --data-dir DATA` made. AUROC, mean ± standard deviation over the seeds that were run
(0, 1, 2); last epoch; no test label was used for training, stopping, scaling or the choice of a setting. Training is
short, for two CPU cores: 12,000 MNIST images for 3 to 6 epochs. The column is the class held out. The baselines come
last; on KDD99 the attacks are the normal class, as in the papers, and F1 flags as many rows as there are anomalies.
A digit 1 is easier to redraw than the digits it is held out from, so reconstruction-like scores rate it as more
normal than them; that is the methods' nature, not a sign error, and the baselines show it too.
"""
METHODS = {
    "digits": {
        "FenceGAN": dict(epochs=30, batch_size=50),
        "FenceGAN patience 5": dict(epochs=30, batch_size=50, patience=5),
        "GANomaly": dict(epochs=30, latent_dim=32),
        "EGBAD": dict(epochs=30, latent_dim=32),
        "AutoEncoder": dict(epochs=30, latent_dim=32),
    },
    "mnist": {
        "FenceGAN": dict(epochs=6, pretrain_epochs=2),
        "GANomaly": dict(preset="mnist", epochs=3),
        "EGBAD": dict(epochs=4),
        "AutoEncoder": dict(epochs=6),
    },
    "kdd": {
        "FenceGAN": dict(preset="kddcup99", epochs=8, pretrain_epochs=1),
        "GANomaly": dict(epochs=4, batch_size=256, latent_dim=32, scaling="minmax"),
        "EGBAD": dict(preset="kddcup99", epochs=4, lr=1e-4),
        "AutoEncoder": dict(preset="kddcup99", epochs=8),
    },
}
BASELINES = ("1-NN on PCA-40", "PCA-40 residual", "IsolationForest")
CLASSES = {"digits": ["0", "1", "9", "2", "3", "4", "5", "6", "7", "8"], "mnist": ["0", "1", "5"], "kdd": ["normal"]}
SEEDS = (0, 1, 2)


def split(name: str, held_out: str, seed: int, data_dir: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training samples, test samples, and 1 where a test sample is an anomaly."""
    from ganad.data import load

    rng = np.random.default_rng(seed)
    if name == "mnist":
        train, test = (load("mnist", split=s, data_dir=data_dir) for s in ("train", "test"))
        normal = np.flatnonzero(train.y != int(held_out))
        return train.x[rng.choice(normal, 12_000, replace=False)], test.x, (test.y == int(held_out)).astype(int)
    samples = load("digits") if name == "digits" else load("kddcup99", data_dir=data_dir)
    anomaly = samples.y.astype(str) == held_out
    order = rng.permutation(len(anomaly))
    if name == "digits":
        cut = int(0.6 * len(order))
        train, test = order[:cut], order[cut:]
    else:  # half of each class, as the papers split it
        train, test = order[: len(order) // 2], order[len(order) // 2 :]
    return samples.x[train[~anomaly[train]]], samples.x[test], anomaly[test].astype(int)


def quality(y: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """AUROC, average precision, and F1 when as many are flagged as there are anomalies, ties broken at random."""
    order = np.lexsort((np.random.default_rng(0).random(len(score)), -score))
    found = y[order[: y.sum()]].sum()
    return {
        "auroc": float(roc_auc_score(y, score)),
        "ap": float(average_precision_score(y, score)),
        "f1_at_prevalence": float(found / y.sum()),
    }


def baseline(name: str, train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    flat = [x.reshape(len(x), -1).astype(np.float32) for x in (train, test)]
    scale = np.ptp(flat[0], axis=0) if train.ndim == 2 else np.float32(127.5)
    flat = [x / np.where(scale > 0, scale, 1) for x in flat]
    if name == "IsolationForest":
        return -IsolationForest(random_state=seed).fit(flat[0]).score_samples(flat[1])
    pca = PCA(min(40, *flat[0].shape), random_state=seed).fit(flat[0])
    codes = [pca.transform(x) for x in flat]
    if name == "PCA-40 residual":
        return np.square(flat[1] - pca.inverse_transform(codes[1])).sum(1)
    _, distinct = np.unique(flat[0], axis=0, return_index=True)  # 82 % of KDD99's training rows are repeats
    return NearestNeighbors(n_neighbors=1, algorithm="brute").fit(codes[0][distinct]).kneighbors(codes[1])[0][:, 0]


def trial(name: str, method: str, held_out: str, seed: int, data_dir: str) -> dict[str, object]:
    """One fit and its row."""
    train, test, y = split(name, held_out, seed, data_dir)
    row: dict[str, object] = {"data": name, "held_out": held_out, "method": method, "seed": seed}
    row |= {"n_train": len(train), "n_test": len(test), "n_anomalies": int(y.sum())}
    start = time.perf_counter()
    if method in BASELINES:
        scores = baseline(method, train, test, seed)
        return row | quality(y, scores) | {"fit_and_score_s": round(time.perf_counter() - start, 1)}
    import ganad

    settings = dict(METHODS[name][method])
    cls = getattr(ganad, method.split()[0])
    preset = settings.pop("preset", None)
    detector = cls.preset(preset, **settings) if preset else cls(**settings)
    detector.set_params(random_state=seed, threads=1, verbose=0)
    epochs = watched(detector, test, y) if method == "FenceGAN" and name != "kdd" else {}
    detector.fit(train)
    fitted = time.perf_counter()
    scores = detector.anomaly_score(test)
    return (
        row
        | quality(y, scores)
        | {
            "fit_s": round(fitted - start, 1),
            "score_s": round(time.perf_counter() - fitted, 1),
            "flagged_of_normal": float((scores[y == 0] > detector.threshold_).mean()),
            "settings": {k: v for k, v in detector.get_params().items() if v != cls().get_params()[k]},
            "versions": ganad.persist.versions(),
        }
        | epochs
    )


def watched(detector, test: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    """Record, and never use, the test AUROC after every epoch: of the last weights and of the averaged ones."""
    curves: dict[str, list[float]] = {"auroc_last": [], "auroc_averaged": []}
    rows = np.sort(np.random.default_rng(0).choice(len(test), min(2000, len(test)), replace=False))
    make_run = detector.make_run

    def with_watch(step, x, **options):
        run = make_run(step, x, **options)
        end_epoch = run.end_epoch

        def look():
            end_epoch()
            if run.name != "training":
                return
            modes = {k: net.training for k, net in detector.nets_.items()}
            curves["auroc_last"].append(float(roc_auc_score(y[rows], detector._score(test[rows]))))
            with run.averaged_weights():
                curves["auroc_averaged"].append(float(roc_auc_score(y[rows], detector._score(test[rows]))))
            for k, net in detector.nets_.items():
                net.train(modes[k])

        run.end_epoch = look
        return run

    detector.make_run = with_watch
    return curves


def keys(row: dict[str, object]) -> tuple[object, ...]:
    return row["data"], row["method"], row["held_out"], row["seed"]


def read() -> list[dict[str, object]]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def table(rows: list[dict[str, object]]) -> str:
    """Mean and standard deviation over seeds, as Markdown."""
    lines = []
    for name, metrics in (("digits", ["auroc"]), ("mnist", ["auroc"]), ("kdd", ["auroc", "f1_at_prevalence"])):
        classes = CLASSES[name]
        head = [f"{m} {c}" if name == "kdd" else c for c in classes for m in metrics]
        lines += ["", f"**{name}**", "", "| method | " + " | ".join(head) + " | mean |", "|---" * (len(head) + 2) + "|"]
        for method in [*METHODS[name], *BASELINES]:
            cells, means = [], []
            for c in classes:
                for metric in metrics:
                    found = [r[metric] for r in rows if (r["data"], r["method"], r["held_out"]) == (name, method, c)]
                    if found:
                        means.append(statistics.mean(found))
                        spread = f" ± {statistics.stdev(found):.3f}" if len(found) > 1 else ""
                        cells.append(f"{means[-1]:.3f}{spread}")
                    else:
                        cells.append("-")
            mean = f"{statistics.mean(means):.3f}" if len(means) == len(cells) and name != "kdd" else ""
            lines.append(f"| {method} | " + " | ".join(cells) + f" | {mean} |")
    return "\n".join(lines)


def averaging(rows: list[dict[str, object]]) -> str:
    """What averaging the weights and stopping early do for FenceGAN: last epoch, and the range over the epochs."""
    lines = [
        *["", "**FenceGAN with and without weight averaging and early stopping**", ""],
        "| data | held out | last weights | averaged | range over epochs, last | averaged | patience 5 |",
        "|---" * 7 + "|",
    ]
    for name in ("digits", "mnist"):
        for c in CLASSES[name]:
            mine = [r for r in rows if (r["data"], r["held_out"]) == (name, c)]
            found = [r for r in mine if r["method"] == "FenceGAN"]
            stopped = [r["auroc"] for r in mine if r["method"] == "FenceGAN patience 5"]
            if not found:
                continue
            cells = []
            for key in ("auroc_last", "auroc_averaged"):
                cells.append(f"{statistics.mean(r[key][-1] for r in found):.3f}")
            for key in ("auroc_last", "auroc_averaged"):
                cells.append(f"{min(min(r[key]) for r in found):.2f} to {max(max(r[key]) for r in found):.2f}")
            cells.append(f"{statistics.mean(stopped):.3f}" if stopped else "-")
            lines.append(f"| {name} | {c} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=os.environ.get("GANAD_DATA"))
    parser.add_argument("--only", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="write QUALITY.md from the rows, run nothing")
    options = parser.parse_args()
    if options.table:
        PAGE.write_text(INTRODUCTION + table(read()) + "\n" + averaging(read()) + "\n")
        print(f"wrote {PAGE.name} from {len(read())} rows")
        return
    done = {keys(r) for r in read()}
    grid = [
        (name, method, held_out, seed)
        for name in options.only
        for held_out in CLASSES[name]
        for seed in SEEDS
        for method in [*BASELINES, *METHODS[name]]
        if (name, method, held_out, seed) not in done
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(trial, *key, options.data_dir): key for key in grid}
        for i, future in enumerate(as_completed(waiting), 1):
            row = future.result()
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{i}/{len(grid)} {' '.join(map(str, keys(row)))} AUROC {row['auroc']:.3f}", flush=True)


if __name__ == "__main__":
    main()
