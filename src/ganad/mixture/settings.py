"""Checks of the mixture's settings, and the prior that they describe."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..errors import InputError
from . import niw
from .starts import STARTS

PSI_SCALES = ("identity", "inverse-wishart-mean", "inverse-wishart-precision", "covariance")
SAMPLERS = ("auto", "collapsed", "subcluster")

#: N d² up to which exact Gibbs takes 500 sweeps in minutes with Numba
_COLLAPSED_WORK = 1e8
_COLLAPSED_WORK_NUMPY = 2000 * 100


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, not {value!r}.")
    return float(value)


def _positive(name: str, value: object) -> float:
    number = _number(name, value)
    if number <= 0:
        raise InputError(f"{name} must be greater than 0, not {value!r}.")
    return number


def _count(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InputError(f"{name} must be an integer of at least {least}, not {value!r}.")
    return int(value)


def _choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}.")


def check(settings: dict[str, Any]) -> None:
    """Raise InputError for a setting that is wrong for all data."""
    for name in ("alpha", "kappa0", "s"):
        _positive(name, settings[name])
    n_sweeps = _count("n_sweeps", settings["n_sweeps"], 1)
    burn_in = _count("burn_in", settings["burn_in"], 0)
    thin = _count("thin", settings["thin"], 1)
    if settings["min_cluster_size"] is not None:
        _count("min_cluster_size", settings["min_cluster_size"], 0)
    if burn_in + thin > n_sweeps:
        raise InputError(
            f"n_sweeps={n_sweeps} leaves no label sample after burn_in={burn_in} at thin={thin}: "
            "n_sweeps must be at least burn_in + thin."
        )
    _choice("psi_scale", settings["psi_scale"], PSI_SCALES)
    _choice("sampler", settings["sampler"], SAMPLERS)
    _choice("init", settings["init"], ("auto", *STARTS))
    _choice("consensus", settings["consensus"], ("mode", "best"))
    if settings["sampler"] == "collapsed" and settings["device"] is not None:
        raise InputError('device is for sampler="subcluster"; the collapsed sampler runs on the CPU only.')
    if settings["n_jobs"] is not None:
        _count("n_jobs", settings["n_jobs"], 1)
    if not isinstance(settings["split_merge"], bool):
        _count("split_merge", settings["split_merge"], 0)
    if settings["alpha_prior"] is not None:
        prior = settings["alpha_prior"]
        if not isinstance(prior, tuple | list) or len(prior) != 2:
            raise InputError(f"alpha_prior must be None or the shape and rate of a Gamma prior, not {prior!r}.")
        for name, value in zip(("alpha_prior shape", "alpha_prior rate"), prior):
            _positive(name, value)


def prior_for(x: np.ndarray, settings: dict[str, Any]) -> niw.NIW:
    """The prior for ``x`` (N, d). Raises InputError if scale and degrees of freedom do not give a distribution."""
    d = x.shape[1]
    kappa, s = float(settings["kappa0"]), float(settings["s"])
    m = float(d + 20) if settings["m"] is None else _number("m", settings["m"])
    if m <= d - 1:
        raise InputError(f"m={m:g} is too small for {d} features: the prior needs m > d - 1 = {d - 1}.")
    psi_scale = settings["psi_scale"]
    if psi_scale != "identity" and m <= d + 1:
        raise InputError(f"psi_scale={psi_scale!r} needs m > d + 1 = {d + 1}, and m is {m:g}.")
    if settings["mu0"] is None:
        mu = x.mean(axis=0)
    else:
        mu = np.array(settings["mu0"], dtype=np.float64)
        if mu.shape != (d,) or not np.isfinite(mu).all():
            raise InputError(f"mu0 must be {d} finite numbers, one for each feature.")
    if psi_scale == "covariance":
        psi = (m - d - 1) / s * _covariance(x)
    else:
        scale = {
            "identity": s,
            "inverse-wishart-mean": (m - d - 1) * s,
            "inverse-wishart-precision": (m - d - 1) / s,
        }
        psi = scale[psi_scale] * np.eye(d)
    with np.errstate(over="ignore"):  # the check below looks for the overflow
        squares = np.square(x - mu).sum()
    if not np.isfinite(squares):
        raise InputError("X holds values whose squares overflow; divide it by a constant first.")
    return niw.NIW(kappa, m, mu, psi)


def _covariance(x: np.ndarray) -> np.ndarray:
    if len(x) <= x.shape[1]:
        raise InputError(
            f'psi_scale="covariance" needs more points than features, and X has {len(x)} points (n_samples) '
            f"of {x.shape[1]} features."
        )
    spread = np.std(x, axis=0)
    constant = np.flatnonzero(spread <= 1e-12 * np.abs(x).max(axis=0))
    if len(constant):
        raise InputError(f'psi_scale="covariance" cannot be used with constant columns: {constant[:10].tolist()}.')
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    if np.linalg.eigvalsh(covariance / np.outer(spread, spread))[0] < 1e-10:
        raise InputError('psi_scale="covariance" cannot be used when a column is a combination of others.')
    return covariance


def choose_sampler(settings: dict[str, Any], n: int, d: int, *, has_numba: bool) -> str:
    """``"collapsed"`` if exact Gibbs takes only minutes, else ``"subcluster"``."""
    if settings["sampler"] != "auto":
        return str(settings["sampler"])
    if settings["device"] is not None:
        return "subcluster"
    limit = _COLLAPSED_WORK if has_numba else _COLLAPSED_WORK_NUMPY
    return "collapsed" if n * max(d, 10) ** 2 <= limit else "subcluster"
