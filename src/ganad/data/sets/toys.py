"""Two-dimensional toys. Their test parts are separate draws with normal points and anomalies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..samples import Samples, numeric_table


def rings(split: str = "all", *, n: int = 2000, seed: int = 0, **_: Any) -> Samples:
    """Normal points on two rings, anomalies uniform and at least 0.3 away from both; the training part is normal."""
    rng = np.random.default_rng([seed, split == "test"])
    radius = rng.choice([1.0, 2.0], n) + rng.normal(0, 0.05, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    normal = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    cloud = rng.uniform(-3, 3, (4 * n, 2))
    distance = np.abs(np.linalg.norm(cloud, axis=1)[:, None] - [1.0, 2.0]).min(1)
    return _toy(normal, cloud[distance > 0.3][: n // 4], split)


def blob(split: str = "all", *, n: int = 2000, seed: int = 0, **_: Any) -> Samples:
    """The toy of the Fence GAN code: N((20, 20), 3^2 I), anomalies uniform on [0, 40]^2 beyond 3 sigma.

    The training part is normal.
    """
    rng = np.random.default_rng([seed, split == "test"])
    cloud = rng.uniform(0, 40, (4 * n, 2))
    far = np.linalg.norm(cloud - 20, axis=1) > 9
    return _toy(rng.normal(20, 3, (n, 2)), cloud[far][: n // 4], split)


def _toy(normal: np.ndarray, anomalies: np.ndarray, split: str) -> Samples:
    anomalies = anomalies[:0] if split == "train" else anomalies
    y = np.repeat(["normal", "anomaly"], [len(normal), len(anomalies)])
    return numeric_table(np.concatenate([normal, anomalies]), y, ["x1", "x2"])
