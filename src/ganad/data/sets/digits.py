"""scikit-learn's handwritten digits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..samples import Samples, image_set


def digits(split: str = "all", **_: Any) -> Samples:
    """1,797 images of 8 x 8 pixels, shipped with scikit-learn; they have no split."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return image_set(np.rint(data.images * (255 / 16)).astype(np.uint8), data.target, "digit")
