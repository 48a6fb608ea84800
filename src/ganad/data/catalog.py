"""The data sets that ganad knows by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .samples import Samples
from .sets.arrhythmia import arrhythmia
from .sets.cifar10 import cifar10
from .sets.digits import digits
from .sets.kddcup99 import kddcup99
from .sets.lsun import lsun
from .sets.mnist import mnist
from .sets.ocan import credit_card_codes, credit_card_raw
from .sets.production_line import production_line
from .sets.tiles import tiles
from .sets.toys import blob, rings


@dataclass(frozen=True)
class Dataset:
    """A data set that ganad knows by name."""

    read: Callable[..., Samples]  #: takes split, data_dir and progress as keywords
    description: str
    has_split: bool = False


DATASETS = {
    "digits": Dataset(digits, "1,797 handwritten digits, 8 x 8, shipped with scikit-learn"),
    "mnist": Dataset(mnist, "70,000 handwritten digits, 28 x 28; train and test", has_split=True),
    "cifar10": Dataset(cifar10, "60,000 photographs, 32 x 32 x 3, ten classes; train and test", has_split=True),
    "kddcup99": Dataset(kddcup99, "494,021 network connections, 121 features; 23 classes"),
    "arrhythmia": Dataset(arrhythmia, "452 patients, 274 features, 66 with arrhythmia"),
    "ocan-credit-card-raw": Dataset(credit_card_raw, "2,000 genuine card transactions and 492 frauds, 30 features"),
    "ocan-credit-card-codes": Dataset(credit_card_codes, "the same transactions as 50 codes of an autoencoder"),
    "lsun": Dataset(lsun, "photographs of scenes, 64 x 64 x 3; train and test (val)", has_split=True),
    "magnetic-tiles": Dataset(tiles, "photographs of tiles at their own size, five kinds of defect, with masks"),
    "production-line": Dataset(production_line, "synthetic: 3,936 parts in eight modes and 22 anomalies, 40 features"),
    "rings": Dataset(rings, "2-D toy: two rings; train (normal) and test", has_split=True),
    "blob": Dataset(blob, "2-D toy of the Fence GAN code; train (normal) and test", has_split=True),
}
