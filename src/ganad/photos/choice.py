"""What ``auto`` takes for large photos: by what is installed, never by a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

LARGE = 64  #: pixels of the longer side; images up to it are learnt whole, for a network has few places in them


_LOOKS = {f"efficientnet-lite{size}": f"EfficientNet-Lite{size}" for size in range(3)} | {"filters": "edges and lines"}


@dataclass(frozen=True)
class Choice:
    """A method with settings, and what ``words.regions_of`` needs to fit it on regions."""

    method: str
    settings: Mapping[str, Any]
    options: Mapping[str, Any]
    reason: str
    more: str = field(default="")  #: what would be taken if more were installed

    @property
    def words(self) -> str:
        """What it is, and how to ask for it: "a Gaussian for each of 24 x 24 places on ... (--backbone ...)"."""
        cells, network = self.options.get("cells"), self.options["backbone"].partition(":")[0]
        places = f"each of {cells} x {cells} places" if cells else "whole photos"
        lines = ", edges and lines" if "0" in (self.options.get("layers") or "").split(",") else ""
        said = dict(self.options) | {"method": self.method} | dict(self.settings)
        words = [f"--{name.replace('_', '-')}" + ("" if v is True else f" {v}") for name, v in said.items()]
        return f"a Gaussian for {places} on {_LOOKS.get(network, network)}{lines} ({' '.join(words)})"


#: chosen on defects that were planted in normal photos (``benchmarks/planted.py``)
PLACES = Choice(
    "gaussian",
    {"apart": True},
    {"backbone": "efficientnet-lite2", "layers": "0,3", "cells": 24, "max_regions": 400_000, "pool": "max"},
    "a network trained on ImageNet knows edges and textures that few normal photos cannot teach",
)
#: the same on the smaller network, which the extra alone held before
SMALLER = replace(
    PLACES,
    options=dict(PLACES.options) | {"backbone": "efficientnet-lite0"},
    more="pip install 'ganad[backbone]' brings EfficientNet-Lite2, a larger network, which finds a little more",
)
#: chosen in the same way
FILTERS = Choice(
    "gaussian",
    {"apart": True},
    {"backbone": "filters", "cells": 32, "max_regions": 700_000, "pool": "max"},
    "it needs no weights from elsewhere and learns in seconds",
    "pip install 'ganad[backbone]' lets auto take the features of a network trained on ImageNet, which find more",
)


def choice_here() -> Choice:
    """A Gaussian a place: on a network's features where weights are installed, else on filters."""
    return next((choice for choice in (PLACES, SMALLER) if weights_installed(choice.options["backbone"])), FILTERS)


def choice_on(backbone: str) -> Choice:
    """The same on a backbone "NAME" or "NAME:FILE" that somebody names; the layers of an ONNX file are its own."""
    name = backbone.partition(":")[0]
    like = FILTERS if name == "filters" else PLACES
    options = {key: v for key, v in like.options.items() if key != "layers" or name != "onnx"}
    reason = "what --backbone leaves open is as auto has it"
    return replace(like, options=options | {"backbone": backbone}, reason=reason, more="")


def weights_installed(backbone: str) -> bool:
    """Whether the package of weights of an EfficientNet-Lite is here."""
    from ..nets.backbone_weights import PACKAGES  # torch comes with it

    return PACKAGES[backbone].installed
