"""The tables. Each has a protocol, recipes, and numbers of samples at ``quick``."""

from __future__ import annotations

from ..baselines import plain
from ..recipes import Recipe, Suite
from .digits import DIGITS
from .images import contrasted, images
from .photos import AUTO, with_backbone
from .readings import READINGS
from .remedies import with_remedies
from .tabular import FRAUD, KDD, KDD_PLAIN, LINE, PLANE, SMALL_TABLE, TABLE_PLAIN

_IGMM_PAPER = ("IGMMGAN", "GANomaly", "EGBAD-fm", "EGBAD-sigma")  # the lines that the two papers compare
_FENCE_PAPER = ("FenceGAN", "RGAN", "VAE", "AnoGAN", "EGBAD-fm", "EGBAD-sigma", "GANomaly")

_ALAD_PAPER = ("ALAD", "AnoGAN", "DAGMM", "DSEBM-e", "DSEBM-r", "EGBAD-fm", "EGBAD-sigma")  # on KDD99

_MNIST = images("mnist") + plain(40)
_CONTRAST = contrasted(_MNIST, "1-NN", "IGMMGAN", "GANomaly", "VAE", "LOF")
_SNAPSHOTS = tuple(r for r in with_remedies(_MNIST, "FenceGAN", "GANomaly", "IGMMGAN") if r.snapshots)
_AUTO = (Recipe("auto", "Auto"),)
_KDD = with_remedies(
    KDD,
    *("FenceGAN", "RGAN", "IGMMGAN", "GANomaly", "ALAD", "EGBAD-sigma"),
    averaged_already=("ALAD", "EGBAD-sigma"),
)
_SMALL_TABLE = with_remedies(
    SMALL_TABLE,
    *("FenceGAN", "IGMMGAN", "GANomaly", "ALAD", "EGBAD-sigma"),
    averaged_already=("FenceGAN", "ALAD", "EGBAD-sigma"),
)
_FRAUD = with_remedies(FRAUD, "FenceGAN", "RGAN", averaged_already=("FenceGAN",))
_LINE = with_remedies(LINE, "RGAN", averaged_already=("RGAN",))


def _of(recipes: tuple[Recipe, ...], labels: tuple[str, ...]) -> tuple[Recipe, ...]:
    return tuple(r for r in recipes if r.label in labels)


SUITES: dict[str, Suite] = {
    s.name: s
    for s in (
        Suite("digits", "digits-lo", DIGITS + plain(40) + _AUTO),
        Suite("digits-one", "digits-one", DIGITS + plain(40) + _AUTO),
        Suite("readings", "digits-lo", READINGS + plain(40), classes=("0",)),
        Suite(
            "study-mnist",
            "mnist-lo-official",
            _MNIST + _CONTRAST + _SNAPSHOTS + _AUTO,
            quick_train=12_000,
            quick_test=1_000,
        ),
        Suite(
            "study-cifar10",
            "cifar-lo-official",
            images("cifar10") + plain(60) + _AUTO,
            quick_train=12_000,
            quick_test=1_000,
        ),
        Suite(
            "igmm-gan-mnist",
            "mnist-lo-8020",
            _of(images("mnist"), _IGMM_PAPER) + plain(40),
            quick_train=12_000,
            quick_test=1_000,
        ),
        Suite(
            "fencegan-mnist",
            "mnist-lo-8020",
            _of(images("mnist"), _FENCE_PAPER) + plain(40),
            quick_train=12_000,
            quick_test=1_000,
        ),
        Suite(
            "fencegan-cifar10",
            "cifar-lo-8020",
            _of(images("cifar10"), _FENCE_PAPER) + plain(60),
            quick_train=12_000,
            quick_test=1_000,
        ),
        Suite("adgan-mnist", "mnist-one-official", images("mnist") + plain(40), quick_train=5_000, quick_test=1_000),
        Suite(
            "adgan-cifar10", "cifar-one-official", images("cifar10") + plain(60), quick_train=5_000, quick_test=1_000
        ),
        Suite("alad-cifar10", "cifar-one-alad", images("cifar10") + plain(60), quick_train=5_000, quick_test=1_000),
        Suite("fencegan-2d", "blob-one", with_remedies(PLANE, "FenceGAN", "RGAN")),
        Suite("fencegan-kdd99", "kdd-half", _KDD + KDD_PLAIN, quick_train=50_000, quick_test=50_000),
        Suite(
            "alad-kdd99",
            "kdd-half-fixed",
            tuple(r for r in _KDD if (r.remedy_of or r.label) in _ALAD_PAPER) + KDD_PLAIN,
            quick_train=50_000,
            quick_test=50_000,
        ),
        Suite("arrhythmia", "arrhythmia-half", _SMALL_TABLE + TABLE_PLAIN),
        Suite("alad-arrhythmia", "arrhythmia-alad", _SMALL_TABLE + TABLE_PLAIN),
        Suite("ocan-fraud", "card-fraud-raw", _FRAUD + TABLE_PLAIN),
        Suite("ocan-fraud-codes", "card-fraud-codes", _FRAUD + TABLE_PLAIN),
        Suite("mmoc-production", "prod-3936-22", _LINE + TABLE_PLAIN),
        Suite("tiles", "tiles", (*with_backbone(), AUTO[2]), todays=True, smoke=(20, 30)),
        Suite("lsun", "lsun-bedroom", (Recipe("ADGAN", "ADGAN", preset="lsun", quick=dict(epochs=1)), *plain(60))),
    )
}

#: Suites by what their samples are, those that tell most in the least time first.
KINDS: dict[str, tuple[str, ...]] = {
    "tables": (
        *("fencegan-2d", "mmoc-production", "ocan-fraud", "ocan-fraud-codes", "arrhythmia", "alad-arrhythmia"),
        *("fencegan-kdd99", "alad-kdd99"),
    ),
    "images": (
        *("study-mnist", "adgan-mnist", "fencegan-mnist", "igmm-gan-mnist"),
        *("study-cifar10", "adgan-cifar10", "fencegan-cifar10", "alad-cifar10"),
        *("lsun", "digits", "digits-one", "readings"),
    ),
    "photos": ("tiles",),
}
