"""Normal-inverse-Wishart arithmetic: posteriors, Student-t predictives and marginal likelihoods of Gaussian clusters.

Σ ~ IW(Ψ0, m), μ | Σ ~ N(μ0, Σ/κ0), labels from a Chinese restaurant process with concentration α.
K. Murphy, "Conjugate Bayesian analysis of the Gaussian distribution", 2007; C. E. Rasmussen, "The Infinite
Gaussian Mixture Model", NeurIPS 1999. A cluster is kept as its moments (n, mean, scatter about the mean), because sums
of squares about the origin would lose all digits of a tight cluster far away.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln


class Moments(NamedTuple):
    """Count, mean (d,) and scatter (d, d) about that mean."""

    n: int
    mean: np.ndarray
    scatter: np.ndarray


def moments(x: np.ndarray) -> Moments:
    """Moments of the rows of ``x`` (n, d); n may be 0."""
    if len(x) == 0:
        return Moments(0, np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1])))
    mean = x.mean(axis=0)
    centred = x - mean
    return Moments(len(x), mean, centred.T @ centred)


def combine(a: Moments, b: Moments) -> Moments:
    """Moments of two disjoint groups together (Chan, Golub and LeVeque 1979)."""
    if a.n == 0 or b.n == 0:
        return a if b.n == 0 else b
    n, step = a.n + b.n, b.mean - a.mean
    return Moments(n, a.mean + step * (b.n / n), a.scatter + b.scatter + np.outer(step, step) * (a.n * b.n / n))


def without(whole: Moments, part: Moments) -> Moments:
    """Moments of ``whole`` once the rows of ``part`` have left it."""
    n = whole.n - part.n
    if part.n == 0 or n == 0:
        zero = Moments(0, np.zeros_like(whole.mean), np.zeros_like(whole.scatter))
        return whole if part.n == 0 else zero
    mean = whole.mean - (part.mean - whole.mean) * (part.n / n)
    step = part.mean - mean
    return Moments(n, mean, whole.scatter - part.scatter - np.outer(step, step) * (n * part.n / whole.n))


def cholesky(a: np.ndarray) -> np.ndarray:
    """Lower factor of a matrix that is positive definite up to rounding.

    In exact arithmetic Ψ0 keeps every posterior scale positive definite. If the data are 1e8 times wider than Ψ0,
    rounding can break this, and the diagonal is raised by the least power of ten that helps.
    """
    lift = 0.0
    scale = float(np.max(np.diagonal(a), initial=np.finfo(float).tiny))
    for exponent in range(-16, 1):
        try:
            return np.linalg.cholesky(a + lift * np.eye(len(a)) if lift else a)
        except np.linalg.LinAlgError:
            lift = scale * 10.0**exponent
    raise FloatingPointError("a scale matrix is not finite")


@dataclass(frozen=True, eq=False)
class NIW:
    """The prior of one cluster: κ0 > 0, m > d - 1, μ0 (d,), Ψ0 (d, d) positive definite."""

    kappa: float
    m: float
    mu: np.ndarray
    psi: np.ndarray

    @property
    def d(self) -> int:
        return len(self.mu)

    def posterior(self, data: Moments) -> tuple[np.ndarray, np.ndarray]:
        """μ_n (d,) and Ψ_n (d, d); κ_n = κ0 + n and m_n = m + n."""
        step = data.mean - self.mu
        mean = self.mu + step * (data.n / (self.kappa + data.n))
        return mean, self.psi + data.scatter + np.outer(step, step) * (self.kappa * data.n / (self.kappa + data.n))

    @functools.cached_property
    def _half_steps(self) -> np.ndarray:
        return 0.5 * np.arange(self.d)

    @functools.cached_property
    def _log_marginal_of_none(self) -> float:
        log_det = 2 * np.log(np.diagonal(cholesky(self.psi))).sum()
        return float(gammaln(0.5 * self.m - self._half_steps).sum() - 0.5 * self.m * log_det)

    def log_marginal(self, n: np.ndarray | float, log_det: np.ndarray | float) -> np.ndarray:
        """log p(X_k) of clusters of n points whose Ψ_n has these log-determinants."""
        n = np.asarray(n, dtype=float)
        # log Γ_d(a) = constant + Σ_j log Γ(a - j/2), j = 0..d-1
        value: np.ndarray = (
            gammaln(0.5 * (self.m + n[..., None]) - self._half_steps).sum(axis=-1)
            - 0.5 * (self.m + n) * np.asarray(log_det)
            - self._log_marginal_of_none
            + 0.5 * self.d * (np.log(self.kappa / (self.kappa + n)) - n * np.log(np.pi))
        )
        return value

    def predictive_constants(self, n: np.ndarray) -> np.ndarray:
        """The part of log t that depends on the count alone.

        log t = constant(n) - ½ log|Ψ_n| - ½ (m_n + 1) log(1 + κ_n/(κ_n + 1) v'Ψ_n⁻¹v) with v = x - μ_n: the
        degrees of freedom ν = m_n - d + 1 cancel out of the scale C = Ψ_n (κ_n + 1)/(κ_n ν).
        """
        kappa, m = self.kappa + n, self.m + n
        log_gammas: np.ndarray = gammaln(0.5 * (m + 1)) - gammaln(0.5 * (m + 1 - self.d))
        return log_gammas - 0.5 * self.d * np.log(np.pi * (kappa + 1) / kappa)


def log_student_t(x: np.ndarray, prior: NIW, n: float, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Log predictive density (N,) of ``x`` (N, d) under a cluster of n points with posterior μ_n and Ψ_n = LL'."""
    y = solve_triangular(factor, (x - mean).T, lower=True, check_finite=False)
    q = np.einsum("ij,ij->j", y, y) * ((prior.kappa + n) / (prior.kappa + n + 1))
    half_log_det = np.log(np.diagonal(factor)).sum()
    constant = prior.predictive_constants(np.asarray(float(n)))
    value: np.ndarray = constant - half_log_det - 0.5 * (prior.m + n + 1) * np.log1p(q)
    return value


def log_crp(counts: np.ndarray, alpha: float) -> float:
    """Log prior of a partition with these block sizes."""
    n = counts.sum()
    return float(len(counts) * np.log(alpha) + gammaln(counts).sum() + gammaln(alpha) - gammaln(alpha + n))


def log_joint(x: np.ndarray, labels: np.ndarray, prior: NIW, alpha: float) -> float:
    """log p(X, z) of a labelling, from scratch."""
    total, sizes = 0.0, []
    for k in np.unique(labels):
        group = moments(x[labels == k])
        factor = cholesky(prior.posterior(group)[1])
        total += float(prior.log_marginal(group.n, 2 * np.log(np.diagonal(factor)).sum()))
        sizes.append(group.n)
    return total + log_crp(np.array(sizes), alpha)


def draw_gaussian(
    rng: np.random.Generator, prior: NIW, n: float, mean: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A draw of (μ, B) from the posterior with Ψ_n = LL', where B is lower triangular and B'B = Σ⁻¹.

    Σ⁻¹ = L⁻ᵀ M L⁻¹ with M ~ Wishart(I, m_n); Bartlett's factor is taken from the other end, M = C'C with C lower
    triangular and C_ii² ~ χ²(m_n - d + i), so that B = C L⁻¹ stays lower triangular.
    """
    d = prior.d
    c = np.tril(rng.standard_normal((d, d)), -1)
    c[np.diag_indices(d)] = np.sqrt(rng.chisquare(prior.m + n - d + np.arange(1, d + 1)))
    b = solve_triangular(factor, c.T, lower=True, trans="T", check_finite=False).T
    noise = solve_triangular(b, rng.standard_normal(d), lower=True, check_finite=False)
    return mean + noise / np.sqrt(prior.kappa + n), b


def draw_alpha(rng: np.random.Generator, alpha: float, n: int, k: int, shape: float, rate: float) -> float:
    """α given K clusters of n points under a Gamma(shape, rate) prior (Escobar and West 1995)."""
    log_eta = np.log(rng.beta(alpha + 1.0, n))
    odds = (shape + k - 1.0) / (n * (rate - log_eta))
    return float(rng.gamma(shape + k - (rng.random() >= odds / (1.0 + odds)), 1.0 / (rate - log_eta)))
