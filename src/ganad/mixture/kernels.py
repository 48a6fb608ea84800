"""The collapsed sampler's inner loops in Numba; ``fallback.py`` has the same functions in NumPy.

Slots hold the upper factor U = L' of Ψ_n = LL', so that a column of L is a contiguous row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

from .clusters import SAFE as _SAFE
from .clusters import Clusters

F = TypeVar("F", bound=Callable[..., Any])


def _jit(function: F) -> F:
    """The compiled function, with an unchanged signature."""
    compiled = njit(cache=True, fastmath={"contract"}, error_model="numpy", nogil=True)(function)
    return cast(F, compiled)


@_jit
def _quadratic(u: np.ndarray, diag: np.ndarray, v: np.ndarray) -> float:
    """v'Ψ⁻¹v by forward substitution, four columns at a time; v is overwritten."""
    d = v.shape[0]
    q = 0.0
    j = 0
    while j + 4 <= d:
        a, b, c, e = u[j], u[j + 1], u[j + 2], u[j + 3]
        y0 = v[j] * diag[j]
        y1 = (v[j + 1] - y0 * a[j + 1]) * diag[j + 1]
        y2 = (v[j + 2] - y0 * a[j + 2] - y1 * b[j + 2]) * diag[j + 2]
        y3 = (v[j + 3] - y0 * a[j + 3] - y1 * b[j + 3] - y2 * c[j + 3]) * diag[j + 3]
        q += y0 * y0 + y1 * y1 + y2 * y2 + y3 * y3
        for i in range(j + 4, d):
            v[i] -= y0 * a[i] + y1 * b[i] + y2 * c[i] + y3 * e[i]
        j += 4
    while j < d:
        y0 = v[j] * diag[j]
        q += y0 * y0
        for i in range(j + 1, d):
            v[i] -= y0 * u[j, i]
        j += 1
    return q


@_jit
def _rank_one(u: np.ndarray, diag: np.ndarray, v: np.ndarray, sign: float) -> float:
    """Factor of Ψ + sign v v'; returns the change of log|Ψ|, or NaN if a pivot is lost. v is overwritten."""
    d = v.shape[0]
    ratio = 1.0
    log_ratio = 0.0
    for j in range(d):
        s = v[j] * diag[j]
        c2 = 1.0 + sign * s * s
        if c2 <= _SAFE:
            return np.nan
        c = math.sqrt(c2)
        ratio *= c
        if ratio > 1e100 or ratio < 1e-100:
            log_ratio += math.log(ratio)
            ratio = 1.0
        inverse = 1.0 / c
        row = u[j]
        row[j] *= c
        diag[j] = 1.0 / row[j]
        s *= sign
        for i in range(j + 1, d):
            t = (row[i] + s * v[i]) * inverse
            v[i] = c * v[i] - sign * s * t
            row[i] = t
    return 2.0 * (log_ratio + math.log(ratio))


@_jit
def rebuild(g: Clusters, slot: int, skip: int) -> None:
    """Moments and factor of a slot from its labels, without point ``skip`` (-1: none)."""
    n_points, d = g.x.shape
    mean = np.zeros(d)
    n = 0
    for i in range(n_points):
        if g.z[i] == slot and i != skip:
            n += 1
            for c in range(d):
                mean[c] += g.x[i, c]
    for c in range(d):
        mean[c] /= max(n, 1)
    shrink = g.kappa * n / (g.kappa + n)
    u = g.psi.copy()
    for a in range(d):
        for b in range(a, d):
            u[a, b] += shrink * mean[a] * mean[b]
    v = np.empty(d)
    for i in range(n_points):
        if g.z[i] == slot and i != skip:
            for c in range(d):
                v[c] = g.x[i, c] - mean[c]
            for a in range(d):
                for b in range(a, d):
                    u[a, b] += v[a] * v[b]
    log_det = 0.0
    for j in range(d):
        pivot = max(u[j, j], 1e-16 * g.psi[j, j])  # rounding alone can make it zero
        root = math.sqrt(pivot)
        log_det += math.log(pivot)
        for i in range(j, d):
            u[j, i] /= root
        u[j, j] = root
        for a in range(j + 1, d):
            for b in range(a, d):
                u[a, b] -= u[j, a] * u[j, b]
    g.counts[slot] = n
    g.log_det[slot] = log_det
    for a in range(d):
        g.mean[slot, a] = mean[a] * n / (g.kappa + n)
        g.diag[slot, a] = 1.0 / u[a, a]
        for b in range(d):
            g.factor[slot, a, b] = u[a, b] if b >= a else 0.0


@_jit
def add(g: Clusters, i: int, slot: int) -> None:
    """Ψ += κ/(κ+1) v v', then μ += v/(κ+1), with v = x - μ and κ = κ0 + n."""
    d = g.x.shape[1]
    kappa = g.kappa + g.counts[slot]
    v = np.empty(d)
    root = math.sqrt(kappa / (kappa + 1.0))
    for c in range(d):
        step = g.x[i, c] - g.mean[slot, c]
        v[c] = step * root
        g.mean[slot, c] += step / (kappa + 1.0)
    g.log_det[slot] += _rank_one(g.factor[slot], g.diag[slot], v, 1.0)
    g.counts[slot] += 1
    g.z[i] = slot


@_jit
def remove(g: Clusters, i: int, slot: int) -> None:
    """μ' = (κμ - x)/(κ-1) first, then Ψ -= (κ-1)/κ w w' with w = x - μ'; κ counts x."""
    d = g.x.shape[1]
    kappa = g.kappa + g.counts[slot]
    v = np.empty(d)
    root = math.sqrt((kappa - 1.0) / kappa)
    for c in range(d):
        g.mean[slot, c] -= (g.x[i, c] - g.mean[slot, c]) / (kappa - 1.0)
        v[c] = (g.x[i, c] - g.mean[slot, c]) * root
    g.counts[slot] -= 1
    g.z[i] = -1
    change = _rank_one(g.factor[slot], g.diag[slot], v, -1.0)
    if math.isnan(change):
        rebuild(g, slot, -1)
    else:
        g.log_det[slot] += change


@_jit
def log_predictive(g: Clusters, i: int, slot: int, work: np.ndarray) -> float:
    """log t of point i under a slot that does not hold it."""
    d = g.x.shape[1]
    n = g.counts[slot]
    for c in range(d):
        work[c] = g.x[i, c] - g.mean[slot, c]
    q = _quadratic(g.factor[slot], g.diag[slot], work)
    scale = (g.kappa + n) / (g.kappa + n + 1.0)
    value: float = g.constants[n] - 0.5 * g.log_det[slot] - 0.5 * (g.m + n + 1.0) * math.log1p(scale * q)
    return value


@_jit
def log_predictive_without(g: Clusters, i: int, slot: int, work: np.ndarray) -> float:
    """log t of point i under its own slot once it has left, by the matrix determinant lemma.

    With v = x - μ_n, b = κ_n/(κ_n - 1) and h = b v'Ψ_n⁻¹v: |Ψ'| = |Ψ_n| (1 - h) and
    (x - μ')'Ψ'⁻¹(x - μ') = b h/(1 - h). So a point that stays needs no update of the factor.
    """
    d = g.x.shape[1]
    n = g.counts[slot]
    b = (g.kappa + n) / (g.kappa + n - 1.0)
    for c in range(d):
        work[c] = g.x[i, c] - g.mean[slot, c]
    h = b * _quadratic(g.factor[slot], g.diag[slot], work)
    if 1.0 - h <= _SAFE:
        rebuild(g, slot, i)
        value = log_predictive(g, i, slot, work)
        rebuild(g, slot, -1)
        return value
    # κ'/(κ'+1) = 1/b, so that the argument of log1p is h/(1 - h) and 1 + h/(1 - h) = 1/(1 - h)
    log_left = math.log1p(-h)
    gone: float = g.constants[n - 1] - 0.5 * (g.log_det[slot] + log_left) + 0.5 * (g.m + n) * log_left
    return gone


@_jit
def open_slot(g: Clusters) -> int:
    """Index of a new, empty cluster."""
    slot: int = g.active[g.size[0]]
    g.size[0] += 1
    g.counts[slot] = 0
    g.log_det[slot] = g.empty_log_det
    g.mean[slot] = 0.0
    g.diag[slot] = g.empty_diag
    g.factor[slot] = g.empty_factor
    return slot


@_jit
def close_slot(g: Clusters, slot: int) -> None:
    """Free the slot of an empty cluster."""
    last = g.size[0] - 1
    for k in range(last + 1):
        if g.active[k] == slot:
            g.active[k] = g.active[last]
            g.active[last] = slot
            g.size[0] = last
            return


@_jit
def sweep(g: Clusters, order: np.ndarray, uniforms: np.ndarray, alpha: float) -> int:
    """Draw a label for each point of ``order``; returns how many were drawn before the slots ran out."""
    work = np.empty(g.x.shape[1])
    log_w = np.empty(g.active.shape[0] + 1)
    for p in range(order.shape[0]):
        i = order[p]
        if g.size[0] == g.active.shape[0]:
            return p
        own = g.z[i]
        k_all = g.size[0]
        top = -np.inf
        for k in range(k_all):
            slot = g.active[k]
            n = g.counts[slot]
            if slot != own:
                log_w[k] = math.log(n) + log_predictive(g, i, slot, work)
            elif n > 1:
                log_w[k] = math.log(n - 1) + log_predictive_without(g, i, slot, work)
            else:
                log_w[k] = -np.inf  # alone: staying is the same as opening a new cluster
            top = max(top, log_w[k])
        log_w[k_all] = math.log(alpha) + g.log_t0[i]
        top = max(top, log_w[k_all])
        total = 0.0
        for k in range(k_all + 1):
            log_w[k] = math.exp(log_w[k] - top)
            total += log_w[k]
        left = uniforms[p] * total
        pick = 0
        while pick < k_all:
            left -= log_w[pick]
            if left < 0.0:
                break
            pick += 1
        if pick < k_all and g.active[pick] == own:
            continue
        if own >= 0:
            if g.counts[own] == 1:
                if pick == k_all:
                    continue
                target = g.active[pick]
                g.counts[own] = 0
                g.z[i] = -1
                close_slot(g, own)
                add(g, i, target)
                continue
            remove(g, i, own)
        target = open_slot(g) if pick == k_all else g.active[pick]
        add(g, i, target)
    done: int = order.shape[0]
    return done


@_jit
def restricted_scan(
    g: Clusters, members: np.ndarray, first: int, second: int, uniforms: np.ndarray, forced: np.ndarray
) -> float:
    """Gibbs scan of ``members`` between two slots (Jain and Neal 2004); returns the log probability of its outcome.

    ``forced`` (same length) names the side to take, 0 or 1; -1 draws it.
    """
    work = np.empty(g.x.shape[1])
    log_q = 0.0
    for p in range(members.shape[0]):
        i = members[p]
        own = g.z[i]
        other = second if own == first else first
        stay = math.log(g.counts[own] - 1.0) + log_predictive_without(g, i, own, work)
        move = math.log(g.counts[other]) + log_predictive(g, i, other, work)
        gap = stay - move if own == first else move - stay  # log odds of the first slot
        log_first = -math.log1p(math.exp(-gap)) if gap > 0 else gap - math.log1p(math.exp(gap))
        side = forced[p]
        if side < 0:
            side = 0 if math.log(uniforms[p]) < log_first else 1
        log_q += log_first if side == 0 else log_first - gap
        target = first if side == 0 else second
        if target != own:
            remove(g, i, own)
            add(g, i, target)
    return log_q
