"""Explanations: the pixels of an image, or the columns of a row, that raise its score.

Methods that reconstruct their input are explained by the residual. For some of them the residual is the score, for
others it is only related to the score (docs/guide/tables.md lists which). The other methods are explained by integrated
gradients of the score, from the mean training sample to the sample (M. Sundararajan et al., "Axiomatic attribution for
deep networks", ICML 2017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .data.column import features, is_text

STEPS = 32  #: points on the path of integrated gradients


def residual(redraw: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """(x - redraw(x))^2 of samples ``(n, ...)``, never negative."""
    return (x - redraw(x)).float().square()


def integrated_gradients(score: Callable[[Tensor], Tensor], x: Tensor, mean: Tensor) -> Tensor:
    """(x - mean) times the mean gradient of ``score`` on the straight path between them; the shape of ``x``.

    The parts are signed and add up to the difference between the score and that of ``mean``. A step function, such as
    an isolation forest's score, has a zero gradient, so all its parts are zero.
    """
    total = torch.zeros_like(x)
    for step in range(STEPS):
        at = (mean + (step + 0.5) / STEPS * (x - mean)).detach().requires_grad_()
        value = score(at).sum()
        if value.requires_grad:
            total += torch.autograd.grad(value, at)[0]
    return (x - mean) * total / STEPS


def ranked(
    parts: np.ndarray, columns: Sequence[str], source: Mapping[str, Any] | None = None
) -> list[list[tuple[str, float]]]:
    """For each row, the columns that raise its score and their contributions, the largest first.

    parts: ``(n, d)`` of ``Detector.explain``; columns: their d names. The columns ``name=value`` made from one text
    column count as one, ``name``, by their sum. source: ``Detector.source_``, which says which columns are text;
    without it the names do, up to the first "=". Columns that lower the score, or do not change it, are not listed.

    >>> ranked(np.array([[0.5, -1.0, 0.25, 2.0]]), ["age", "sum", "card=credit", "card=debit"])
    [[('card', 2.25), ('age', 0.5)]]
    """
    owners = _owners(columns, source)
    places = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
    sums = np.zeros((len(places), len(parts)))
    np.add.at(sums, [places[owner] for owner in owners], parts.T)
    own, order = [name for _, name in places], np.argsort(-sums.T, axis=1, kind="stable")
    return [[(own[j], float(row[j])) for j in rank if row[j] > 0] for row, rank in zip(sums.T, order)]


def _owners(columns: Sequence[str], source: Mapping[str, Any] | None) -> list[tuple[int, str]]:
    """For each feature what it counts for: a column of text as a whole, or itself, and the column's number."""
    if recipes := (source or {}).get("columns"):
        return [
            (number, recipe["name"] if is_text(recipe) else feature)
            for number, recipe in enumerate(recipes)
            for feature in features(recipe)
        ]
    names = [name.partition("=")[0] for name in columns]
    shared = Counter(names)
    return [(0, name if shared[name] > 1 else whole) for name, whole in zip(names, columns)]
