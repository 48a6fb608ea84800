"""Photos at their own size: detectors of regions, on tiles of pixels and on the vectors of a frozen network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...photos.choice import FILTERS, PLACES, SMALLER, Choice
from ..recipes import Recipe

_VECTORS: dict[str, Any] = dict(backbone="efficientnet-lite0", max_regions=4_000)
_TILES: dict[str, Any] = dict(tiles="64/32", max_regions=4_000)
_CORE = _VECTORS | dict(choose="coreset", max_regions=2_000)
#: each vector among those of its own place; the best view for GANs on planted defects
_WHITE: dict[str, Any] = dict(backbone="efficientnet-lite0", cells=8, max_regions=50_000, whiten="place")
#: the same on edges and lines, which need no weights; the places of ``auto``'s choice there
_FILTERED: dict[str, Any] = dict(backbone="filters", cells=32, max_regions=700_000, whiten="place")
_NEAREST = dict(k=1)
#: updates of networks that learn tiles at ``quick``, in passes over 4,000 of them
_SHORT = dict(epochs=5)


def _auto(label: str, choice: Choice) -> Recipe:
    """What ``ganad fit`` takes for large photos where nobody names a method."""
    return Recipe(label, choice.method, settings=choice.settings, regions=choice.options, is_baseline=True)


#: with the weights of its backbone, without any, and with those of the smaller network alone
AUTO = (
    _auto("auto", PLACES),
    _auto("auto without a backbone", FILTERS),
    _auto("auto on EfficientNet-Lite0", SMALLER),
)


def with_backbone(auto: Choice = PLACES) -> tuple[Recipe, ...]:
    """All lines, for which EfficientNet-Lite0's weights are needed, and those of ``auto``."""
    return (_auto("auto", auto), AUTO[1], *on_vectors(), *on_filters(), *on_tiles())


def without_backbone(auto: Choice = FILTERS) -> tuple[Recipe, ...]:
    """The lines of a place that does not have these weights."""
    return (_auto("auto", auto), *on_filters(), *on_tiles())


def on_vectors() -> tuple[Recipe, ...]:
    """Detectors of the vectors of EfficientNet-Lite0; those without a network first."""
    plain = (
        Recipe("nearest region", "NearestNeighbor", settings=_NEAREST, regions=_CORE),
        Recipe("Gaussian of the photo", "Gaussian", regions=_VECTORS | dict(whole=True)),
        Recipe("Gaussian on 8 x 8 cells", "Gaussian", regions=_VECTORS | dict(cells=8, max_regions=50_000)),
        Recipe(
            "nearest region, not standardised",
            "NearestNeighbor",
            settings=_NEAREST | dict(scaling="none"),
            regions=_CORE,
        ),
        Recipe("nearest region, 4,000 at random", "NearestNeighbor", settings=_NEAREST, regions=_VECTORS),
        Recipe("nearest photo", "NearestNeighbor", settings=_NEAREST, regions=_VECTORS | dict(whole=True)),
        Recipe("PCA residual on vectors", "PCAResidual", regions=_VECTORS),
        Recipe("GMM on vectors", "GMM", settings=dict(components=(10,)), regions=_VECTORS),
    )
    networks = (
        "VAE",
        "DSEBM",
        "FenceGAN",
        "OCAN",
        "MMOCGAN",
        "IGMMGAN",
        "GANomaly",
        "ALAD",
        "EGBAD",
        "FAnoGAN",
        "RGAN",
    )
    white = ("EGBAD", "OCAN", "MMOCGAN", "GANomaly", "FenceGAN")
    return (
        *(replace(r, is_baseline=True) for r in plain),
        *(Recipe(f"{name} on white places", name, regions=_WHITE) for name in white),
        *(Recipe(f"{name} on vectors", name, regions=_VECTORS) for name in networks),
    )


def on_filters() -> tuple[Recipe, ...]:
    """GANs of white places of edges and lines."""
    return tuple(Recipe(f"{name} on white filters", name, regions=_FILTERED) for name in ("GANomaly", "EGBAD"))


def on_tiles() -> tuple[Recipe, ...]:
    """Detectors of tiles of 64 pixels; those without a network first."""
    plain = (
        Recipe("nearest tile", "NearestNeighbor", settings=_NEAREST | dict(reducer="pca"), regions=_TILES),
        Recipe("GMM on tiles", "GMM", settings=dict(components=(10,)), regions=_TILES),
    )
    networks = ("AutoEncoder", "VAE", "DSEBM", "GANomaly", "FenceGAN", "IGMMGAN")
    return tuple(replace(r, is_baseline=True) for r in plain) + tuple(
        Recipe(f"{name} on tiles", name, quick=_SHORT, regions=_TILES) for name in networks
    )
