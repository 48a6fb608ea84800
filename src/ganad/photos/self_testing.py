"""The self-test of a detector of photos: it scores normal photos with planted defects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .. import selftest
from ..detector import Detector
from ..progress import Bar
from ..selftest import SelfTest
from .part import Part
from .planted import KINDS, NOISE, Spoilt

_PLANTED = 10  # defects of each kind
_SEARCHED = 3  # the same for a detector that searches at every score, which takes as long as many looks


class Judged(NamedTuple):
    """Normal photos whose scores are known, for the self-test."""

    judge: Detector  #: which can score more; while thresholds are set, a fit that did not learn these photos
    photos: Sequence[np.ndarray]
    scores: np.ndarray  #: of these and perhaps of others, ``(n,)``
    held_out: bool  #: whether the photos with these scores were not learnt
    known: bool = False  #: whether they are all photos that were learnt


def tested(model: Detector, judged: Judged, part: Part | None, *, searches: bool) -> SelfTest:
    """The self-test of ``model``: what the judge says of these photos with defects in the part that is looked at."""
    made, kinds = {}, (NOISE, *KINDS)
    most = _SEARCHED if searches else _PLANTED
    with Bar("planting defects", enabled=model.verbose > 0) as bar:
        for i, kind in enumerate(kinds):
            made[kind] = judged.judge.anomaly_score(Spoilt(judged.photos, kind, most, part))
            bar.update(i + 1, len(kinds))
    return selftest.examine(
        np.arange(len(judged.scores))[:, None],  # photos are taken for different ones
        judged.scores.astype(np.float32),  # what differs by less is rounding of the inner detector
        {kind: scores.astype(np.float32) for kind, scores in made.items()},
        float(model.threshold_),
        held_out=judged.held_out,
        judges_new=not judged.known,
        is_trained=bool(model.history_),
    )
