"""From the classes that the user names as normal or anomalous to a mask, labels, or training samples."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import InputError
from .samples import Samples

_LOG = logging.getLogger("ganad")
_NAMED = 20  # classes that a message lists
Names = Sequence[str] | None


def choose_normal(samples: Samples, *, normal: Names = None, anomaly: Names = None) -> np.ndarray:
    """Mask ``(n,)`` of the normal samples: those of the ``normal`` classes, or those not of the ``anomaly`` ones.

    Raises InputError if the source knows no classes or those of some rows only, and for a named class that does not
    occur or is in both lists.
    """
    classes = np.empty(0, str) if samples.y is None else samples.y.astype(str)
    _check_names(sorted(set(classes)), normal, anomaly)
    if samples.columns is not None and (count := int((classes == "").sum())):
        raise InputError(f"{count:,} rows have an empty cell in the label column; fill them, or leave the rows out")
    mask = np.isin(classes, list(normal)) if normal else np.ones(len(classes), bool)
    return mask & ~np.isin(classes, list(anomaly or ()))


def only_normal(samples: Samples, normal: Names = None, anomaly: Names = None) -> Samples:
    """The samples to train on: those of the ``normal`` classes, or those not of the ``anomaly`` ones.

    Without names all samples train. If they have several classes, a warning is logged, because defects would be learnt
    as normal. A table knows what the normal rows alone show of it: the others fill no gaps, and texts of theirs count
    as never seen. Raises InputError as ``choose_normal`` does.
    """
    from .table import known_to  # with pyarrow, which the names of data sets do not need

    if normal or anomaly:
        mask = choose_normal(samples, normal=normal, anomaly=anomaly)
        return (known_to(samples, np.flatnonzero(mask)) if mask.any() else samples).subset(mask)
    known = [] if samples.y is None else sorted(set(samples.y.astype(str)))
    if len(known) > 1:
        _LOG.warning(
            "the samples have %d classes (%s), and all of them train as normal; name the normal ones with --normal",
            len(known),
            _listed(known),
        )
    return samples


def labels_of(samples: Samples, normal: Names = None, anomaly: Names = None) -> np.ndarray | None:
    """Labels ``(n,)``: 1 for anomalies, 0 for normal samples, -1 for classes in neither list if both are given, and for
    rows of a table without a class.

    None without classes or without names. A name that does not occur is allowed, because a part of a table need not
    have every class. ``unnamed`` checks the names when all parts are read.
    """
    if samples.y is None or not (normal or anomaly):
        return None
    classes = samples.y.astype(str)
    is_normal, is_anomaly = np.isin(classes, list(normal or ())), np.isin(classes, list(anomaly or ()))
    if not normal:
        is_normal = ~is_anomaly
    elif not anomaly:
        is_anomaly = ~is_normal
    unknown = (classes == "") & (samples.columns is not None)
    return np.where(unknown, -1, np.where(is_anomaly, 1, np.where(is_normal, 0, -1)))


def unnamed(classes: Iterable[str], normal: Names = None, anomaly: Names = None) -> list[str]:
    """The classes in neither list, sorted, if both are given; otherwise none.

    Raises InputError if there are no classes, and for a named class that does not occur or is in both lists.
    """
    if not (normal or anomaly):
        return []
    known = sorted(set(classes))
    _check_names(known, normal, anomaly)
    return [c or "those without a class" for c in known if c not in {*normal, *anomaly}] if normal and anomaly else []


def _check_names(known: list[str], normal: Names, anomaly: Names) -> None:
    if not known:
        raise InputError("--normal and --anomaly need classes: subfolders of images, or --label COLUMN for a table")
    for name in [*(normal or ()), *(anomaly or ())]:
        if name not in known:
            raise InputError(f"no class {name!r} in the data; it has {_listed([c for c in known if c])}")
    if both := set(normal or ()) & set(anomaly or ()):
        raise InputError(f"class {min(both)!r} is named as normal and as an anomaly; leave it in one of the lists")


def _listed(names: Sequence[str]) -> str:
    shown = [name or "those in no subfolder" for name in names[:_NAMED]]
    return ", ".join(shown) + (", ..." if len(names) > _NAMED else "")
