"""The contents of a page: plain arrays and texts, in a few small parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of n samples, with names, threshold, labels and p-values."""

    scores: np.ndarray  #: ``(n,)``, finite, higher is more anomalous
    names: Sequence[object]  #: n texts
    threshold: float  #: samples above it are flagged; inf flags none
    labels: np.ndarray | None = None  #: ``(n,)``, 1 for anomalies and 0 for normal samples
    p_values: np.ndarray | None = None  #: ``(n,)``, from 0 to 1
    #: scores of held-out normal samples. The page shows a sample's rank among them; without them, its rank among the
    #: samples labelled normal, or among all
    calibration: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Images:
    """The samples as pictures. The page reads only those that ``shown`` selects."""

    pixels: np.ndarray  #: ``(n, H, W)`` or ``(n, H, W, 1 | 3 | 4)``, 0 to 255, or floats from 0 to 1
    heatmaps: Mapping[int, np.ndarray] = field(default_factory=dict)  #: sample -> ``(H, W)``, positive raises the score
    heat_full: float | None = None  #: what is drawn in full in every heat map; None: each one's own maximum
    reconstructions: Mapping[int, np.ndarray] = field(default_factory=dict)  #: sample -> the method's version of it
    masks: Mapping[int, np.ndarray] = field(default_factory=dict)  #: sample -> bool ``(H, W)``, where its defect is
    #: sample -> what stands out in it: objects with ``x``, ``y``, ``width``, ``height`` and ``area`` in its pixels
    regions: Mapping[int, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Table:
    """The samples as rows. The page describes a shown row by its most unusual columns within this table."""

    rows: np.ndarray  #: ``(n, d)``, finite
    columns: Sequence[str] | None = None  #: d names


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of the samples. The page draws them as two maps."""

    values: np.ndarray  #: ``(n, k)``
    clusters: np.ndarray | None = None  #: ``(n,)``, from the method; None lets k-means find clusters


@dataclass(frozen=True, eq=False)
class Rival:
    """What another detector says of the same n samples, for one line of comparison."""

    name: str
    scores: np.ndarray  #: ``(n,)``, finite, higher is more anomalous
    threshold: float  #: samples above it are flagged; inf flags none


@dataclass(frozen=True, eq=False)
class Contents:
    """Everything that a page shows. A part that is None is left out."""

    scored: Scored
    images: Images | None = None
    table: Table | None = None
    codes: Codes | None = None
    rivals: Sequence[Rival] = ()  #: compared with the method where there are labels
    places: Sequence[Mapping[str, Any]] = ()  #: lines of ``metrics.by_kind``: how well defects are found, and where
    generated: np.ndarray | None = None  #: pictures that the method's generator makes, in the units of the images
    method: str = ""  #: name of the method, for the title
    facts: Mapping[str, object] = field(default_factory=dict)  #: name -> value, at the top of the page
    settings: Mapping[str, object] = field(default_factory=dict)  #: of the method, as a table at the end
    history: Sequence[Mapping[str, Any]] = ()  #: rows of training with ``stage``, ``epoch`` and numbers, finite
    unreadable: Iterable[Any] = ()  #: inputs without a score: objects with ``path`` and ``reason``
