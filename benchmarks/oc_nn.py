"""What limits OC-NN on images: one direction, or the features that it is a direction of.

    python benchmarks/oc_nn.py digits                  # scikit-learn's digits
    python benchmarks/oc_nn.py mnist [--data-dir DIR]  # 12,000 images of MNIST, at 16 x 16

Two tasks for each digit: it alone is normal, or it is the only anomaly. Half of the normal samples train. AUROC, means
over the ten digits, of OC-NN on the code alone and on the code with the reconstruction errors; and, on the same
features, of an exact linear one-class SVM and of the nearest neighbour. One seed, one thread, 30 + 30 epochs.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import OneClassSVM

from ganad import OCNN, metrics, protocols

FEATURES: dict[str, dict[str, Any]] = {
    "code": dict(errors=False, nu=0.1),
    "code and errors": dict(errors=True, nu=0.5),
}
EPOCHS = 30
IMAGES = 12_000


def read(name: str, data_dir: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8, and their digits."""
    if name == "digits":
        digits = load_digits()
        return (digits.images * 255 / 16).astype(np.uint8), digits.target
    samples = protocols.read("mnist-lo-official", data_dir=data_dir)
    rows = np.random.default_rng(0).permutation(len(samples.x))[:IMAGES]
    return samples.x[rows], samples.y[rows]


def task(digits: np.ndarray, digit: int, alone: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples to train on, those to test, and the labels of these, 1 = anomaly."""
    odd = (digits != digit) if alone else (digits == digit)
    normal, odd = (np.random.default_rng(digit).permutation(np.flatnonzero(kind)) for kind in (~odd, odd))
    half = len(normal) // 2
    return normal[:half], np.concatenate([normal[half:], odd]), np.repeat([0, 1], [len(normal) - half, len(odd)])


def scores(x: np.ndarray, new: np.ndarray, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Scores ``(n,)`` of new samples by OC-NN and by two rules on its features."""
    fixed = dict(epochs=EPOCHS, pretrain_epochs=EPOCHS, random_state=0, device="cpu", threads=1, verbose=0)
    model = OCNN(**settings, **fixed, image_size=min(x.shape[1], 16), threshold_fits=0).fit(x)
    features = [model.map_samples(lambda batch: model.on_sphere(model.features(batch)), part) for part in (x, new)]
    svm = OneClassSVM(kernel="linear", nu=settings["nu"]).fit(features[0])
    nearest = NearestNeighbors(n_neighbors=1).fit(features[0])
    return {
        "OC-NN": model.anomaly_score(new),
        "linear one-class SVM": -svm.score_samples(features[1]),
        "nearest neighbour": nearest.kneighbors(features[1])[0][:, 0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("digits", "mnist"))
    parser.add_argument("--data-dir", help="folder with the data sets")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    images, digits = read(given.data, given.data_dir)
    print("| normal | features | rule | mean AUROC | of the 1 |\n|---|---|---|---|---|")
    for alone in (True, False):
        for name, settings in FEATURES.items():
            found: dict[str, list[float]] = {}
            for digit in range(10):
                train, test, labels = task(digits, digit, alone)
                for rule, values in scores(images[train], images[test], settings).items():
                    found.setdefault(rule, []).append(metrics.auroc(labels, values))
            for rule, aurocs in found.items():
                kinds = "one digit" if alone else "nine digits"
                print(f"| {kinds} | {name} | {rule} | {np.mean(aurocs):.3f} | {aurocs[1]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
