"""Every figure that the papers print, with its source and the protocol that it really belongs to.

The figures are in the CSV files beside this one, a file a group of papers; values are shares in [0, 1]. Provenance:

- seed: printed in one of the five papers whose claims this package re-measures (IGMM-GAN, Silva and Lochter's study,
  ADGAN, MMOC-GAN, Fence GAN). IGMM-GAN prints bar charts only, Fence GAN does so for images: they have no rows there.
- repo: printed in released code: a README, a stored notebook, an issue thread; users' reruns included.
- paper: printed in another paper, perhaps as a quotation; ``source`` says which.
- computed: arithmetic on the above.
- unverified: recalled, or from a summary of a summary. Never to be printed as published.

A figure without a protocol comes from an evaluation that this package does not have, so nothing is comparable with it.
The class is "" for a protocol with a single trial, "mean" or "median" for an average over classes or folds, and
"mean_printed" for the column of that name, which holds medians.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ..errors import InputError
from ..protocols import PROTOCOLS
from .footnotes import FOOTNOTES, footnotes

__all__ = ["FOOTNOTES", "Figure", "footnotes", "load", "lookup"]

#: Provenances that count as published, best source first.
_PUBLISHED = ("seed", "paper", "repo")
_PROVENANCE = (*_PUBLISHED, "computed", "unverified")


@dataclass(frozen=True)
class Figure:
    """One figure."""

    source: str  #: paper and table, or repository and thread
    protocol: str  #: id in ``ganad.protocols.PROTOCOLS``, or "" if the evaluation is none of them
    dataset: str
    cls: str  #: class, fold or aggregate; "" if the protocol has a single trial
    method: str  #: class name in this package, if there is one, with a variant after "-" or ","
    metric: str
    value: float  #: a share in [0, 1]
    spread: float | None  #: standard deviation over runs or folds, as printed
    runs: int | None  #: seeds or folds averaged over, if the source says so
    provenance: str  #: seed, repo, paper, computed or unverified; see above
    note: str

    @property
    def is_published(self) -> bool:
        """Whether it may be in a column headed "published"."""
        return self.provenance in _PUBLISHED


def load(
    protocol: str | None = None, method: str | None = None, cls: str | int | None = None, metric: str | None = None
) -> list[Figure]:
    """All figures that fit, of every provenance, in the order of the files. Without arguments it gives all figures."""
    asked = {"protocol": protocol, "method": method, "cls": None if cls is None else str(cls), "metric": metric}
    asked = {name: value for name, value in asked.items() if value is not None}
    return [f for f in _all() if all(getattr(f, name) == value for name, value in asked.items())]


def lookup(protocol: str, method: str, cls: str | int | None, metric: str, *, computed: bool = False) -> Figure | None:
    """The figure to print as published beside a measurement, or None if there is none.

    cls: a class, "mean" or "median", or None for a protocol with a single trial. Of several sources, the five papers
    come first, then other papers, then repositories. computed: also accept arithmetic on published figures, such as the
    true mean of a row; its provenance says so. Unverified figures and figures for synthetic stand-ins are never
    returned.

    Raises InputError for a protocol that does not exist.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"no protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    filed_as = PROTOCOLS[protocol].published_as
    if filed_as is None:
        return None
    accepted = (*_PUBLISHED, "computed") if computed else _PUBLISHED
    filed = load(filed_as or protocol, method, "" if cls is None else cls, metric)
    found = [f for f in filed if f.provenance in accepted]
    return min(found, key=lambda f: accepted.index(f.provenance), default=None)


@cache
def _all() -> tuple[Figure, ...]:
    out = []
    for path in sorted(files(__name__).iterdir(), key=lambda p: p.name):
        if path.name.endswith(".csv"):
            out += [_figure(row) for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
    return tuple(out)


def _figure(row: dict[str, str]) -> Figure:
    if row["provenance"] not in _PROVENANCE:
        raise InputError(f"published figure {row}: provenance is none of {', '.join(_PROVENANCE)}")
    return Figure(
        source=row["source"],
        protocol=row["protocol"],
        dataset=row["dataset"],
        cls=row["class"],
        method=row["method"],
        metric=row["metric"],
        value=float(row["value"]),
        spread=float(row["spread"]) if row["spread"] else None,
        runs=int(row["runs"]) if row["runs"] else None,
        provenance=row["provenance"],
        note=row["note"],
    )
