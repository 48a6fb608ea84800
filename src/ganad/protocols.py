"""The published evaluation protocols as pure functions: (labels, class, seed) -> which samples train and which test.

A protocol sees labels, never pixels, and answers with positions, so that no large array is copied before it must be.
Positions count the official training set followed by the official test set, as ``ganad.data.load(name)`` returns them.
"lo" leaves one class out, which is the anomaly; "one" keeps one class, which is normal. A class means opposite things
in the two families, so their figures never share a column.

All draws come from ``numpy.random.RandomState``, whose streams are frozen (NEP 19): a split and its hash stay the same
in every version of NumPy, and two of the published splits are such streams themselves.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .data import Samples
from .data import load as load_data
from .data.fetch import fetch
from .data.public import CIFAR10_CLASSES
from .errors import InputError

Class = str | int | Sequence[str] | None


@dataclass(frozen=True, eq=False)
class Split:
    """Which samples train and which test; positions ascend, so classes are mixed and a memmap is read forwards."""

    protocol: str
    cls: str | None  #: the anomalous class, the normal one or a fold, as the protocol has it; None if it has none
    seed: int
    train: np.ndarray  #: positions, int64 (n_train,)
    test: np.ndarray  #: positions, int64 (n_test,)
    y_test: np.ndarray  #: 1 for anomalies and 0 for normal samples, int8 (n_test,)
    n_train_cap: int | None = None  #: set when training samples were left out: not comparable with published figures
    n_test_cap: int | None = None  #: set when test samples were left out
    hash: str = field(init=False)  #: first 16 hex digits of a SHA-256 over all of the above but class and seed

    def __post_init__(self) -> None:
        digest = hashlib.sha256(f"{self.protocol}|{self.n_train_cap}|{self.n_test_cap}".encode())
        for part, kind in ((self.train, "<i8"), (self.test, "<i8"), (self.y_test, "i1")):
            digest.update(f"|{len(part)}|".encode() + part.astype(kind).tobytes())
        object.__setattr__(self, "hash", digest.hexdigest()[:16])

    def take(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``x_train, x_test``, copied from ``x`` of shape (n, ...), which may be a memmap."""
        return x[self.train], x[self.test]


class _Parts(NamedTuple):
    train: np.ndarray  # positions in any order
    test: np.ndarray  # positions in any order
    anomaly: np.ndarray  # mask over all n samples


Rule = Callable[[np.ndarray, list[str], np.random.RandomState], _Parts]


@dataclass(frozen=True)
class Protocol:
    """A protocol and what is known about it."""

    id: str
    dataset: str  #: name for ``ganad.data.load``, or one that only ``read`` knows, or "" for the user's own
    rule: Rule = field(repr=False)
    classes: tuple[str, ...]  #: the trials of one table row; empty if there is a single trial
    role: str  #: what the class is: "anomaly", "normal" or "fold"; "" if there is none
    metrics: tuple[str, ...]  #: what the papers print
    runs: int  #: seeds that a table row averages over, the paper's number where it says one
    note: str  #: leaks, traps and open readings
    n: int | None = None  #: samples that the data set must have
    rate: float | None = None  #: share of the test set that thresholded metrics flag
    fixed: bool = False  #: the split is the same for every seed, which then changes the training only
    published_as: str | None = ""  #: where the papers' figures are filed, if not under ``id``; None: they have no equal

    def split(
        self,
        samples: Samples | np.ndarray,
        cls: Class = None,
        seed: int = 0,
        *,
        n_train: int | None = None,
        n_test: int | None = None,
    ) -> Split:
        """Split of ``samples``, or of their labels (n,), for one class and seed.

        n_train: keep at most so many training samples, drawn at random: for quick runs (12,000 is the usual number).
        n_test: the same for the test set; ADGAN's paper draws 5,000. Both are part of the hash when they cut something.

        Raises InputError for a wrong number of samples, an unknown class or a seed outside 0 .. 2^32 - 1.
        """
        y = samples if isinstance(samples, np.ndarray) else samples.y
        if y is None:
            raise InputError(f"{self.id} needs the class of every sample, and these have none")
        y = np.asarray(y).astype(str)
        if y.ndim != 1 or self.n not in (None, len(y)):
            raise InputError(
                f"{self.id} is defined on the {self.n or 'n'} labels of {self.dataset or 'a labelled set'}, training "
                f"part first; these have shape {y.shape}"
            )
        if not 0 <= seed < 2**32:
            raise InputError(f"seed {seed} must lie in 0 .. 2^32 - 1")
        names = self._names(cls, y)
        parts = self.rule(y, names, np.random.RandomState(seed))
        train, train_cap = _cap(parts.train, n_train, [seed, 1], "n_train")
        test, test_cap = _cap(parts.test, n_test, [seed, 2], "n_test")
        y_test = parts.anomaly[test].astype(np.int8)
        if not len(train) or y_test.min() == y_test.max():
            raise InputError(
                f"{self.id}: too few samples for a split: {len(train)} train, {y_test.sum()} of {len(test)} that test "
                f"are anomalies"
            )
        return Split(self.id, "+".join(names) or None, seed, train, test, y_test, train_cap, test_cap)

    def _names(self, cls: Class, y: np.ndarray) -> list[str]:
        """The class or classes asked for, as the labels spell them."""
        if not self.role:
            if cls not in (None, ""):
                raise InputError(f"{self.id} does not turn on a class, but {cls!r} was given; leave it out")
            return []
        if cls is None and len(self.classes) != 1:
            raise InputError(f"{self.id} needs a class, the {self.role} one: {', '.join(self.classes)}")
        given = self.classes[0] if cls is None else cls
        names = [str(c) for c in given] if isinstance(given, Sequence) and not isinstance(given, str) else [str(given)]
        known = self.classes if self.role == "fold" else np.unique(y)
        for name in names:
            if name not in known:
                raise InputError(f"{self.id}: no class {name!r}; there are {', '.join(known[:20])}")
        return names


def split(
    protocol: str,
    samples: Samples | np.ndarray,
    cls: Class = None,
    seed: int = 0,
    *,
    n_train: int | None = None,
    n_test: int | None = None,
) -> Split:
    """``PROTOCOLS[protocol].split(...)``; InputError for a name that is none of them."""
    return _known(protocol).split(samples, cls, seed, n_train=n_train, n_test=n_test)


def read(protocol: str, *, data_dir: str | Path | None = None, progress: Any = None) -> Samples:
    """The data of a protocol, in the order that its positions count; InputError if they cannot be had."""
    entry = _known(protocol)
    if entry.dataset == "production-line":
        return production_line()
    if entry.dataset.startswith("ocan-credit-card"):
        return _credit_card(entry.dataset.removeprefix("ocan-credit-card-"), data_dir)
    if not entry.dataset:
        raise InputError(f"{protocol}: no reader for its data; load them with ganad.data.load and pass the samples")
    return load_data(entry.dataset, data_dir=data_dir, progress=progress)


def _known(protocol: str) -> Protocol:
    if protocol not in PROTOCOLS:
        raise InputError(f"no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]


def _cap(index: np.ndarray, most: int | None, seed: list[int], name: str) -> tuple[np.ndarray, int | None]:
    """At most ``most`` of the positions, ascending, and the cap if it cut anything."""
    if most is None or most >= len(index):
        return np.sort(index), None
    if most < 1:
        raise InputError(f"{name}={most} must be at least 1")
    index = np.sort(index)
    return np.sort(np.random.RandomState([*seed, most]).permutation(index)[:most]), most


def _four_fifths(index: np.ndarray, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """A random 80 % of the positions, rounded down, and the rest."""
    index = rng.permutation(index)
    k = len(index) * 8 // 10
    return index[:k], index[k:]


def _leave_out_pooled(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """80 % of all samples of the other classes train; their other 20 % and all of class c test (EGBAD, Fence GAN)."""
    anomaly = y == names[0]
    train, rest = _four_fifths(np.flatnonzero(~anomaly), rng)
    return _Parts(train, np.concatenate([rest, np.flatnonzero(anomaly)]), anomaly)


def _leave_out_official(y: np.ndarray, names: list[str], rng: np.random.RandomState, n_train: int) -> _Parts:
    """The other classes of the official training set train; the whole official test set tests."""
    anomaly = y == names[0]
    return _Parts(np.flatnonzero(~anomaly[:n_train]), np.arange(n_train, len(y)), anomaly)


def _one_official(y: np.ndarray, names: list[str], rng: np.random.RandomState, n_train: int) -> _Parts:
    """Class c of the official training set trains; the whole official test set tests (ADGAN, OCGAN, Deep SVDD)."""
    anomaly = y != names[0]
    return _Parts(np.flatnonzero(~anomaly[:n_train]), np.arange(n_train, len(y)), anomaly)


def _one_alad(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """Class c among a fixed random 60 % trains, all classes of a fixed random 20 % test (ALAD's released loader)."""
    # two calls of scikit-learn's train_test_split with random_state=42; the 20 % between them are the validation set
    order = np.random.RandomState(42).permutation(len(y))
    n_test = -(-len(y) // 5)
    kept = order[n_test:]
    train = kept[np.random.RandomState(42).permutation(len(kept))[-(-len(kept) // 4) :]]
    anomaly = y != names[0]
    return _Parts(train[~anomaly[train]], order[:n_test], anomaly)


def _one_held_out(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """80 % of class c train; the other 20 % of every class test, so that the share of anomalies is the data set's."""
    halves = {c: _four_fifths(np.flatnonzero(y == c), rng) for c in np.unique(y)}
    return _Parts(halves[names[0]][0], np.concatenate([rest for _, rest in halves.values()]), y != names[0])


def _half(
    y: np.ndarray, names: list[str], rng: np.random.RandomState, normal_is_anomaly: bool, seed: int | None = None
) -> _Parts:
    """A random half trains, without its anomalies; the other half tests (DAGMM)."""
    # the same rows as pandas' sample(frac=0.5, random_state=seed), which is how the EGBAD and ALAD codes draw them
    order = (rng if seed is None else np.random.RandomState(seed)).permutation(len(y))
    train, test = order[: round(len(y) / 2)], order[round(len(y) / 2) :]
    anomaly = (y == "normal") == normal_is_anomaly
    return _Parts(train[~anomaly[train]], test, anomaly)


def _arrhythmia_alad(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """A fixed half trains, anomalies and all; the other half tests (ALAD's released loader)."""
    # one call of scikit-learn's train_test_split with random_state=42, which takes the test half first
    order = np.random.RandomState(42).permutation(len(y))
    return _Parts(order[len(y) // 2 :], order[: len(y) // 2], y != "normal")


def _card_fraud(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """700 genuine transactions train; 490 others and 490 frauds test (OCAN)."""
    anomaly = ~np.isin(y, names)
    genuine, fraud = rng.permutation(np.flatnonzero(~anomaly)), rng.permutation(np.flatnonzero(anomaly))
    if len(genuine) < 1190 or len(fraud) < 490:
        raise InputError(f"card-fraud needs 1,190 genuine and 490 fraud rows, has {len(genuine)} and {len(fraud)}")
    return _Parts(genuine[:700], np.concatenate([genuine[-490:], fraud[-490:]]), anomaly)


def _folds(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """Four fifths of the normal samples train; fold ``names[0]`` and all anomalies test (MMOC-GAN)."""
    anomaly = y != "normal"
    folds = np.array_split(rng.permutation(np.flatnonzero(~anomaly)), 5)
    test = folds.pop(int(names[0]))
    return _Parts(np.concatenate(folds), np.concatenate([test, np.flatnonzero(anomaly)]), anomaly)


def _bedrooms(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """Bedrooms train; the last 3,000 samples, 300 of each of ten scenes, test (ADGAN)."""
    if len(y) <= 3000 or not (np.unique(y[-3000:], return_counts=True)[1] == 300).all():
        raise InputError("lsun-bedroom needs training images, then 3,000 validation images, 300 of each of ten scenes")
    anomaly = y != names[0]
    return _Parts(np.flatnonzero(~anomaly[:-3000]), np.arange(len(y) - 3000, len(y)), anomaly)


def _user(y: np.ndarray, names: list[str], rng: np.random.RandomState) -> _Parts:
    """80 % of the normal samples train; the other 20 % and everything else test."""
    anomaly = ~np.isin(y, names)
    train, rest = _four_fifths(np.flatnonzero(~anomaly), rng)
    return _Parts(train, np.concatenate([rest, np.flatnonzero(anomaly)]), anomaly)


def production_line(seed: int = 0) -> Samples:
    """A stand-in for MMOC-GAN's private data: 3,936 normal parts in eight modes and 22 anomalies, 40 columns.

    Each mode is a Gaussian with five strong directions and some noise; the modes differ in size. Half of the anomalies
    lie between two modes, half beside one of them, off its directions. Neither is far from the mean of all, so that a
    single Gaussian ranks them about as well as chance while a mixture of eight finds them. No published figure belongs
    to it, because neither the data nor their dimension are public.
    """
    n, n_off, modes, d, rank = 3936, 11, 8, 40, 5
    rng = np.random.RandomState([seed, n])
    centre = rng.normal(0, 2, (modes, d)) * (rng.random_sample((modes, d)) < 0.5)
    axes = rng.normal(0, 0.6, (modes, rank, d))

    def parts(k: np.ndarray) -> np.ndarray:
        along = np.einsum("nr,nrd->nd", rng.normal(size=(len(k), rank)), axes[k])
        return centre[k] + along + rng.normal(0, 0.5, (len(k), d))

    normal = parts(rng.choice(modes, n, p=np.arange(1, modes + 1) / 36))
    one = rng.choice(modes, n_off)
    other = (one + 1 + rng.choice(modes - 1, n_off)) % modes
    weight = rng.uniform(0.3, 0.7, (n_off, 1))
    between = weight * parts(one) + (1 - weight) * parts(other)
    beside = parts(rng.choice(modes, n_off))
    x = np.concatenate([normal, between, beside + rng.normal(0, 0.6, (n_off, d))])
    return _table(x, np.repeat(["normal", "anomaly"], [n, 2 * n_off]))


def _credit_card(kind: str, data_dir: str | Path | None) -> Samples:
    """The OCAN authors' arrays: 2,000 genuine transactions, then 492 frauds; 30 raw columns or 50 codes."""
    suffix = {"raw": "raw_r0", "codes": "hid_repre_r2"}[kind]
    arrays = []
    for who in ("ben", "van"):
        path = fetch("ocan_credit_card", f"{who}_{suffix}.npy", data_dir)
        try:
            with warnings.catch_warnings():
                # Python 2 wrote these files, which NumPy remarks on and reads
                warnings.simplefilter("ignore", UserWarning)
                arrays.append(np.load(path, allow_pickle=False).astype(np.float64))
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: not a NumPy array or damaged ({error}); copy it again") from error
    return _table(np.concatenate(arrays), np.repeat(["normal", "fraud"], [len(a) for a in arrays]))


def _table(x: np.ndarray, y: np.ndarray) -> Samples:
    columns = [f"f{i}" for i in range(x.shape[1])]
    source = {"kind": "table", "columns": [{"name": c, "kind": "numeric"} for c in columns], "label": None}
    return Samples(x, y, [str(i) for i in range(len(x))], columns, source=source)


_DIGITS = tuple("0123456789")
_CIFAR = tuple(CIFAR10_CLASSES)
_PRF = ("precision", "recall", "f1")
_KDD_NOTE = (
    'The attacks are the normal class and the "normal" rows the anomalies. 82 % of the training rows are duplicates '
    "and 87 % of the test attacks equal a training row, so the nearest training row alone reaches F1 0.991. Flagging "
    "exactly 20 % caps F1 at 0.992 and fixes precision / recall near 0.984."
)
_FRAUD_NOTE = (
    "Balanced test set and a threshold of 0.5 in the paper; print the AUROC. The authors' arrays are min-max scaled "
    "over both classes together, so scaling has seen the frauds."
)

PROTOCOLS: dict[str, Protocol] = {
    p.id: p
    for p in (
        Protocol(
            "mnist-lo-8020",
            "mnist",
            _leave_out_pooled,
            _DIGITS,
            "anomaly",
            ("pr_area_trapezoid", "auroc"),
            3,
            n=70_000,
            note="Papers print the precision-recall area, but EGBAD's code finds the anomaly (chance 0.33 to 0.39) and "
            "Fence GAN's the normal class (chance 0.61 to 0.67). Fence GAN's code keeps the epoch that is best on "
            "labelled validation data.",
        ),
        Protocol(
            "mnist-lo-official",
            "mnist",
            partial(_leave_out_official, n_train=60_000),
            _DIGITS,
            "anomaly",
            ("auroc",),
            3,
            n=70_000,
            fixed=True,
            note="What Silva and Lochter's study states for every row; only ALAD, GANomaly and FenceGAN can be it.",
        ),
        Protocol(
            "mnist-one-official",
            "mnist",
            partial(_one_official, n_train=60_000),
            _DIGITS,
            "normal",
            ("auroc",),
            3,
            n=70_000,
            fixed=True,
            note="ADGAN's paper scores 5,000 test images drawn at random (n_test=5000); the others score all 10,000.",
        ),
        Protocol(
            "cifar-lo-8020",
            "cifar10",
            _leave_out_pooled,
            _CIFAR,
            "anomaly",
            ("auroc",),
            3,
            n=60_000,
            note="Fence GAN's code keeps the epoch that is best on labelled validation data.",
        ),
        Protocol(
            "cifar-lo-official",
            "cifar10",
            partial(_leave_out_official, n_train=50_000),
            _CIFAR,
            "anomaly",
            ("auroc",),
            3,
            n=60_000,
            fixed=True,
            note="What Silva and Lochter's study states, with 54,000 training images where the files have 45,000.",
        ),
        Protocol(
            "cifar-one-official",
            "cifar10",
            partial(_one_official, n_train=50_000),
            _CIFAR,
            "normal",
            ("auroc",),
            3,
            n=60_000,
            fixed=True,
            note="ADGAN's paper scores 5,000 test images drawn at random (n_test=5000); the others score all 10,000.",
        ),
        Protocol(
            "cifar-one-alad",
            "cifar10",
            _one_alad,
            _CIFAR,
            "normal",
            ("auroc",),
            3,
            n=60_000,
            fixed=True,
            note="Official train and test images are pooled. The class is the normal one although the code's help text "
            "says anomalous. About 1,200 normal images are for early stopping and take no part here. The same images "
            "train and test as in ALAD only with the official files in their order.",
        ),
        Protocol(
            "kdd-half",
            "kddcup99",
            partial(_half, normal_is_anomaly=True),
            (),
            "",
            _PRF,
            10,
            n=494_021,
            rate=0.2,
            note=_KDD_NOTE + " The split is drawn anew for every seed, as in DAGMM's paper.",
        ),
        Protocol(
            "kdd-half-fixed",
            "kddcup99",
            partial(_half, normal_is_anomaly=True, seed=42),
            (),
            "",
            _PRF,
            10,
            n=494_021,
            rate=0.2,
            fixed=True,
            published_as="kdd-half",
            note=_KDD_NOTE + " The split is that of the EGBAD and ALAD codes, the same for every seed.",
        ),
        Protocol(
            "arrhythmia-half",
            "arrhythmia",
            partial(_half, normal_is_anomaly=False),
            (),
            "",
            _PRF,
            20,
            n=452,
            rate=0.15,
            note="DAGMM's reading: anomalies are dropped from the training half. About 33 of them test.",
        ),
        Protocol(
            "arrhythmia-alad",
            "arrhythmia",
            _arrhythmia_alad,
            (),
            "",
            _PRF,
            10,
            n=452,
            rate=0.15,
            fixed=True,
            note="ALAD's loader leaves 34 anomalies among the 226 training rows: not one-class training.",
        ),
        Protocol(
            "card-fraud-raw",
            "ocan-credit-card-raw",
            _card_fraud,
            ("normal",),
            "normal",
            (*_PRF, "accuracy"),
            10,
            note=_FRAUD_NOTE,
        ),
        Protocol(
            "card-fraud-codes",
            "ocan-credit-card-codes",
            _card_fraud,
            ("normal",),
            "normal",
            (*_PRF, "accuracy"),
            10,
            note=_FRAUD_NOTE + " The encoder of these codes has seen some of the genuine test rows.",
        ),
        Protocol(
            "prod-3936-22",
            "production-line",
            _folds,
            tuple("01234"),
            "fold",
            ("pass_accuracy", "nonpass_accuracy", "accuracy", "f1_pass_positive"),
            1,
            n=3958,
            published_as=None,
            note="A synthetic stand-in: the data were never public and the published figures have no counterpart. The "
            "class is the fold; the same 22 anomalies test in every fold.",
        ),
        Protocol(
            "lsun-bedroom",
            "lsun",
            _bedrooms,
            ("bedroom",),
            "normal",
            ("auroc",),
            1,
            fixed=True,
            note="Only one figure was published, and the training set's size and image size were not.",
        ),
        Protocol(
            "digits-lo",
            "digits",
            _leave_out_pooled,
            _DIGITS,
            "anomaly",
            ("auroc",),
            3,
            n=1797,
            note="For quick runs; nothing is published on it.",
        ),
        Protocol(
            "digits-one",
            "digits",
            _one_held_out,
            _DIGITS,
            "normal",
            ("auroc",),
            3,
            n=1797,
            note="For quick runs; nothing is published on it.",
        ),
        Protocol(
            "blob-one",
            "blob",
            _one_held_out,
            ("normal",),
            "normal",
            ("auroc",),
            3,
            n=2500,
            note="The two-dimensional experiment of Fence GAN's code, of which pictures were published, no figures; "
            "examples/fencegan_2d.py draws them.",
        ),
        Protocol(
            "user-holdout",
            "",
            _user,
            ("normal",),
            "normal",
            ("auroc", "average_precision"),
            1,
            note="For labelled tables and folders of one's own; the class may be several normal ones.",
        ),
    )
}
