"""Where in the image, which column of the row: what made a sample's score what it is.

Methods that redraw their input are explained by the residual, the others by integrated gradients of the score from
the mean training sample to the sample (M. Sundararajan et al., "Axiomatic attribution for deep networks", ICML 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .detector import Detector

STEPS = 32  #: points on the path of integrated gradients


def explain(detector: Detector, X: Any) -> np.ndarray:
    """How much each pixel ``(n, H, W)`` or column ``(n, d)`` adds to the score of each sample, float32.

    Residuals are squared differences in the networks' units, so they are never negative; integrated gradients are
    signed and add up to the score's distance from that of the mean training sample.
    """
    own = type(detector).reconstruct_batch
    from .detector import Detector as Base

    residual = own is not Base.reconstruct_batch

    def contributions(x: Tensor) -> Tensor:
        if residual:
            parts = (x - detector.reconstruct_batch(x)).float().square()
        else:
            parts = integrated_gradients(detector, x)
        return _as_user_sees(detector, parts)

    return detector.map_samples(contributions, X).astype(np.float32)


def integrated_gradients(detector: Detector, x: Tensor) -> Tensor:
    """(x - mean) times the mean gradient of the score on the straight path between them; the shape of ``x``."""
    mean = torch.as_tensor(detector.mean_, device=x.device)
    total = torch.zeros_like(x)
    for step in range(STEPS):
        at = (mean + (step + 0.5) / STEPS * (x - mean)).detach().requires_grad_()
        total += torch.autograd.grad(detector.score_batch(at).sum(), at)[0]
    return (x - mean) * total / STEPS


def _as_user_sees(detector: Detector, parts: Tensor) -> Tensor:
    """Contributions of the networks' pixels summed over channels, at the image's own size."""
    if parts.ndim == 2:
        return parts
    parts = parts.sum(1, keepdim=True)
    size = detector.sample_shape_[:2]
    if parts.shape[2:] != size:
        parts = torch.nn.functional.interpolate(parts, size, mode="bilinear", antialias=True)
    return parts[:, 0]
