"""Build the page: figures by scikit-learn, data as JSON, style and script named by their hash so nothing else runs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ..errors import InputError
from . import histogram, maps, pictures

MAX_THUMBNAILS = 200
LISTED = 20_000  #: samples a page lists by name; counts, histogram and curves are of all
LISTED_FLAGGED = 15_000  #: of these, the flagged ones at most
CURVE_POINTS = 200  #: points of a ROC or PR curve that are drawn; the figures use all of them
COLUMNS_SHOWN = 5  #: most unusual columns of a row


@dataclass(frozen=True)
class ReportSummary:
    """What was written."""

    path: Path
    n_samples: int
    n_flagged: int
    auroc: float | None
    average_precision: float | None


def write(path: str | Path, **contents: Any) -> ReportSummary:
    """Write the page of one scoring run to ``path``; the arguments are those of ``build``."""
    path = Path(path)
    data = prepare(**contents)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(render(data), encoding="utf-8")
    temporary.replace(path)
    figures = data["figures"]
    flagged = int((np.asarray(contents["scores"]) > contents["threshold"]).sum())
    return ReportSummary(path, data["n"], flagged, figures.get("auroc"), figures.get("average_precision"))


def build(**contents: Any) -> str:
    """The page as a string; see ``prepare`` for the arguments."""
    return render(prepare(**contents))


def prepare(
    *,
    scores: np.ndarray,
    names: Sequence[str],
    threshold: float,
    labels: np.ndarray | None = None,
    images: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    columns: Sequence[str] | None = None,
    heatmaps: Mapping[int, np.ndarray] | None = None,
    reconstructions: Mapping[int, np.ndarray] | None = None,
    p_values: np.ndarray | None = None,
    calibration: np.ndarray | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    method: str = "",
    model_info: Mapping[str, Any] | None = None,
    data_info: Mapping[str, Any] | None = None,
    codes: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    generated: np.ndarray | None = None,
    unreadable: Iterable[Any] = (),
) -> dict[str, Any]:
    """Everything the page shows, as JSON-able values.

    scores: ``(n,)`` finite, higher is more anomalous. names: n texts. threshold: samples above it are flagged; inf for
    none. labels: ``(n,)``, 1 for anomalies and 0 for normal samples. images: ``(n, H, W[, 1 | 3])``, 0 to 255 or floats
    from 0 to 1, of which only those of ``shown`` are read. rows: ``(n, d)`` with ``columns`` names, of which the shown
    ones are described by their most unusual columns, by robust z-score within this table. heatmaps: sample ->
    ``(H, W)``, positive where it raises the score. reconstructions: sample -> what the method makes of it, like its
    image. p_values: ``(n,)`` from 0 to 1. calibration: scores of held-out normal samples, among which a sample's place
    is shown; without them among those labelled normal, or all. history: rows with stage, epoch and numbers. codes:
    ``(n, k)``, drawn as two maps with ``clusters`` ``(n,)`` of the method, or of k-means. generated: pictures like
    images, what the method's generator makes. unreadable: objects with ``path`` and ``reason``.

    Raises InputError for lengths that differ, numbers that are not finite and whatever else cannot be drawn.
    """
    scores = _numbers("scores", scores)
    n = len(scores)
    if n == 0 or scores.ndim != 1:
        raise InputError("there are no scores to report on")
    threshold = _threshold(threshold)
    lengths = {"names": names, "labels": labels, "images": images, "rows": rows, "p_values": p_values, "codes": codes}
    for what, given in (lengths | {"clusters": clusters}).items():
        if given is not None and len(given) != n:
            raise InputError(f"{len(given)} {what} do not fit {n} scores")
    for what, of in {"heatmaps": heatmaps, "reconstructions": reconstructions}.items():
        if wrong := [i for i in of or () if not 0 <= i < n]:
            raise InputError(f"{what} of sample {wrong[0]!r}: samples are numbered from 0 to {n - 1}")
    odd = None if labels is None else _odd(labels)
    p = None if p_values is None else _numbers("p_values", p_values)
    if p is not None and not ((p >= 0) & (p <= 1)).all():
        raise InputError("p_values must lie between 0 and 1")
    images = images if images is None or hasattr(images, "shape") else np.asarray(images)
    pictured = shown(scores, threshold)
    listed = _listed(scores, threshold, pictured)
    edges = histogram.edges(scores)
    figures, curves = _figures(odd, scores)
    return {
        "title": f"{method or 'Anomaly'} report",
        "method": method,
        "facts": {**(model_info or {}), **(data_info or {})},
        "threshold": threshold if np.isfinite(threshold) else None,
        "n": n,
        "n_odd": None if odd is None else int(odd.sum()),
        "scores": _packed(scores[listed], "<f8"),
        "above": _packed(_above(scores, scores[listed]), "<u4"),
        "odd_above": None if odd is None else _packed(_above(scores[odd], scores[listed]), "<u4"),
        "names": [str(names[i]) for i in listed],
        "labels": None if odd is None else odd[listed].astype(int).tolist(),
        "p_values": None if p is None else _packed(p[listed], "<f4"),
        "pictures": _pictures(pictured, listed, images, heatmaps or {}, reconstructions or {}),
        "rows": _by_place(_unusual(rows, columns, pictured), listed) if rows is not None else {},
        "histogram": {
            "edges": edges.tolist(),
            "normal": histogram.counts(scores if odd is None else scores[~odd], edges),
            "anomaly": None if odd is None else histogram.counts(scores[odd], edges),
        },
        "reference": _reference(scores, odd, calibration, edges),
        "figures": figures,
        "curves": curves,
        "training": _training(history or ()),
        "settings": {str(k): str(v) for k, v in (settings or {}).items()},
        "maps": None
        if codes is None
        else maps.draw(codes, scores, scores > threshold if odd is None else odd, clusters),
        "generated": _generated(generated, images, pictured),
        "unreadable": [[str(bad.path), str(bad.reason)] for bad in unreadable],
    }


def shown(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Samples with a picture: half the most anomalous, a quarter the least, a quarter nearest the threshold."""
    if len(scores) <= MAX_THUMBNAILS:
        return np.arange(len(scores))
    order = np.argsort(-scores, kind="stable")
    half, quarter = MAX_THUMBNAILS // 2, MAX_THUMBNAILS // 4
    middle = order[half:-quarter]
    near = middle[np.argsort(np.abs(scores[middle] - threshold), kind="stable")[:quarter]]
    return np.sort(np.concatenate([order[:half], near, order[-quarter:]]))


def _listed(scores: np.ndarray, threshold: float, pictured: np.ndarray) -> np.ndarray:
    """Samples with a name: all, or those with a picture, the highest flagged and some of the rest at random."""
    if len(scores) <= LISTED:
        return np.arange(len(scores))
    order, flagged = np.argsort(-scores, kind="stable"), int((scores > threshold).sum())
    top = min(flagged, LISTED_FLAGGED)
    # the page counts between listed scores, so the first one below the threshold must be there
    named = np.unique(np.concatenate([order[:top], order[flagged : flagged + 1], pictured]))
    others = np.setdiff1d(order, named)
    return np.union1d(named, np.random.default_rng(0).choice(others, LISTED - len(named), replace=False))


def _above(scores: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """How many of all scores lie above each distinct listed score, these in rising order."""
    return len(scores) - np.searchsorted(np.sort(scores), np.unique(listed), side="right")


def _packed(numbers: np.ndarray, kind: str) -> str:
    """Numbers as base64: exact, half the size of their digits, and a typed array at once."""
    return base64.b64encode(numbers.astype(kind).tobytes()).decode()


def _numbers(what: str, given: Any) -> np.ndarray:
    try:
        numbers = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be numbers") from error
    if not np.isfinite(numbers).all():
        raise InputError(f"{what} must be finite numbers; NaN or infinity cannot be drawn")
    return numbers


def _threshold(given: Any) -> float:
    try:
        threshold = float(given)
    except (TypeError, ValueError) as error:
        raise InputError(f"threshold {given!r} must be a number") from error
    if np.isnan(threshold) or threshold == -np.inf:
        raise InputError("threshold must be a finite number, or infinity where nothing is flagged")
    return threshold


def _odd(labels: Any) -> np.ndarray:
    """True for anomalies."""
    values = np.asarray(labels)
    if values.ndim != 1 or values.dtype.kind not in "buif" or not np.isin(values, (0, 1)).all():
        some = ", ".join(repr(v) for v in np.unique(values.astype(str))[:3].tolist())
        raise InputError(f"labels must be 1 for anomalies and 0 for normal samples; these hold {some}")
    return values.astype(bool)


def _pictures(
    pictured: np.ndarray,
    listed: np.ndarray,
    images: Any,
    heatmaps: Mapping[int, np.ndarray],
    reconstructions: Mapping[int, np.ndarray],
) -> dict[int, dict[str, str]]:
    """``image``, ``heat`` and ``redrawn`` by place in the list, for the shown samples that have them."""
    if images is None:
        return {}
    scale = pictures.scale_of(images[pictured])
    budget = (pictures.BUDGET - pictures.HEAT_BYTES * bool(heatmaps)) // (1 + bool(reconstructions))
    result = {}
    for i in pictured.tolist():
        result[i] = {"image": pictures.thumbnail(images[i], scale, budget)}
        if i in heatmaps:
            result[i]["heat"] = pictures.heat(heatmaps[i])
        if i in reconstructions:
            result[i]["redrawn"] = pictures.thumbnail(reconstructions[i], scale, budget)
    return _by_place(result, listed)


def _generated(generated: Any, images: Any, pictured: np.ndarray) -> list[str]:
    """Pictures in the units of the images, if there are any."""
    if generated is None:
        return []
    generated = np.asarray(generated)
    scale = pictures.scale_of(generated if images is None else images[pictured])
    return [pictures.thumbnail(image, scale, pictures.BUDGET // 2) for image in generated]


def _by_place(of: Mapping[int, Any], listed: np.ndarray) -> dict[int, Any]:
    """What is known of samples, by their place in the list."""
    return {int(np.searchsorted(listed, i)): value for i, value in of.items()}


def _reference(scores: np.ndarray, odd: np.ndarray | None, calibration: Any, edges: np.ndarray) -> dict[str, Any]:
    """The scores among which a sample's place is shown."""
    if calibration is not None and len(calibration):
        what, chosen = "held-out normal samples", _numbers("calibration", calibration)
    elif odd is not None and not odd.all():
        what, chosen = "samples labelled normal", scores[~odd]
    else:
        what, chosen = "samples of this report", scores
    return {"what": what, "n": len(chosen), "counts": histogram.counts(chosen, edges)}


def _figures(odd: np.ndarray | None, scores: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
    """AUROC and average precision by scikit-learn, and the curves thinned for drawing."""
    if odd is None or odd.all() or not odd.any():
        return {}, {}
    fpr, tpr, _ = roc_curve(odd, scores)
    precision, recall, _ = precision_recall_curve(odd, scores)
    figures = {
        "auroc": float(roc_auc_score(odd, scores)),
        "average_precision": float(average_precision_score(odd, scores)),
    }
    return figures, {"roc": _thinned(fpr, tpr), "pr": _thinned(recall, precision)}


def _thinned(x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).astype(int))
    return np.round(np.column_stack([x[keep], y[keep]]), 5).tolist()


def _unusual(rows: Any, columns: Sequence[str] | None, pictured: np.ndarray) -> dict[int, list[list[Any]]]:
    """For each shown row, its columns farthest from the table's median, in units of the interquartile range."""
    rows = _numbers("rows", rows)
    if rows.ndim != 2:
        raise InputError(f"rows must be a table (n, d), not an array of shape {rows.shape}")
    names = [f"column {i}" for i in range(rows.shape[1])] if columns is None else list(columns)
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


def _training(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One panel a stage: the loss terms as pairs of epoch and value."""
    panels: dict[str, dict[str, list]] = {}
    for row in history:
        if "stage" not in row or "epoch" not in row:
            raise InputError("each row of history must hold stage and epoch")
        epoch, terms = float(_numbers("epochs of history", row["epoch"])), panels.setdefault(str(row["stage"]), {})
        for key in (key for key in row if key not in ("stage", "epoch", "seconds")):
            what = f"history: {key} of {row['stage']}, epoch {row['epoch']},"
            terms.setdefault(key, []).append([epoch, float(_numbers(what, row[key]))])
    return [{"stage": stage, "terms": terms} for stage, terms in panels.items()]


def render(data: Mapping[str, Any]) -> str:
    """The page around the data."""
    here = files(__package__)
    style, script, template = (here.joinpath(f"page.{e}").read_text("utf-8") for e in ("css", "js", "html.j2"))
    # "<" cannot end the script element early, and U+2028 is a line end to old parsers
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        data=data, json=Markup(text), style=Markup(style), script=Markup(script), csp=_policy(style, script)
    )


def _policy(style: str, script: str) -> str:
    hashes = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (style, script)]
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'"
    )
