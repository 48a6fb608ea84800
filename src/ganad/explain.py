"""Where in the image, which columns of the row: what a detector holds against a sample.

Methods that redraw their input are explained by the residual, which is the score of some of them and only related to
that of others (docs/guide/tables.md lists which); the rest by integrated gradients of the score from the mean training
sample to the sample (M. Sundararajan et al., "Axiomatic attribution for deep networks", ICML 2017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from .detector import Detector

STEPS = 32  #: points on the path of integrated gradients


def explain(detector: Detector, X: Any) -> np.ndarray:
    """The part of each pixel ``(n, H, W)`` or column ``(n, d)`` in what is unusual about each sample, float32.

    Where the method reconstructs, the squared residual in the networks' units, which is never negative; whatever else
    the score is made of (codes, a discriminator) is not in it. Elsewhere integrated gradients, which are signed and add
    up to the score's distance from that of the mean training sample. A score in steps, as an isolation forest's, has no
    gradient: its parts are all zero.
    """

    def contributions(x: Tensor) -> Tensor:
        try:
            parts = (x - detector.reconstruct_batch(x)).float().square()
        except AttributeError:  # the method, or this variant of it, does not reconstruct
            parts = integrated_gradients(detector, x)
        return _as_user_sees(detector, parts)

    return detector.map_samples(contributions, X).astype(np.float32)


def ranked(parts: np.ndarray, columns: Sequence[str]) -> list[list[tuple[str, float]]]:
    """For each row the columns that raise its score with their contributions, the largest first.

    parts: ``(n, d)`` of ``explain``, with d ``columns``. Those that a text column became, ``name=value``, count as one,
    ``name``, by their sum. Columns that lower the score, or leave it alone, are not listed.
    """
    names = [name.partition("=")[0] for name in columns]
    shared = Counter(names)
    names = [name if shared[name] > 1 else whole for name, whole in zip(names, columns)]
    own = list(dict.fromkeys(names))
    sums = parts @ np.eye(len(own))[[own.index(name) for name in names]]
    order = np.argsort(-sums, axis=1, kind="stable")
    return [[(own[j], float(row[j])) for j in rank if row[j] > 0] for row, rank in zip(sums, order)]


def integrated_gradients(detector: Detector, x: Tensor) -> Tensor:
    """(x - mean) times the mean gradient of the score on the straight path between them; the shape of ``x``."""
    mean = torch.as_tensor(detector.mean_, device=x.device)
    total = torch.zeros_like(x)
    for step in range(STEPS):
        at = (mean + (step + 0.5) / STEPS * (x - mean)).detach().requires_grad_()
        score = detector.score_batch(at).sum()
        if score.requires_grad:  # one in steps has no gradient
            total += torch.autograd.grad(score, at)[0]
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
