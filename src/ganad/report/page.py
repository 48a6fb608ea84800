"""Build the page: figures by scikit-learn, data as JSON, style and script named by their hash so nothing else runs."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ..errors import InputError
from . import maps

MAX_THUMBNAILS = 200
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
    return ReportSummary(path, len(data["scores"]), flagged, figures.get("auroc"), figures.get("average_precision"))


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
    p_values: np.ndarray | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    method: str = "",
    model_info: Mapping[str, Any] | None = None,
    data_info: Mapping[str, Any] | None = None,
    codes: np.ndarray | None = None,
    generated: np.ndarray | None = None,
    unreadable: Iterable[Any] = (),
) -> dict[str, Any]:
    """Everything the page shows, as JSON-able values.

    scores: ``(n,)`` finite, higher is more anomalous. names: n texts. threshold: samples above it are flagged.
    labels: ``(n,)``, 1 for anomalies, or None. images: uint8 ``(n, H, W[, 3])``, of which only the shown ones are read.
    rows: ``(n, d)`` with ``columns`` names, of which the shown ones are described by their most unusual columns, by
    robust z-score within this table. heatmaps: sample -> ``(H, W)``, higher is more anomalous. codes: ``(n, k)``, drawn
    as two maps. generated: uint8 ``(m, H, W[, 3])``, what the method's generator makes. unreadable: objects
    with ``path`` and ``reason``. Raises InputError for lengths that differ or numbers that are not finite.
    """
    scores = np.asarray(scores, np.float64)
    n = len(scores)
    if n == 0 or scores.ndim != 1:
        raise InputError("there are no scores to report on")
    if not np.isfinite(scores).all() or np.isnan(threshold):
        raise InputError("scores and threshold must be finite numbers; NaN or infinity cannot be drawn")
    lengths = {"names": names, "labels": labels, "images": images, "rows": rows, "p_values": p_values, "codes": codes}
    for what, given in lengths.items():
        if given is not None and len(given) != n:
            raise InputError(f"{len(given)} {what} do not fit {n} scores")
    shown = _shown(scores, threshold)
    figures, curves = _figures(labels, scores)
    return {
        "title": f"{method or 'Anomaly'} report",
        "method": method,
        "facts": {**(model_info or {}), **(data_info or {})},
        "threshold": float(threshold) if np.isfinite(threshold) else float(scores.max()),
        "scores": scores.tolist(),
        "names": [str(name) for name in names],
        "labels": None if labels is None else np.asarray(labels).astype(int).tolist(),
        "p_values": None if p_values is None else np.asarray(p_values).tolist(),
        "thumbnails": {int(i): _png(images[i]) for i in shown} if images is not None else {},
        "heatmaps": {int(i): _heat(heatmap) for i, heatmap in (heatmaps or {}).items()},
        "rows": _unusual(np.asarray(rows), columns, shown) if rows is not None else {},
        "figures": figures,
        "curves": curves,
        "training": _training(history or ()),
        "settings": {str(k): str(v) for k, v in (settings or {}).items()},
        "maps": maps.draw(codes, scores) if codes is not None else None,
        "generated": [_png(image) for image in generated] if generated is not None else [],
        "unreadable": [[str(bad.path), str(bad.reason)] for bad in unreadable],
    }


def _shown(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Samples with a picture: half the most anomalous, a quarter the least, a quarter nearest the threshold."""
    if len(scores) <= MAX_THUMBNAILS:
        return np.arange(len(scores))
    order = np.argsort(-scores, kind="stable")
    half, quarter = MAX_THUMBNAILS // 2, MAX_THUMBNAILS // 4
    near = np.argsort(np.abs(scores - threshold), kind="stable")[:quarter]
    return np.unique(np.concatenate([order[:half], order[-quarter:], near]))


def _figures(labels: np.ndarray | None, scores: np.ndarray) -> tuple[dict[str, float], dict[str, Any]]:
    """AUROC and average precision by scikit-learn, and the curves thinned for drawing."""
    if labels is None or len(np.unique(labels)) < 2:
        return {}, {}
    fpr, tpr, _ = roc_curve(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    figures = {
        "auroc": float(roc_auc_score(labels, scores)),
        "average_precision": float(average_precision_score(labels, scores)),
    }
    return figures, {"roc": _thinned(fpr, tpr), "pr": _thinned(recall, precision)}


def _thinned(x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).astype(int))
    return np.round(np.column_stack([x[keep], y[keep]]), 5).tolist()


def _png(pixels: np.ndarray) -> str:
    """A small picture as a data address: PNG up to 64 pixels, else a JPEG of at most 128."""
    image, out = Image.fromarray(np.asarray(pixels, np.uint8)), io.BytesIO()
    kind = "png" if max(image.size) <= 64 else "jpeg"
    image.thumbnail((128, 128))
    image.save(out, kind.upper(), **({"quality": 80} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"


def _heat(heatmap: np.ndarray) -> str:
    """A heat map as a picture: black, red, yellow, white."""
    level = np.clip((heatmap - heatmap.min()) / (np.ptp(heatmap) or 1), 0, 1)
    channels = [np.clip(3 * level - k, 0, 1) for k in range(3)]
    return _png((255 * np.stack(channels, -1)).astype(np.uint8))


def _unusual(rows: np.ndarray, columns: Sequence[str] | None, shown: np.ndarray) -> dict[int, list[list[Any]]]:
    """For each shown row, its columns farthest from the table's median, in units of the interquartile range."""
    names = list(columns or (f"column {i}" for i in range(rows.shape[1])))
    low, middle, high = np.percentile(rows, [25, 50, 75], axis=0)
    spread = np.where(high > low, (high - low) / 1.35, np.where(rows.std(0) > 0, rows.std(0), 1))
    result = {}
    for i in shown:
        z = (rows[i] - middle) / spread
        top = np.argsort(-np.abs(z))[:COLUMNS_SHOWN]
        result[int(i)] = [[names[j], float(rows[i, j]), round(float(z[j]), 1)] for j in top]
    return result


def _training(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One panel a stage: the loss terms over its epochs."""
    panels: dict[str, dict[str, Any]] = {}
    for row in history:
        panel = panels.setdefault(row["stage"], {"stage": row["stage"], "epochs": [], "terms": {}})
        panel["epochs"].append(row["epoch"])
        for key, value in row.items():
            if key not in ("stage", "epoch", "seconds"):
                panel["terms"].setdefault(key, []).append(value)
    return list(panels.values())


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
