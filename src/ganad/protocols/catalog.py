"""The published protocols, as data: which set, which rule, which classes, what the papers print, and the traps."""

from __future__ import annotations

from functools import partial

from ..data.sets import cifar10
from . import rules
from .protocol import Protocol

_DIGITS = tuple("0123456789")
_CIFAR = tuple(cifar10.CLASSES)
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
            rules.leave_out_pooled,
            classes=_DIGITS,
            role="anomaly",
            metrics=("pr_area_trapezoid", "auroc"),
            runs=3,
            n=70_000,
            note="Papers print the precision-recall area, but EGBAD's code finds the anomaly (chance 0.33 to 0.39) and "
            "Fence GAN's the normal class (chance 0.61 to 0.67). Fence GAN's code keeps the epoch that is best on "
            "labelled validation data.",
        ),
        Protocol(
            "mnist-lo-official",
            "mnist",
            partial(rules.leave_out_official, n_train=60_000),
            classes=_DIGITS,
            role="anomaly",
            metrics=("auroc",),
            runs=3,
            n=70_000,
            fixed=True,
            note="What Silva and Lochter's study states for every row; only ALAD, GANomaly and FenceGAN can be it.",
        ),
        Protocol(
            "mnist-one-official",
            "mnist",
            partial(rules.one_official, n_train=60_000),
            classes=_DIGITS,
            role="normal",
            metrics=("auroc",),
            runs=3,
            n=70_000,
            fixed=True,
            note="ADGAN's paper scores 5,000 test images drawn at random (n_test=5000); the others score all 10,000.",
        ),
        Protocol(
            "cifar-lo-8020",
            "cifar10",
            rules.leave_out_pooled,
            classes=_CIFAR,
            role="anomaly",
            metrics=("auroc",),
            runs=3,
            n=60_000,
            note="Fence GAN's code keeps the epoch that is best on labelled validation data.",
        ),
        Protocol(
            "cifar-lo-official",
            "cifar10",
            partial(rules.leave_out_official, n_train=50_000),
            classes=_CIFAR,
            role="anomaly",
            metrics=("auroc",),
            runs=3,
            n=60_000,
            fixed=True,
            note="What Silva and Lochter's study states, with 54,000 training images where the files have 45,000.",
        ),
        Protocol(
            "cifar-one-official",
            "cifar10",
            partial(rules.one_official, n_train=50_000),
            classes=_CIFAR,
            role="normal",
            metrics=("auroc",),
            runs=3,
            n=60_000,
            fixed=True,
            note="ADGAN's paper scores 5,000 test images drawn at random (n_test=5000); the others score all 10,000.",
        ),
        Protocol(
            "cifar-one-alad",
            "cifar10",
            rules.one_alad,
            classes=_CIFAR,
            role="normal",
            metrics=("auroc",),
            runs=3,
            n=60_000,
            fixed=True,
            note="Official train and test images are pooled. The class is the normal one although the code's help text "
            "says anomalous. About 1,200 normal images are for early stopping and take no part here. The same images "
            "train and test as in ALAD only with the official files in their order.",
        ),
        Protocol(
            "kdd-half",
            "kddcup99",
            partial(rules.half, normal_is_anomaly=True),
            classes=(),
            role="",
            metrics=_PRF,
            runs=10,
            n=494_021,
            rate=0.2,
            note=_KDD_NOTE + " The split is drawn anew for every seed, as in DAGMM's paper.",
        ),
        Protocol(
            "kdd-half-fixed",
            "kddcup99",
            partial(rules.half, normal_is_anomaly=True, seed=42),
            classes=(),
            role="",
            metrics=_PRF,
            runs=10,
            n=494_021,
            rate=0.2,
            fixed=True,
            published_as="kdd-half",
            note=_KDD_NOTE + " The split is that of the EGBAD and ALAD codes, the same for every seed.",
        ),
        Protocol(
            "arrhythmia-half",
            "arrhythmia",
            partial(rules.half, normal_is_anomaly=False),
            classes=(),
            role="",
            metrics=_PRF,
            runs=20,
            n=452,
            rate=0.15,
            note="DAGMM's reading: anomalies are dropped from the training half. About 33 of them test.",
        ),
        Protocol(
            "arrhythmia-alad",
            "arrhythmia",
            rules.arrhythmia_alad,
            classes=(),
            role="",
            metrics=_PRF,
            runs=10,
            n=452,
            rate=0.15,
            fixed=True,
            note="ALAD's loader leaves 34 anomalies among the 226 training rows: not one-class training.",
        ),
        Protocol(
            "card-fraud-raw",
            "ocan-credit-card-raw",
            rules.card_fraud,
            classes=("normal",),
            role="normal",
            metrics=(*_PRF, "accuracy"),
            runs=10,
            note=_FRAUD_NOTE,
        ),
        Protocol(
            "card-fraud-codes",
            "ocan-credit-card-codes",
            rules.card_fraud,
            classes=("normal",),
            role="normal",
            metrics=(*_PRF, "accuracy"),
            runs=10,
            note=_FRAUD_NOTE + " The encoder of these codes has seen some of the genuine test rows.",
        ),
        Protocol(
            "prod-3936-22",
            "production-line",
            rules.folds,
            classes=tuple("01234"),
            role="fold",
            metrics=("pass_accuracy", "nonpass_accuracy", "accuracy", "f1_pass_positive"),
            runs=1,
            n=3958,
            published_as=None,
            note="A synthetic stand-in: the data were never public and the published figures have no counterpart. The "
            "class is the fold; the same 22 anomalies test in every fold.",
        ),
        Protocol(
            "lsun-bedroom",
            "lsun",
            rules.bedrooms,
            classes=("bedroom",),
            role="normal",
            metrics=("auroc",),
            runs=1,
            fixed=True,
            note="Only one figure was published, and the training set's size and image size were not.",
        ),
        Protocol(
            "digits-lo",
            "digits",
            rules.leave_out_pooled,
            classes=_DIGITS,
            role="anomaly",
            metrics=("auroc",),
            runs=3,
            n=1797,
            note="For quick runs; nothing is published on it.",
        ),
        Protocol(
            "digits-one",
            "digits",
            rules.one_held_out,
            classes=_DIGITS,
            role="normal",
            metrics=("auroc",),
            runs=3,
            n=1797,
            note="For quick runs; nothing is published on it.",
        ),
        Protocol(
            "blob-one",
            "blob",
            rules.one_held_out,
            classes=("normal",),
            role="normal",
            metrics=("auroc",),
            runs=3,
            n=2500,
            note="The two-dimensional experiment of Fence GAN's code, of which pictures were published, no figures; "
            "`ganad figures fence-gan-1` draws them.",
        ),
        Protocol(
            "tiles",
            "magnetic-tiles",
            rules.laid_out,
            classes=(),
            role="",
            metrics=("auroc",),
            runs=3,
            fixed=True,
            note="Photos at their own size: 400 good tiles train; 200 good ones and 299 with one of five kinds of "
            "defect test. Papers split these photos in their own ways, so none of their figures stands beside these.",
        ),
        Protocol(
            "user-folders",
            "",
            rules.laid_out,
            classes=(),
            role="",
            metrics=("auroc",),
            runs=1,
            fixed=True,
            note="For your own photos in folders that say what trains and what tests: train/good and test/KIND.",
        ),
        Protocol(
            "user-holdout",
            "",
            rules.user,
            classes=("normal",),
            role="normal",
            metrics=("auroc", "average_precision"),
            runs=1,
            note="For your own labelled tables and folders; several classes may be normal.",
        ),
    )
}
