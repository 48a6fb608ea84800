"""How long ADGAN's generator must learn on images: scikit-learn's digits, a digit held out.

    python benchmarks/adgan.py [--digits 0 3 8]

For each step size and number of the critic's batches: the variance of what the generator draws, as a share of the
data's, which needs no anomaly; AUROC with eight starts; and processor seconds of the fit. 800 digits train; 50 others
and 50 of the digit that was held out are tested. One seed, one thread.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from sklearn.datasets import load_digits

from ganad import ADGAN, metrics

LENGTHS = ((1e-4, 1250), (3e-4, 1250), (2e-4, 2500), (2e-4, 5000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", nargs="+", type=int, default=[0, 3, 8])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    digits = load_digits()
    images = (digits.images * 255 / 16).astype(np.uint8)
    print("| lr | updates | digit | variety | AUROC | fit, s |\n|---|---|---|---|---|---|")
    for lr, updates in LENGTHS:
        for digit in given.digits:
            normal = np.random.default_rng(0).permutation(np.flatnonzero(digits.target != digit))
            test = np.concatenate([normal[800:850], np.flatnonzero(digits.target == digit)[:50]])
            fixed = dict(random_state=0, device="cpu", threads=1, verbose=0, threshold_fits=0, threshold_samples=2)
            begun = time.process_time()
            model = ADGAN(lr=lr, updates=updates, n_seeds=8, **fixed).fit(images[normal[:800]])
            seconds = time.process_time() - begun
            auroc = metrics.auroc(np.repeat([0, 1], 50), model.anomaly_score(images[test]))
            variety = model.self_test_.variety
            print(f"| {lr:g} | {updates} | {digit} | {variety:.2f} | {auroc:.2f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
