"""Exact posteriors over the partitions of a few points, to hold samplers against."""

import numpy as np

from ganad.mixture import niw


def partitions(n):
    """Every set partition of n points as labels in order of appearance (Bell number of them)."""
    rows = [[]]
    for _ in range(n):
        rows = [[*row, k] for row in rows for k in range(max(row, default=-1) + 2)]
    return [tuple(row) for row in rows]


def canonical(labels):
    names = {}
    return tuple(names.setdefault(int(k), len(names)) for k in labels)


def small_problem(n, d=2, seed=0):
    """Points that many partitions explain about as well, a prior with nothing special about it, and alpha."""
    x = 1.5 * np.random.default_rng(seed).normal(size=(n, d))
    return x - x.mean(axis=0), niw.NIW(0.3, d + 2.5, np.zeros(d), np.eye(d) + 0.2), 1.3


def exact_posterior(x, prior, alpha):
    """Probability of each partition; niw.log_joint is held against scipy in test_niw.py."""
    table = partitions(len(x))
    log_p = np.array([niw.log_joint(x, np.array(row), prior, alpha) for row in table])
    p = np.exp(log_p - log_p.max())
    return dict(zip(table, p / p.sum()))


def total_variation(sampler, exact, n_kept, thin, seed=0):
    """Distance of visit frequencies from ``exact``, and the mean and spread of it for independent draws."""
    rng = np.random.default_rng(seed)
    index = {row: i for i, row in enumerate(exact)}
    p = np.array(list(exact.values()))
    counts = np.zeros(len(p))
    for t in range(n_kept * thin):
        sampler.sweep(rng)
        if t % thin == 0:
            counts[index[canonical(sampler.labels)]] += 1
    by_chance = 0.5 * np.abs(rng.multinomial(n_kept, p, size=400) / n_kept - p).sum(axis=1)
    return 0.5 * np.abs(counts / n_kept - p).sum(), by_chance.mean(), by_chance.std()
