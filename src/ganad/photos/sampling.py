"""Choosing the regions of normal photos that an inner detector learns: a share of each photo, or a core set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

CANDIDATES = 5  #: a core set is chosen from this many times the regions to keep
_PROJECTED = 64  # directions in which a core set's distances are measured


def drawn(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], there: np.ndarray, most: int, seed: list[int]
) -> Iterator[np.ndarray]:
    """At most ``most`` of the regions of one photo, whose numbers are ``there``, drawn by the seed, in their order."""
    chosen = np.zeros(there[-1] + 1, bool)
    chosen[there[np.random.default_rng(seed).permutation(len(there))[:most]]] = True
    for numbers, regions in blocks:
        yield regions[chosen[numbers]]


def numbers(n: int, most: int, seed: int) -> list[int]:
    """At most ``most`` of the numbers below ``n``, drawn by the seed, in their order."""
    if n <= most:
        return list(range(n))
    found: list[int] = np.sort(np.random.default_rng(seed).choice(n, most, replace=False)).tolist()
    return found


def trimmed(regions: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most ``most`` of the regions, drawn by the seed."""
    return regions if len(regions) <= most else regions[numbers(len(regions), most, seed)]


def core_set(regions: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most ``most`` of the vectors ``(n, d)``, each the farthest from those chosen before it.

    Greedy k-centre as in PatchCore (K. Roth et al., CVPR 2022), on a random projection of the standardised vectors to
    64 directions. The seed draws the first vector. It costs n times ``most`` distances.
    """
    if len(regions) <= most:
        return regions
    rng = np.random.default_rng(seed)
    spread = regions.std(0)
    z = (regions - regions.mean(0)) / np.where(spread > 0, spread, 1)
    if z.shape[1] > _PROJECTED:
        z = z @ (rng.normal(size=(z.shape[1], _PROJECTED)) / np.sqrt(_PROJECTED))
    z = z.astype(np.float32)
    norms = np.einsum("ij,ij->i", z, z)
    chosen = np.empty(most, np.int64)
    nearest = np.full(len(z), np.inf, np.float32)
    chosen[0] = rng.integers(len(z))
    for i in range(1, most):
        last = chosen[i - 1]
        np.minimum(nearest, norms - 2 * (z @ z[last]) + norms[last], out=nearest)
        nearest[last] = -np.inf
        chosen[i] = nearest.argmax()
    return regions[np.sort(chosen)]
