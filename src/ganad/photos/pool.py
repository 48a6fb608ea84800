"""One score of a photo from the scores of its regions.

"max" is the highest, "mean" their mean, "topK" the mean of the K highest. "ranked" is their mean with the weight 1 / k
for the k-th highest: what lies in one region counts as much as what lies in the next one, the next two, the next four
and so on, so that a scratch and a fault of the whole surface both raise it.
"""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError


def pooled(scores: np.ndarray, rule: str) -> float:
    """The score of a photo; NaN counts as absent. Raises InputError for another rule."""
    scores = scores[~np.isnan(scores)]
    if rule == "mean":
        return float(np.mean(scores))
    if rule == "ranked":
        return float(np.sort(scores)[::-1] @ _weights(scores.size))
    return float(np.mean(np.sort(scores)[-min(_highest(rule), scores.size) :]))


def pooled_tensor(scores: Tensor, rule: str) -> Tensor:
    """The same of a tensor ``(n,)`` without NaN, in operations that a graph can hold."""
    n = len(scores)
    if rule == "mean":
        return scores.mean()
    if rule == "ranked":
        return (scores.topk(n).values * torch.from_numpy(_weights(n)).to(scores)).sum()
    return scores.topk(min(_highest(rule), n)).values.mean()


def _weights(n: int) -> np.ndarray:
    weights = 1 / np.arange(1, n + 1)
    found: np.ndarray = weights / weights.sum()
    return found


def _highest(rule: str) -> int:
    """How many of the highest scores count."""
    found = re.fullmatch(r"max|top([1-9]\d{0,5})", rule)
    if not found:
        raise InputError(f'pool={rule!r} is not one of "ranked", "max", "mean", or "top" with a number, such as "top5"')
    return int(found[1] or 1)
