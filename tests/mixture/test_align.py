"""Label samples under other names and with a few clusters more."""

import numpy as np
from sklearn.metrics import adjusted_rand_score

from ganad.mixture import align

RNG = np.random.default_rng(0)
TRUTH = align.compact(np.repeat(np.arange(5), [50, 40, 30, 20, 10]))


def test_permuted_labels_become_equal():
    samples = np.stack([RNG.permutation(5)[TRUTH] for _ in range(4)])
    aligned, labels = align.align(samples)
    assert (aligned == aligned[0]).all()
    np.testing.assert_array_equal(labels, TRUTH)


def test_consensus_outvotes_errors():
    samples = []
    for _ in range(7):
        noisy = TRUTH.copy()
        wrong = RNG.choice(len(TRUTH), 15, replace=False)
        noisy[wrong] = RNG.integers(5, size=15)
        samples.append(RNG.permutation(5)[noisy])
    assert adjusted_rand_score(align.align(np.stack(samples))[1], TRUTH) > 0.97


def test_extra_clusters_of_two_samples_are_not_one():
    a, b, c = TRUTH.copy(), TRUTH.copy(), TRUTH.copy()
    b[:15], c[50:60] = 5, 5  # each splits another cluster
    aligned, labels = align.align(np.stack([a, b, c]))
    names = {tuple(np.unique(row)) for row in aligned}
    assert len(names) == 3
    np.testing.assert_array_equal(labels, TRUTH)


def test_tie_goes_to_the_reference():
    a = np.array([0, 0, 0, 1, 1, 1])
    b = np.array([0, 0, 1, 1, 1, 1])
    aligned, labels = align.align(np.stack([a, b]))
    np.testing.assert_array_equal(labels, aligned[0])


def test_compact_sorts_by_size():
    np.testing.assert_array_equal(align.compact(np.array([7, 3, 3, 9, 9, 9])), [2, 1, 1, 0, 0, 0])
    assert align.macro_f1(TRUTH, RNG.permutation(5)[TRUTH]) == 1.0
