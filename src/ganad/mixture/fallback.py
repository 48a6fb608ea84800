"""The functions of ``kernels.py`` in NumPy, for machines without Numba, with the same random numbers and assignments.

A column-by-column rank-one update would need d calls here. So Ψ_n itself is updated, and LAPACK factorises it anew when
a point moves. Quadratic forms are products with L⁻¹ for all clusters together.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solve_triangular

from . import niw
from .clusters import SAFE, Clusters


def _factorise(g: Clusters, slot: int) -> None:
    lower = niw.cholesky(g.factor[slot])
    g.log_det[slot] = 2 * np.log(np.diagonal(lower)).sum()
    g.aux[slot] = solve_triangular(lower, np.eye(len(lower)), lower=True, check_finite=False)


def rebuild(g: Clusters, slot: int, skip: int) -> None:
    members = g.z == slot
    if skip >= 0:
        members[skip] = False
    data = niw.moments(g.x[members])
    prior = niw.NIW(g.kappa, g.m, np.zeros(g.x.shape[1]), g.psi)
    g.counts[slot] = data.n
    g.mean[slot], g.factor[slot] = prior.posterior(data)
    _factorise(g, slot)


def add(g: Clusters, i: int, slot: int) -> None:
    kappa = g.kappa + g.counts[slot]
    step = g.x[i] - g.mean[slot]
    g.factor[slot] += np.outer(step, step) * (kappa / (kappa + 1.0))
    g.mean[slot] += step / (kappa + 1.0)
    g.counts[slot] += 1
    g.z[i] = slot
    _factorise(g, slot)


def remove(g: Clusters, i: int, slot: int) -> None:
    kappa = g.kappa + g.counts[slot]
    g.mean[slot] -= (g.x[i] - g.mean[slot]) / (kappa - 1.0)
    step = g.x[i] - g.mean[slot]
    log_det = g.log_det[slot]
    g.factor[slot] -= np.outer(step, step) * ((kappa - 1.0) / kappa)
    g.counts[slot] -= 1
    g.z[i] = -1
    try:
        _factorise(g, slot)
    except FloatingPointError:
        rebuild(g, slot, -1)
    if g.log_det[slot] - log_det < math.log(SAFE):
        rebuild(g, slot, -1)


def _log_predictives(g: Clusters, i: int, slots: np.ndarray) -> np.ndarray:
    """log t of point i under each slot; its own slot is taken without it."""
    n = g.counts[slots].astype(float)
    v = g.x[i] - g.mean[slots]
    y = np.matmul(g.aux[slots], v[:, :, None])[:, :, 0]
    q = np.einsum("kd,kd->k", y, y)
    scaled = np.log1p((g.kappa + n) / (g.kappa + n + 1.0) * q)
    out: np.ndarray = g.constants[g.counts[slots]] - 0.5 * g.log_det[slots] - 0.5 * (g.m + n + 1.0) * scaled
    for k in np.flatnonzero(slots == g.z[i]):
        if n[k] < 2:
            out[k] = -np.inf
            continue
        h = q[k] * (g.kappa + n[k]) / (g.kappa + n[k] - 1.0)
        if 1.0 - h <= SAFE:
            slot, home = slots[k], g.z[i]
            rebuild(g, slot, i)
            g.z[i] = -1
            out[k] = _log_predictives(g, i, slots[k : k + 1])[0]
            g.z[i] = home
            rebuild(g, slot, -1)
        else:
            left = math.log1p(-h)
            log_det = g.log_det[slots[k]] + left
            out[k] = g.constants[g.counts[slots[k]] - 1] - 0.5 * log_det + 0.5 * (g.m + n[k]) * left
    return out


def open_slot(g: Clusters) -> int:
    slot = int(g.active[g.size[0]])
    g.size[0] += 1
    g.counts[slot] = 0
    g.mean[slot] = 0.0
    g.factor[slot] = g.psi
    _factorise(g, slot)
    return slot


def close_slot(g: Clusters, slot: int) -> None:
    last = int(g.size[0]) - 1
    k = int(np.flatnonzero(g.active[: last + 1] == slot)[0])
    g.active[k], g.active[last] = g.active[last], slot
    g.size[0] = last


def sweep(g: Clusters, order: np.ndarray, uniforms: np.ndarray, alpha: float) -> int:
    for p, i in enumerate(order):
        k_all = int(g.size[0])
        if k_all == len(g.active):
            return p
        own = int(g.z[i])
        slots = g.active[:k_all]
        n = g.counts[slots] - (slots == own)
        with np.errstate(divide="ignore"):
            log_w = np.append(np.log(n) + _log_predictives(g, i, slots), math.log(alpha) + g.log_t0[i])
        w = np.cumsum(np.exp(log_w - log_w.max()))
        pick = min(int(np.searchsorted(w, uniforms[p] * w[-1], side="right")), k_all)
        if pick < k_all and slots[pick] == own:
            continue
        alone = own >= 0 and g.counts[own] == 1
        if alone and pick == k_all:
            continue
        target = int(slots[pick]) if pick < k_all else -1
        if alone:
            g.counts[own] = 0
            g.z[i] = -1
            close_slot(g, own)
        elif own >= 0:
            remove(g, i, own)
        add(g, i, open_slot(g) if target < 0 else target)
    return len(order)


def restricted_scan(
    g: Clusters, members: np.ndarray, first: int, second: int, uniforms: np.ndarray, forced: np.ndarray
) -> float:
    log_q = 0.0
    pair = np.array([first, second])
    for p, i in enumerate(members):
        own = int(g.z[i])
        n = g.counts[pair] - (pair == own)
        a, b = np.log(n) + _log_predictives(g, i, pair)
        gap = a - b
        log_first = -math.log1p(math.exp(-gap)) if gap > 0 else gap - math.log1p(math.exp(gap))
        side = int(forced[p])
        if side < 0:
            side = 0 if math.log(uniforms[p]) < log_first else 1
        log_q += log_first if side == 0 else log_first - gap
        target = second if side else first
        if target != own:
            remove(g, i, own)
            add(g, i, target)
    return log_q
