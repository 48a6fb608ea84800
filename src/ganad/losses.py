"""Loss functions that two or more methods share; all take logits, so a saturated sigmoid loses nothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus


def bce(logit: Tensor, target: float) -> Tensor:
    """Mean binary cross-entropy of ``sigmoid(logit)`` against ``target`` in [0, 1], which may be soft.

    -t log s(l) - (1 - t) log(1 - s(l)) = softplus(l) - t l, whatever the size of l.
    """
    logit = logit.float()
    return (softplus(logit) - target * logit).mean()


def per_sample(x: Tensor) -> Tensor:
    """Sum over everything but the batch axis, in float32: ``(n, ...) -> (n,)``."""
    return x.float().flatten(1).sum(1)


def pull_away(h: Tensor) -> Tensor:
    """Mean squared cosine between the features of different samples: small when they spread out.

    h: ``(n, d)``. Zhao et al. 2016, eq. 5.
    """
    n = len(h)
    cosine = torch.nn.functional.normalize(h.float(), dim=1)
    return ((cosine @ cosine.T).square().sum() - n) / max(n * (n - 1), 1)
