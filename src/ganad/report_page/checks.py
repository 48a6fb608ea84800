"""Checks that refuse, in one sentence, what a page cannot show."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .contents import Contents, Scored


@dataclass(frozen=True, eq=False)
class Run:
    """The checked scores of a page."""

    scores: np.ndarray  #: ``(n,)`` float64
    threshold: float
    odd: np.ndarray | None  #: ``(n,)`` True for labelled anomalies
    p_values: np.ndarray | None  #: ``(n,)`` float64

    @property
    def flagged(self) -> np.ndarray:
        """Mask ``(n,)`` of the samples above the threshold."""
        above: np.ndarray = self.scores > self.threshold
        return above


def checked(contents: Contents) -> Run:
    """The scores of a page. Raises InputError for a part whose length or numbers do not fit them."""
    scored = contents.scored
    scores = numbers("scores", scored.scores)
    if len(scores) == 0 or scores.ndim != 1:
        raise InputError("there are no scores to report on")
    threshold = _threshold(scored.threshold)
    for what, given in _by_sample(contents).items():
        if given is not None and len(given) != len(scores):
            raise InputError(f"{len(given)} {what} do not fit {len(scores)} scores")
    if contents.images is not None:
        _check_places("heatmaps", contents.images.heatmaps, len(scores))
        _check_places("reconstructions", contents.images.reconstructions, len(scores))
        _check_places("masks", contents.images.masks, len(scores))
        _check_places("regions", contents.images.regions, len(scores))
    return Run(scores, threshold, None if scored.labels is None else _odd(scored.labels), _p_values(scored))


def numbers(what: str, given: Any) -> np.ndarray:
    """An array of float64; InputError for anything but finite numbers."""
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be numbers") from error
    if not np.isfinite(values).all():
        raise InputError(f"{what} must be finite numbers; NaN or infinity cannot be drawn")
    return values


def _by_sample(contents: Contents) -> dict[str, Sized | None]:
    """All parts that have one entry per sample."""
    scored, images, table, codes = contents.scored, contents.images, contents.table, contents.codes
    return {
        "names": scored.names,
        "labels": scored.labels,
        "p_values": scored.p_values,
        "images": None if images is None else images.pixels,
        "rows": None if table is None else table.rows,
        "codes": None if codes is None else codes.values,
        "clusters": None if codes is None else codes.clusters,
    }


def _check_places(what: str, given: Any, n: int) -> None:
    if wrong := [i for i in given if not 0 <= i < n]:
        raise InputError(f"{what} of sample {wrong[0]!r}: samples are numbered from 0 to {n - 1}")


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


def _p_values(scored: Scored) -> np.ndarray | None:
    if scored.p_values is None:
        return None
    p = numbers("p_values", scored.p_values)
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError("p_values must lie between 0 and 1")
    return p
