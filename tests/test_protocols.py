"""Each protocol against the sizes its papers print, and what every split must be: disjoint, one-class, repeatable."""

import gzip
import struct

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from ganad import metrics, protocols
from ganad.data import Samples
from ganad.data import load as load_data
from ganad.data.sets.cifar10 import CLASSES as CIFAR10_CLASSES
from ganad.data.sets.production_line import production_line
from ganad.errors import InputError
from ganad.protocols import PROTOCOLS, split

from .data.conftest import SHARED

MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # table 1 of the study
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def shuffled(counts, names, seed=0):
    return np.random.RandomState(seed).permutation(np.repeat(names, counts))


MNIST = np.concatenate([shuffled(MNIST_TRAIN, range(10)), shuffled(MNIST_TEST, range(10))])
CIFAR = np.concatenate([shuffled([5000] * 10, CIFAR10_CLASSES), shuffled([1000] * 10, CIFAR10_CLASSES)])
ARRHYTHMIA = shuffled([386, 66], ["normal", "anomaly"])
FRAUD = np.repeat(["normal", "fraud"], [2000, 492])
LSUN = np.concatenate([np.repeat("bedroom", 900), shuffled([300] * 10, ["bedroom", *"abcdefghi"])])
PHOTOS = np.repeat(["train", "good", "crack", "uneven"], [40, 20, 9, 6])
USER = shuffled([80, 30, 11], ["good", "fair", "broken"])
KDD = shuffled([280_790, 107_201, 8_752, 97_278], ["smurf", "neptune", "satan", "normal"])


def labels_of(protocol):
    return {
        "mnist": MNIST,
        "cifar10": CIFAR,
        "kddcup99": KDD,
        "arrhythmia": ARRHYTHMIA,
        "ocan-credit-card-raw": FRAUD,
        "ocan-credit-card-codes": FRAUD,
        "production-line": np.repeat(["normal", "anomaly"], [3936, 22]),
        "blob": np.repeat(["normal", "anomaly"], [2000, 500]),
        "lsun": LSUN,
        "digits": np.tile(np.arange(10), 180)[:1797],
        "magnetic-tiles": PHOTOS,
        "": PHOTOS if protocol == "user-folders" else USER,
    }[PROTOCOLS[protocol].dataset]


def a_class(protocol):
    return {"user-holdout": "good"}.get(protocol, next(iter(PROTOCOLS[protocol].classes[3:4]), None))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_split_is_disjoint_repeatable_and_takes_its_samples(protocol):
    y, cls = labels_of(protocol), a_class(protocol)
    one = split(protocol, y, cls, 5)
    assert one.train.dtype == one.test.dtype == np.int64
    assert one.y_test.dtype == np.int8
    assert (np.diff(one.train) > 0).all()
    assert (np.diff(one.test) > 0).all()
    assert not np.isin(one.train, one.test).any()
    assert set(one.y_test) == {0, 1}
    again, other = split(protocol, y.copy(), cls, 5), split(protocol, y, cls, 6)
    assert one.hash == again.hash
    assert len(one.hash) == 16
    assert (one.hash == other.hash) == PROTOCOLS[protocol].fixed
    x_train, x_test = one.take(np.arange(len(y)))
    assert np.array_equal(x_train, one.train)
    assert np.array_equal(x_test, one.test)


@pytest.mark.parametrize("protocol", [p for p in PROTOCOLS if p != "arrhythmia-alad"])
def test_no_anomaly_trains_and_the_class_is_what_the_protocol_says(protocol):
    y, cls = labels_of(protocol).astype(str), a_class(protocol)
    made = split(protocol, y, cls, 1)
    anomalous = set(y[made.test[made.y_test == 1]])
    assert not anomalous & set(y[made.train])
    assert not anomalous & set(y[made.test[made.y_test == 0]])
    if PROTOCOLS[protocol].role == "anomaly":
        assert anomalous == {cls}
    if PROTOCOLS[protocol].role == "normal":
        assert set(y[made.train]) == {cls or PROTOCOLS[protocol].classes[0]}


def test_folders_say_which_photos_train_and_which_are_good():
    made = split("user-folders", PHOTOS)
    assert set(PHOTOS[made.train]) == {"train"}
    assert dict(zip(PHOTOS[made.test], made.y_test)) == {"good": 0, "crack": 1, "uneven": 1}
    assert len(made.test) == 35


@pytest.mark.parametrize("digit", range(10))
def test_mnist_sizes(digit):
    out = split("mnist-lo-official", MNIST, digit)
    assert len(out.train) == 60_000 - MNIST_TRAIN[digit]
    assert (len(out.test), out.y_test.sum()) == (10_000, MNIST_TEST[digit])
    assert out.train.max() < 60_000 <= out.test.min()
    one = split("mnist-one-official", MNIST, digit)
    assert len(one.train) == MNIST_TRAIN[digit]
    assert (len(one.test), (one.y_test == 0).sum()) == (10_000, MNIST_TEST[digit])
    pooled = split("mnist-lo-8020", MNIST, digit)
    n_train, n_normal = {
        0: (50477, 12620), 1: (49698, 12425), 2: (50408, 12602), 3: (50287, 12572), 4: (50540, 12636),
        5: (50949, 12738), 6: (50499, 12625), 7: (50165, 12542), 8: (50540, 12635), 9: (50433, 12609),
    }[digit]  # fmt: skip
    assert len(pooled.train) == n_train
    assert (pooled.y_test == 0).sum() == n_normal
    assert pooled.y_test.sum() == MNIST_TRAIN[digit] + MNIST_TEST[digit]
    chance = [0.354, 0.388, 0.357, 0.362, 0.351, 0.331, 0.353, 0.368, 0.351, 0.356][digit]
    assert round(metrics.prevalence(pooled.y_test), 3) == chance
    assert round(metrics.prevalence(pooled.y_test, "normal"), 3) == pytest.approx(1 - chance)


@pytest.mark.parametrize("cls", CIFAR10_CLASSES)
def test_cifar_sizes(cls):
    sizes = {p: split(p, CIFAR, cls) for p in PROTOCOLS if p.startswith("cifar")}
    got = {p: (len(s.train), int((s.y_test == 0).sum()), int(s.y_test.sum())) for p, s in sizes.items()}
    assert got["cifar-lo-8020"] == (43_200, 10_800, 6_000)
    assert got["cifar-lo-official"] == (45_000, 9_000, 1_000)
    assert got["cifar-one-official"] == (5_000, 1_000, 9_000)
    n_train, n_normal, n_anomalies = got["cifar-one-alad"]
    assert n_train == pytest.approx(3_600, rel=0.06)
    assert n_normal + n_anomalies == 12_000
    assert n_anomalies / 12_000 == pytest.approx(0.9, abs=0.01)


def test_the_alad_split_is_two_calls_of_train_test_split():
    rest, test = train_test_split(np.arange(60_000), test_size=0.2, random_state=42)
    train, _ = train_test_split(rest, test_size=0.25, random_state=42)
    made = split("cifar-one-alad", CIFAR, "dog", 3)
    assert np.array_equal(made.test, np.sort(test))
    assert np.array_equal(made.train, np.sort(train[CIFAR[train] == "dog"]))


def read_idx_labels(path):
    data = gzip.decompress(path.read_bytes())
    assert struct.unpack(">II", data[:8])[0] == 2049
    return np.frombuffer(data, np.uint8, offset=8)


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="the real files are not beside this checkout")
def test_the_real_mnist_labels_have_the_published_counts():
    parts = [read_idx_labels(SHARED / "mnist" / f"{p}-labels-idx1-ubyte.gz") for p in ("train", "t10k")]
    assert [np.bincount(p).tolist() for p in parts] == [MNIST_TRAIN, MNIST_TEST]
    y = np.concatenate(parts)
    # drawn from both files alike; the released Fence GAN code cuts in file order and trains on the first file only
    assert (split("mnist-lo-8020", y, 3).train >= 60_000).mean() == pytest.approx(1 / 7, abs=0.01)


@pytest.mark.parametrize("seed", [0, 7])
def test_kdd_half_resamples_and_its_fixed_reading_does_not(seed):
    free, fixed = split("kdd-half", KDD, seed=seed), split("kdd-half-fixed", KDD, seed=seed)
    assert len(free.test) == len(fixed.test) == 247_011
    for made in (free, fixed):
        assert len(made.train) == pytest.approx(198_371, abs=1500)
        assert made.y_test.sum() == pytest.approx(48_639, abs=1500)
        assert metrics.n_flagged_at(0.2, len(made.test)) == 49_403
    assert np.array_equal(fixed.test, split("kdd-half", KDD, seed=42).test)
    assert not np.array_equal(free.test, fixed.test)


@pytest.mark.skipif(not (SHARED / "kddcup99").is_dir(), reason="the real files are not beside this checkout")
def test_kdd_half_fixed_has_the_counts_of_the_published_code_on_the_real_rows():
    with gzip.open(SHARED / "kddcup99" / "kddcup.data_10_percent.gz") as lines:
        y = np.array([line.rstrip(b".\n\r").rsplit(b",", 1)[1] for line in lines]).astype(str)
    assert (len(y), (y == "normal").sum(), (y == "smurf").sum()) == (494_021, 97_278, 280_790)
    made = split("kdd-half-fixed", y)
    assert (len(made.train), int((made.y_test == 0).sum()), int(made.y_test.sum())) == (198_361, 198_382, 48_629)
    assert made.y_test.sum() / metrics.n_flagged_at(0.2, len(made.test)) == pytest.approx(0.98433, abs=5e-6)
    assert metrics.f1_from(48_629 / 49_403, 1) == pytest.approx(0.9921, abs=5e-5)


@pytest.mark.skipif(not (SHARED / "arrhythmia").is_dir(), reason="the real files are not beside this checkout")
def test_both_readings_of_arrhythmia_on_the_real_rows():
    samples = load_data("arrhythmia", data_dir=SHARED)
    made = split("arrhythmia-alad", samples)
    assert (len(made.train), (samples.y[made.train] == "anomaly").sum()) == (226, 34)
    assert (len(made.test), made.y_test.sum()) == (226, 32)
    assert metrics.n_flagged_at(PROTOCOLS["arrhythmia-alad"].rate, 226) == 34
    half = split("arrhythmia-half", samples, seed=1)
    assert len(half.test) == 226
    assert len(half.train) + 226 + 66 - half.y_test.sum() == 452


def test_card_fraud_sizes():
    made = split("card-fraud-raw", FRAUD, seed=2)
    assert (len(made.train), (made.y_test == 0).sum(), made.y_test.sum()) == (700, 490, 490)
    kaggle = np.repeat(["0", "1"], [284_315, 492])
    assert len(split("card-fraud-raw", kaggle, "0").train) == 700
    with pytest.raises(InputError, match="1,190 genuine"):
        split("card-fraud-raw", FRAUD[1500:])


@pytest.mark.skipif(not (SHARED / "ocan_credit_card").is_dir(), reason="the real files are not beside this checkout")
@pytest.mark.parametrize(("kind", "columns"), [("raw", 30), ("codes", 50)])
def test_the_card_fraud_arrays_are_read(kind, columns):
    samples = protocols.read(f"card-fraud-{kind}", data_dir=SHARED)
    assert samples.x.shape == (2492, columns)
    assert (samples.y == "fraud").sum() == 492
    assert np.isfinite(samples.x).all()


def test_a_damaged_card_fraud_array_is_named(tmp_path):
    (tmp_path / "ben_raw_r0.npy").write_bytes(b"\x93NUMPY no")
    with pytest.raises(InputError, match=r"ben_raw_r0\.npy: not a NumPy array"):
        protocols.read("card-fraud-raw", data_dir=tmp_path)


def test_five_folds_share_the_anomalies_and_nothing_else():
    samples = protocols.read("prod-3936-22")
    folds = [split("prod-3936-22", samples, k, seed=3) for k in range(5)]
    assert [len(f.train) for f in folds] == [3148, 3149, 3149, 3149, 3149]
    assert all(f.y_test.sum() == 22 for f in folds)
    assert sorted(np.concatenate([f.test[f.y_test == 0] for f in folds])) == list(range(3936))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_production_stand_in_needs_its_modes_to_be_seen(seed):
    samples = production_line(seed=seed)
    assert np.array_equal(samples.x, production_line(seed=seed).x)
    x_train, x_test = (made := split("prod-3936-22", samples, "0")).take(samples.x)
    centred = x_test - x_train.mean(0)
    one_gaussian = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(np.cov(x_train.T)), centred, optimize=True)
    nearest = NearestNeighbors(n_neighbors=5).fit(x_train).kneighbors(x_test)[0].mean(1)
    assert 0.3 < metrics.auroc(made.y_test, one_gaussian) < 0.6
    assert metrics.auroc(made.y_test, nearest) > 0.75


def test_held_out_user_data_and_digits():
    made = split("user-holdout", USER, ["good", "fair"], 0)
    assert made.cls == "good+fair"
    assert (len(made.train), (made.y_test == 0).sum(), made.y_test.sum()) == (88, 22, 11)
    y = load_data("digits").y
    out, one = split("digits-lo", y, 4), split("digits-one", y, 4)
    n = (y == 4).sum()
    assert (len(out.train), out.y_test.sum()) == ((1797 - n) * 8 // 10, n)
    assert len(one.train) == n * 8 // 10
    assert len(one.test) == pytest.approx(1797 / 5, abs=10)


def test_a_cap_is_drawn_from_the_training_samples_and_is_in_the_hash():
    full, quick = split("mnist-lo-official", MNIST, 1), split("mnist-lo-official", MNIST, 1, n_train=12_000)
    assert len(quick.train) == quick.n_train_cap == 12_000
    assert np.isin(quick.train, full.train).all()
    assert np.array_equal(full.test, quick.test)
    other = split("mnist-lo-official", MNIST, 1, seed=1, n_train=12_000)
    assert len({full.hash, quick.hash, other.hash}) == 3
    assert split("mnist-lo-official", MNIST, 1, n_train=10**6).hash == full.hash
    some = split("mnist-one-official", MNIST, 1, n_test=5_000)
    assert len(some.test) == some.n_test_cap == 5_000
    assert some.y_test.mean() == pytest.approx(1 - 0.1135, abs=0.02)


def test_splits_and_hashes_do_not_change():
    """Results on disk name these hashes; another value means that old rows and new ones are not comparable."""
    assert split("kdd-half-fixed", KDD).hash == "a357ec2c076b928c"
    assert split("mnist-lo-8020", MNIST, 3, 1, n_train=12_000).hash == "430df35928be1d49"
    assert split("digits-lo", load_data("digits").y, 3, 7).hash == "a070691c920d69bb"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnist-lo-official", MNIST), "needs a class, the anomaly one: 0, 1"),
        (("mnist-lo-official", MNIST, 11), "no class '11'"),
        (("mnist-lo-official", MNIST[:100], 1), "70000 labels of mnist"),
        (("kdd-half", KDD, "smurf"), "takes no class"),
        (("mnist-lo-official", MNIST, 1, -1), "seed -1"),
        (("prod-3936-22", np.repeat(["normal", "x"], [3936, 22]), 5), "no class '5'; there are 0, 1, 2, 3, 4"),
        (("nonsense", MNIST), "no protocol 'nonsense'; known: mnist-lo-8020"),
        (("user-holdout", Samples(np.zeros((3, 2))), "good"), "needs the class of every sample"),
        (("user-holdout", np.array(["good"] * 9), "good"), "too few samples"),
        (("lsun-bedroom", LSUN[:-1]), "300 of each of ten scenes"),
    ],
)
def test_what_cannot_be_split_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        split(*arguments)


def test_other_refusals():
    with pytest.raises(InputError, match="n_train=0"):
        split("user-holdout", USER, "good", n_train=0)
    with pytest.raises(InputError, match="no reader"):
        protocols.read("user-holdout")
    with pytest.raises(InputError, match="no LSUN here: export"):
        protocols.read("lsun-bedroom")


def test_the_records_are_complete():
    for key, p in PROTOCOLS.items():
        assert key == p.id
        assert p.note
        assert p.runs >= 1
        assert bool(p.classes) == bool(p.role)
        assert (p.published_as or key) in PROTOCOLS
        every = metrics.summary(np.array([0, 1]), np.array([0.0, 1.0]), rate=0.5, threshold=0.5)
        assert set(p.metrics) <= set(every)
        assert (p.rate is not None) == (p.metrics == ("precision", "recall", "f1"))
