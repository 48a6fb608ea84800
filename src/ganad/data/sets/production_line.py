"""A synthetic stand-in for MMOC-GAN's private data. Neither the rows nor their dimension are public."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..samples import Samples, numeric_table


def production_line(split: str = "all", *, seed: int = 0, **_: Any) -> Samples:
    """3,936 normal parts in eight modes and 22 anomalies, 40 columns.

    Each mode is a Gaussian with five strong directions and some noise; the modes differ in size. Half of the anomalies
    lie between two modes, half beside one mode, off its directions. Both are near the mean of all samples, so a single
    Gaussian ranks them about as well as chance, while a mixture of eight finds them. It has no published figures.
    """
    n, n_off, modes, d, rank = 3936, 11, 8, 40, 5
    rng = np.random.RandomState([seed, n])
    centre = rng.normal(0, 2, (modes, d)) * (rng.random_sample((modes, d)) < 0.5)
    axes = rng.normal(0, 0.6, (modes, rank, d))

    def parts(k: np.ndarray) -> np.ndarray:
        along = np.einsum("nr,nrd->nd", rng.normal(size=(len(k), rank)), axes[k])
        made: np.ndarray = centre[k] + along + rng.normal(0, 0.5, (len(k), d))
        return made

    normal = parts(rng.choice(modes, n, p=np.arange(1, modes + 1) / 36))
    one = rng.choice(modes, n_off)
    other = (one + 1 + rng.choice(modes - 1, n_off)) % modes
    weight = rng.uniform(0.3, 0.7, (n_off, 1))
    between = weight * parts(one) + (1 - weight) * parts(other)
    beside = parts(rng.choice(modes, n_off))
    x = np.concatenate([normal, between, beside + rng.normal(0, 0.6, (n_off, d))])
    return numeric_table(x, np.repeat(["normal", "anomaly"], [n, 2 * n_off]))
