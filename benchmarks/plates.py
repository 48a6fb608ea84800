"""Made-up photos of a metal plate with uneven light, which belong to nobody and can be of any size."""

from __future__ import annotations

import numpy as np


def plate(rng: np.random.Generator, height: int, width: int, brushed: float = 12.0) -> np.ndarray:
    """Smooth shading, fine lines across of ``brushed`` grey values, and a little noise: ``(height, width)``, uint8."""
    shade = 110 + 30 * np.sin(np.linspace(0, 3, height) + rng.uniform(0, 6))[:, None]
    noise = brushed * rng.normal(size=(height, 1)) + 4 * rng.normal(size=(height, width))
    return np.clip(shade + noise, 0, 255).astype(np.uint8)
