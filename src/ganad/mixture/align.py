"""Label samples are given common names by the Hungarian method, and each point gets one label.

This follows the MATLAB code of the lab behind IGMM-GAN. The reference is the sample with the highest mean pairwise
macro-F1. The worst tenth of the samples is left out. The others are matched to the reference by their confusion matrix,
and a point gets its most frequent label.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment


def confusion(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Joint counts of two labellings 0..K-1 of the same points, (K_a, K_b)."""
    k_a, k_b = int(a.max()) + 1, int(b.max()) + 1
    return np.bincount(a * k_b + b, minlength=k_a * k_b).reshape(k_a, k_b)


def match(labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """For each cluster of ``labels`` the matching reference cluster, one to one, or -1."""
    table = confusion(labels, reference)
    rows, columns = linear_sum_assignment(table, maximize=True)
    partner = np.full(len(table), -1)
    shared = table[rows, columns] > 0
    partner[rows[shared]] = columns[shared]
    return partner


def macro_f1(labels: np.ndarray, reference: np.ndarray) -> float:
    """Mean F1 over matched clusters; a cluster of either side without a partner counts as 0."""
    table, partner = confusion(labels, reference), match(labels, reference)
    hit = partner >= 0
    f1 = 2.0 * table[hit, partner[hit]] / (table.sum(axis=1)[hit] + table.sum(axis=0)[partner[hit]])
    return float(f1.sum() / max(table.shape))


def compact(labels: np.ndarray) -> np.ndarray:
    """The same partition with labels 0..K-1, largest cluster first. The earlier point decides ties."""
    _, first, inverse, counts = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -counts))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse]


def align(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Aligned label samples (S', N), the reference first, and the consensus label of each point (N,).

    A cluster without a partner in the reference gets a new name, so that unrelated extra clusters of two samples are
    not counted as one. A tie between labels goes to the reference's label if it is among them, else to the label of the
    earlier sample.
    """
    samples = np.stack([compact(sample) for sample in samples])
    agreement = np.array([[macro_f1(a, b) for b in samples] for a in samples])
    ranking = np.argsort(-agreement.mean(axis=1), kind="stable")[: int(np.ceil(0.9 * len(samples)))]
    reference = samples[ranking[0]]
    aligned, fresh = [reference], int(reference.max()) + 1
    for s in ranking[1:]:
        partner = match(samples[s], reference)
        alone = np.flatnonzero(partner < 0)
        partner[alone] = fresh + np.arange(len(alone))
        fresh += len(alone)
        aligned.append(partner[samples[s]])
    stack = np.stack(aligned)
    votes = np.stack([(stack == row).sum(axis=0) for row in stack])
    return stack, np.take_along_axis(stack, votes.argmax(axis=0)[None], axis=0)[0]
