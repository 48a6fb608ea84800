"""Loss functions that two or more methods share. All take logits, so a saturated sigmoid loses no precision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus


def bce(logit: Tensor, target: float) -> Tensor:
    """Mean binary cross-entropy of ``sigmoid(logit)`` against ``target`` in [0, 1], which may be soft.

    -t log s(l) - (1 - t) log(1 - s(l)) = softplus(l) - t l, which is exact for large l as well.
    """
    logit = logit.float()
    return (softplus(logit) - target * logit).mean()


def per_sample(x: Tensor) -> Tensor:
    """Sum over everything but the batch axis, in float32: ``(n, ...) -> (n,)``."""
    return x.float().flatten(1).sum(1)


def mean_square(x: Tensor) -> Tensor:
    """Mean of the squares over everything but the batch axis, in float32: ``(n, ...) -> (n,)``."""
    return x.float().flatten(1).square().mean(1)


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (||gradient of the critic|| - 1)^2 at random points between pairs of real and generated samples.

    real, fake: ``(n, ...)``. Gulrajani et al. 2017, eq. 3. In float32 throughout: it is differentiated twice.
    """
    with torch.autocast(real.device.type, enabled=False):
        share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device)
        between = (share * real + (1 - share) * fake).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        length: Tensor = gradient.flatten(1).norm(2, 1)
        return (length - 1).square().mean()


def pull_away(h: Tensor) -> Tensor:
    """Mean squared cosine between the features of different samples. It is small when they spread out.

    h: ``(n, d)``. Zhao et al. 2016, eq. 5.
    """
    n = len(h)
    cosine = torch.nn.functional.normalize(h.float(), dim=1)
    return ((cosine @ cosine.T).square().sum() - n) / max(n * (n - 1), 1)
