"""The data of a page as JSON values: lists, pictures and curves."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from . import comparison, curves, histogram, maps, pictures
from .checks import Run, checked, numbers
from .contents import Contents, Images, Rival, Table
from .selection import by_place, listed, shown

COLUMNS_SHOWN = 5  #: most unusual columns of a row
BOXES_SHOWN = 50  #: regions of a photo, the highest


def prepare(contents: Contents) -> dict[str, Any]:
    """Everything that the page shows. Raises InputError for contents that cannot be drawn."""
    run = checked(contents)
    pictured = shown(run.scores, run.threshold)
    places = listed(run.scores, run.threshold, pictured)
    edges = histogram.edges(run.scores)
    figures, against_labels = curves.figures(run.odd, run.scores)
    return {
        **_head(contents, run),
        **_list(contents.scored.names, run, places),
        "pictures": {}
        if contents.images is None
        else by_place(_pictures(contents.images, pictured, run.scores), places),
        "rows": {} if contents.table is None else by_place(_unusual(contents.table, pictured), places),
        "histogram": _histogram(run, edges),
        "reference": _reference(run, contents.scored.calibration, edges),
        "figures": figures,
        "curves": against_labels,
        "comparison": comparison.lines(run.odd, _compared(contents, run)),
        "places": [dict(line) for line in contents.places],
        "training": curves.training(contents.history),
        "settings": {str(k): str(v) for k, v in contents.settings.items()},
        "maps": _maps(contents, run),
        "generated": _generated(contents, pictured),
        "unreadable": [[str(bad.path), str(bad.reason)] for bad in contents.unreadable],
    }


def _compared(contents: Contents, run: Run) -> list[Rival]:
    return [Rival(contents.method, run.scores, run.threshold), *contents.rivals]


def _head(contents: Contents, run: Run) -> dict[str, Any]:
    return {
        "title": f"{contents.method or 'Anomaly'} report",
        "method": contents.method,
        "facts": dict(contents.facts),
        "threshold": run.threshold if np.isfinite(run.threshold) else None,
        "n": len(run.scores),
        "n_odd": None if run.odd is None else int(run.odd.sum()),
    }


def _list(names: Sequence[object], run: Run, places: np.ndarray) -> dict[str, Any]:
    """The listed samples, and how many of all lie above each of their scores."""
    scores, odd, p = run.scores, run.odd, run.p_values
    return {
        "scores": _packed(scores[places], "<f8"),
        "above": _packed(_above(scores, scores[places]), "<u4"),
        "odd_above": None if odd is None else _packed(_above(scores[odd], scores[places]), "<u4"),
        "names": [str(names[i]) for i in places],
        "labels": None if odd is None else odd[places].astype(int).tolist(),
        "p_values": None if p is None else _packed(p[places], "<f4"),
    }


def _above(scores: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """How many of all scores lie above each distinct listed score, in rising order of these."""
    return len(scores) - np.searchsorted(np.sort(scores), np.unique(listed), side="right")


def _packed(numbers: np.ndarray, kind: str) -> str:
    """Numbers as base64: exact, half the size of decimal digits, and ready as a typed array."""
    return base64.b64encode(numbers.astype(kind).tobytes()).decode()


def _pictures(images: Images, pictured: np.ndarray, scores: np.ndarray) -> dict[int, dict[str, Any]]:
    """``image``, ``heat``, ``redrawn``, ``mask``, ``boxes`` and ``large`` of the shown samples that have them."""
    pixels, scale = _scaled(images.pixels, pictured)
    taken = pictures.HEAT_BYTES * bool(images.heatmaps) + pictures.MASK_BYTES * bool(images.masks)
    budget = (pictures.BUDGET - taken) // (1 + bool(images.reconstructions))
    closer = set(pictured[np.argsort(-scores[pictured], kind="stable")[: pictures.LARGE]].tolist())
    result: dict[int, dict[str, Any]] = {}
    for i in pictured.tolist():
        pixel = pixels[i]
        result[i] = {"image": pictures.thumbnail(pixel, scale, budget)}
        if i in closer and max(pixel.shape[:2]) > pictures.SIDE:
            result[i]["large"] = pictures.thumbnail(pixel, scale, pictures.LARGE_BYTES, pictures.LARGE_SIDE)
        if i in images.heatmaps:
            result[i]["heat"] = pictures.heat(images.heatmaps[i], images.heat_full)
        if i in images.reconstructions:
            result[i]["redrawn"] = pictures.thumbnail(images.reconstructions[i], scale, budget)
        if i in images.masks:
            result[i]["mask"] = pictures.mask(images.masks[i])
        if i in images.regions:
            result[i]["boxes"] = _boxes(images.regions[i], pixel.shape)
    return result


def _boxes(regions: Sequence[Any], shape: tuple[int, ...]) -> list[list[float]]:
    """x, y, width, height and area of the regions in pixels, then the first four as shares of the picture."""
    whole = (shape[1], shape[0], shape[1], shape[0])
    sides = [(r.x, r.y, r.width, r.height) for r in regions[:BOXES_SHOWN]]
    return [
        [*map(int, own), int(r.area), *(round(a / b, 5) for a, b in zip(own, whole))] for own, r in zip(sides, regions)
    ]


def _scaled(pixels: Any, pictured: np.ndarray) -> tuple[Any, float]:
    """Pictures as an array, perhaps on disk, and the factor that brings the shown ones to 0..255."""
    pixels = pixels if hasattr(pixels, "shape") else np.asarray(pixels)
    return pixels, pictures.scale_of(pixels[pictured])


def _generated(contents: Contents, pictured: np.ndarray) -> list[str]:
    """Generated pictures in the units of the images, if there are any."""
    if contents.generated is None:
        return []
    generated = np.asarray(contents.generated)
    if contents.images is None:
        scale = pictures.scale_of(generated)
    else:
        scale = _scaled(contents.images.pixels, pictured)[1]
    return [pictures.thumbnail(image, scale, pictures.BUDGET // 2) for image in generated]


def _unusual(table: Table, pictured: np.ndarray) -> dict[int, list[list[Any]]]:
    """For each shown row, the columns farthest from the table's median, in units of the interquartile range."""
    rows = numbers("rows", table.rows)
    if rows.ndim != 2:
        raise InputError(f"rows must be a table (n, d), not an array of shape {rows.shape}")
    names = [f"column {i}" for i in range(rows.shape[1])] if table.columns is None else list(table.columns)
    if len(names) != rows.shape[1]:
        raise InputError(f"{len(names)} columns do not name {rows.shape[1]} columns of rows")
    low, middle, high = np.percentile(rows, [25, 50, 75], axis=0)
    spread = np.where(high > low, (high - low) / 1.35, np.where(rows.std(0) > 0, rows.std(0), 1))
    result = {}
    for i in pictured.tolist():
        z = (rows[i] - middle) / spread
        top = np.argsort(-np.abs(z))[:COLUMNS_SHOWN]
        result[i] = [[str(names[j]), float(rows[i, j]), round(float(z[j]), 1)] for j in top]
    return result


def _histogram(run: Run, edges: np.ndarray) -> dict[str, Any]:
    scores, odd = run.scores, run.odd
    return {
        "edges": edges.tolist(),
        "normal": histogram.counts(scores if odd is None else scores[~odd], edges),
        "anomaly": None if odd is None else histogram.counts(scores[odd], edges),
    }


def _reference(run: Run, calibration: np.ndarray | None, edges: np.ndarray) -> dict[str, Any]:
    """The scores among which a sample is ranked."""
    if calibration is not None and len(calibration):
        what, chosen = "held-out normal samples", numbers("calibration", np.minimum(calibration, edges[-1]))
    elif run.odd is not None and not run.odd.all():
        what, chosen = "samples labelled normal", run.scores[~run.odd]
    else:
        what, chosen = "samples of this report", run.scores
    return {"what": what, "n": len(chosen), "counts": histogram.counts(chosen, edges)}


def _maps(contents: Contents, run: Run) -> dict[str, Any] | None:
    if contents.codes is None:
        return None
    odd = run.flagged if run.odd is None else run.odd
    return maps.draw(contents.codes.values, run.scores, odd, contents.codes.clusters)
