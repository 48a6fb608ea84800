"""Which samples may renew a calibration: every choice, on a stream whose truth is known.

    python benchmarks/recalibration.py [--repeats 1000]

Scores of normal samples are N(0, 1) when the model is calibrated on 999 of them, for 1 % of false alarms, and N(1, 1)
after a drift; those of anomalies are N(5, 1), one sample in a hundred. Then 20,000 samples come. One in twenty is a
spot check, drawn before its score, and a person, who is never wrong, says what spot checks and flags are. Each choice
of samples sets a threshold; the share of normal samples above it, and the share of anomalies, are known exactly.

within: how often that share lies where 95 of 100 thresholds set on so many exchangeable samples have it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ganad import calibrate

RATE, CALIBRATION, COMING, SPOT_CHECKS = 0.01, 999, 20_000, 0.05
DRIFT, ANOMALY, ANOMALIES = 1.0, 5.0, 0.01

Mask = NDArray[np.bool_]

#: What is taken of the normal samples, by whether they are spot checks and whether they were flagged.
CHOICES: dict[str, Callable[[Mask, Mask], Mask]] = {
    "spot checks": lambda spot, flagged: spot,
    "dismissed flags": lambda spot, flagged: flagged,
    "spot checks and dismissed flags": lambda spot, flagged: spot | flagged,
    "spot checks that passed": lambda spot, flagged: spot & ~flagged,
}


@dataclass
class Outcome:
    """Of one choice, over all repeats."""

    false_alarms: NDArray[np.float64]  #: share of normal samples that the new threshold flags
    found: NDArray[np.float64]  #: share of anomalies
    within: float  #: how often the first lies in its interval


def simulate(repeats: int, seed: int = 0) -> tuple[Outcome, dict[str, Outcome]]:
    """What becomes of the old threshold, and of those that the choices set."""
    rng = np.random.default_rng(seed)
    thresholds: dict[str, list[float]] = {name: [] for name in CHOICES}
    sizes: dict[str, list[int]] = {name: [] for name in CHOICES}
    old = []
    for _ in range(repeats):
        old.append(calibrate.threshold(rng.normal(size=CALIBRATION), RATE))
        is_normal = rng.random(COMING) >= ANOMALIES
        spot = rng.random(COMING) < SPOT_CHECKS
        scores = rng.normal(np.where(is_normal, DRIFT, ANOMALY))
        flagged = scores > old[-1]
        for name, choose in CHOICES.items():
            taken = scores[is_normal & choose(spot, flagged)]
            thresholds[name].append(calibrate.threshold(taken, RATE))
            sizes[name].append(len(taken))
    kept = [CALIBRATION] * repeats
    return outcome(old, kept), {name: outcome(thresholds[name], sizes[name]) for name in CHOICES}


def outcome(thresholds: list[float], sizes: list[int]) -> Outcome:
    """The truth about thresholds that were set on so many samples."""
    rates = norm.sf(np.array(thresholds), loc=DRIFT)
    bounds = np.array([calibrate.rate_interval(n, RATE) for n in sizes])
    within = float(((bounds[:, 0] <= rates) & (rates <= bounds[:, 1])).mean())
    return Outcome(rates, norm.sf(np.array(thresholds), loc=ANOMALY), within)


def main() -> None:
    """Print the table of docs/guide/recalibration.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    old, new = simulate(parser.parse_args().repeats)
    print("| threshold set on | false alarms, mean | within | anomalies found |")
    print("|---|--:|--:|--:|")
    for name, found in {"nothing new: the old threshold": old, **new}.items():
        rates, power = found.false_alarms.mean(), found.found.mean()
        print(f"| {name} | {100 * rates:.2f} % | {100 * found.within:.0f} % | {100 * power:.0f} % |")


if __name__ == "__main__":
    main()
