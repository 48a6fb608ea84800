"""How each protocol draws its training samples, its test samples and its anomalies."""

from __future__ import annotations

import numpy as np

from ..data.layouts import NORMAL, TRAINING
from ..errors import InputError
from .protocol import Parts


def _four_fifths(index: np.ndarray, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """A random 80 % of the positions, rounded down, and the rest."""
    index = rng.permutation(index)
    k = len(index) * 8 // 10
    return index[:k], index[k:]


def leave_out_pooled(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """80 % of all samples of the other classes train; their other 20 % and all of class c test (EGBAD, Fence GAN)."""
    anomaly = y == names[0]
    train, rest = _four_fifths(np.flatnonzero(~anomaly), rng)
    return Parts(train, np.concatenate([rest, np.flatnonzero(anomaly)]), anomaly)


def leave_out_official(y: np.ndarray, names: list[str], rng: np.random.RandomState, n_train: int) -> Parts:
    """The other classes of the official training set train; the whole official test set tests."""
    anomaly = y == names[0]
    return Parts(np.flatnonzero(~anomaly[:n_train]), np.arange(n_train, len(y)), anomaly)


def one_official(y: np.ndarray, names: list[str], rng: np.random.RandomState, n_train: int) -> Parts:
    """Class c of the official training set trains; the whole official test set tests (ADGAN, OCGAN, Deep SVDD)."""
    anomaly = y != names[0]
    return Parts(np.flatnonzero(~anomaly[:n_train]), np.arange(n_train, len(y)), anomaly)


def one_alad(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """Class c among a fixed random 60 % trains, all classes of a fixed random 20 % test (ALAD's released loader)."""
    # two calls of scikit-learn's train_test_split with random_state=42; the 20 % between them are the validation set
    order = np.random.RandomState(42).permutation(len(y))
    n_test = -(-len(y) // 5)
    kept = order[n_test:]
    train = kept[np.random.RandomState(42).permutation(len(kept))[-(-len(kept) // 4) :]]
    anomaly = y != names[0]
    return Parts(train[~anomaly[train]], order[:n_test], anomaly)


def one_held_out(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """80 % of class c train; the other 20 % of every class test, so that the share of anomalies is the data set's."""
    halves = {c: _four_fifths(np.flatnonzero(y == c), rng) for c in np.unique(y)}
    return Parts(halves[names[0]][0], np.concatenate([rest for _, rest in halves.values()]), y != names[0])


def half(
    y: np.ndarray, names: list[str], rng: np.random.RandomState, normal_is_anomaly: bool, seed: int | None = None
) -> Parts:
    """A random half trains, without its anomalies; the other half tests (DAGMM)."""
    # the same rows as pandas' sample(frac=0.5, random_state=seed), which is how the EGBAD and ALAD codes draw them
    order = (rng if seed is None else np.random.RandomState(seed)).permutation(len(y))
    train, test = order[: round(len(y) / 2)], order[round(len(y) / 2) :]
    anomaly = (y == "normal") == normal_is_anomaly
    return Parts(train[~anomaly[train]], test, anomaly)


def arrhythmia_alad(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """A fixed half trains, anomalies and all; the other half tests (ALAD's released loader)."""
    # one call of scikit-learn's train_test_split with random_state=42, which takes the test half first
    order = np.random.RandomState(42).permutation(len(y))
    return Parts(order[len(y) // 2 :], order[: len(y) // 2], y != "normal")


def card_fraud(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """700 genuine transactions train; 490 others and 490 frauds test (OCAN)."""
    anomaly = ~np.isin(y, names)
    genuine, fraud = rng.permutation(np.flatnonzero(~anomaly)), rng.permutation(np.flatnonzero(anomaly))
    if len(genuine) < 1190 or len(fraud) < 490:
        raise InputError(f"card-fraud needs 1,190 genuine and 490 fraud rows, has {len(genuine)} and {len(fraud)}")
    return Parts(genuine[:700], np.concatenate([genuine[-490:], fraud[-490:]]), anomaly)


def folds(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """Four fifths of the normal samples train; fold ``names[0]`` and all anomalies test (MMOC-GAN)."""
    anomaly = y != "normal"
    folds = np.array_split(rng.permutation(np.flatnonzero(~anomaly)), 5)
    test = folds.pop(int(names[0]))
    return Parts(np.concatenate(folds), np.concatenate([test, np.flatnonzero(anomaly)]), anomaly)


def bedrooms(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """Bedrooms train; the last 3,000 samples, 300 of each of ten scenes, test (ADGAN)."""
    if len(y) <= 3000 or not (np.unique(y[-3000:], return_counts=True)[1] == 300).all():
        raise InputError("lsun-bedroom needs training images, then 3,000 validation images, 300 of each of ten scenes")
    anomaly = y != names[0]
    return Parts(np.flatnonzero(~anomaly[:-3000]), np.arange(len(y) - 3000, len(y)), anomaly)


def user(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """80 % of the normal samples train; the other 20 % and everything else test."""
    anomaly = ~np.isin(y, names)
    train, rest = _four_fifths(np.flatnonzero(~anomaly), rng)
    return Parts(train, np.concatenate([rest, np.flatnonzero(anomaly)]), anomaly)


def laid_out(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> Parts:
    """The photos of the training folder train, those of the test folder test; what is there not called good is an
    anomaly."""
    train = y == TRAINING
    return Parts(np.flatnonzero(train), np.flatnonzero(~train), ~train & ~np.isin(y, NORMAL))
