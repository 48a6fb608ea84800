"""How all figures look: colours that colour-blind people can tell apart, and a small line that says what was measured.

matplotlib is an extra and is imported where it is used.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..errors import MissingExtra

# M. Okabe and K. Ito, "Color universal design", 2008
NORMAL, ANOMALOUS, GENERATED, BLACK = "#0072B2", "#D55E00", "#F0E442", "#000000"
CLASSES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#7A5230", "#5A4FCF", "#999999", "#99AA22")
LEVELS = "cividis"  #: of a discriminator's score over the plane
FORMATS = ("png", "svg")

_LOOK: dict[str, Any] = {
    "font.size": 8,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "figure.dpi": 160,
    "savefig.dpi": 160,
    "svg.hashsalt": "ganad",  # else ids inside the file are drawn anew
}


def require() -> None:
    """Raise MissingExtra if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("figures need the extra figures: pip install 'ganad[figures]'")


@contextlib.contextmanager
def look() -> Iterator[None]:
    """matplotlib's settings for our figures, whatever the user's own are."""
    matplotlib: Any = importlib.import_module("matplotlib")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for name, value in _LOOK.items():
            matplotlib.rcParams[name] = value
        yield


def page(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Any, np.ndarray]:
    """A figure of ``width`` x ``height`` inches and its axes ``(rows, columns)``; options as of ``Figure.subplots``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, np.asarray(figure.subplots(rows, columns, squeeze=False, **options))


def entitle(figure: Any, title: str, small: str) -> None:
    """The title above and the small line below, both as wide as the figure."""
    wide = int(figure.get_figwidth() * 11.5)  # characters of the bold title
    figure.suptitle(textwrap.fill(title, wide), x=0.01, ha="left", fontsize=9, fontweight="bold")
    figure.supxlabel(textwrap.fill(small, int(wide * 1.85)), x=0.01, ha="left", fontsize=6, color="#444444")


def save(figure: Any, path: Path, kind: str) -> None:
    """Write a figure, the same bytes each time for the same figure and version of matplotlib."""
    nothing: dict[str, Any] = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=nothing)


def bare(axes: Any) -> None:
    """Remove ticks, for maps whose units mean nothing and for images."""
    axes.set_xticks([])
    axes.set_yticks([])


def picture(axes: Any, image: np.ndarray) -> None:
    """One image ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` of 0 to 255."""
    axes.imshow(np.clip(np.squeeze(image) / 255, 0, 1), cmap="gray", vmin=0, vmax=1)
    bare(axes)
    axes.spines[:].set_visible(False)


def sheet(axes: Any, images: np.ndarray, columns: int) -> None:
    """Images of 0 to 255 side by side in one panel, in rows of ``columns``; a thin white line between them."""
    tiles = [np.atleast_3d(np.asarray(image, np.float64)) for image in images]
    h, w, c = tiles[0].shape
    pad = max(1, h // 14)
    rows = -(-len(tiles) // columns)
    whole = np.ones((rows * (h + pad) - pad, columns * (w + pad) - pad, c))
    for i, tile in enumerate(tiles):
        y, x = (i // columns) * (h + pad), (i % columns) * (w + pad)
        whole[y : y + h, x : x + w] = np.clip(tile / 255, 0, 1)
    axes.imshow(whole.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    bare(axes)
    axes.spines[:].set_visible(False)


def scatter(axes: Any, points: np.ndarray, groups: Sequence[tuple[str, np.ndarray, str]], size: float = 5) -> None:
    """Points of the plane ``(n, 2)`` in named groups (name, mask, colour); later groups lie above earlier ones."""
    for name, mask, colour in groups:
        x, y = points[mask].T
        edge = {GENERATED: "#666666", ANOMALOUS: BLACK}.get(colour, "none")  # few, or pale
        axes.scatter(x, y, s=size, c=colour, label=name, edgecolors=edge, linewidths=0.3, rasterized=True)


def histogram(axes: Any, values: Sequence[np.ndarray], names: Sequence[str], colours: Sequence[str]) -> None:
    """Densities of several groups over the same bins."""
    every = np.concatenate(values)
    low, high = np.quantile(every, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, 31)
    for found, name, colour in zip(values, names, colours):
        axes.hist(np.clip(found, edges[0], edges[-1]), edges, density=True, color=colour, alpha=0.55, label=name)
