"""What taking brightness and contrast out of each image does to distances: MNIST, a digit held out of training.

    python benchmarks/contrast.py [--train 4000] [--digits 1 0 5] [--data-dir DIR]

AUROC of the held-out digit among the official test images, with scaling="minmax" and "contrast".
"""

from __future__ import annotations

import argparse

from ganad import LOF, Detector, NearestNeighbor, metrics, protocols

PROTOCOL = "mnist-lo-official"
METHODS: dict[str, type[Detector]] = {"NearestNeighbor": NearestNeighbor, "LOF": LOF}
SCALINGS = ("minmax", "contrast")
TEST = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=4_000, help="training images")
    parser.add_argument("--digits", nargs="+", default=["1", "0", "5"], help="digits held out, one at a time")
    parser.add_argument("--data-dir", help="folder with the data sets")
    given = parser.parse_args()
    samples = protocols.read(PROTOCOL, data_dir=given.data_dir)
    print(f"| {given.train:,} training images | scaling | " + " | ".join(given.digits) + " |")
    print("|---" * (2 + len(given.digits)) + "|")
    for name, method in METHODS.items():
        for scaling in SCALINGS:
            cells = []
            for digit in given.digits:
                split = protocols.PROTOCOLS[PROTOCOL].split(samples, digit, 0, n_train=given.train, n_test=TEST)
                x, x_new = split.take(samples.x)
                model = method(
                    scaling=scaling, threshold_samples=10, threshold_fits=0, random_state=0, device="cpu", verbose=0
                ).fit(x)
                cells.append(f"{metrics.auroc(split.y_test, model.anomaly_score(x_new)):.3f}")
            print(f"| {name} | {scaling} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
