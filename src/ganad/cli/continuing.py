"""``ganad fit --continue MODEL``: go on training a model with new normal samples."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import settings
from ..errors import InputError, NotSupported

if TYPE_CHECKING:
    import numpy as np

    from ..data import Samples
    from ..detector import Detector, NetworkDetector

Continue = Annotated[
    Path | None,
    typer.Option("--continue", metavar="MODEL", help="Begin with this model's weights, scaling and settings."),
]
OldData = Annotated[
    str | None,
    typer.Option(metavar="DATA", help="With --continue: normal samples of before, to compare old and new on as well."),
]


@dataclass(frozen=True)
class Parent:
    """A model that is continued, as its file was when it was read: until the fit ends it may be replaced or gone."""

    detector: NetworkDetector
    sha256: str

    def heir(self, given: dict[str, str]) -> NetworkDetector:
        """The detector that goes on, with the settings that are ``given`` as text."""
        detector = copy.deepcopy(self.detector)  # because the one that was is compared with in the end
        detector.set_params(**settings.parse(type(detector), given))
        detector.check_settings()
        return detector


def to_continue(model: Path) -> Parent:
    """What a model file holds; NotSupported where it has no training that could go on."""
    from ..detector import NetworkDetector
    from ..loading import load_hashed

    detector, sha256 = load_hashed(model)
    if not isinstance(detector, NetworkDetector):
        raise NotSupported(
            f"{model}: a {type(detector).__name__} has no training of its own that could go on; fit it again on old "
            "and new samples together"
        )
    if getattr(detector, "source_", None) is None:
        raise InputError(f"{model}: the model does not know how its data were read; use continue_fit in Python")
    return Parent(detector, sha256)


def refuse_known(options: dict[str, Any]) -> None:
    """Raise InputError where one of these options of fit has a value: the model to continue says those."""
    wrong = next((option for option, value in options.items() if value), None)
    if wrong:
        raise InputError(f"{wrong} cannot be chosen with --continue: the model has it already; leave it out")


def comparison(old: Detector, new: Detector, sets: dict[str, np.ndarray]) -> str:
    """What each model flags of each set of normal samples, at its own threshold."""
    from ..recalibration import Share

    lines = [f"{'flagged by':16} {'old':>28} {'new':>28}"]
    for name, x in sets.items():
        shares = [Share(int((model.anomaly_score(x) > model.threshold_).sum()), len(x)) for model in (old, new)]
        lines.append(f"{name:16} {shares[0]!s:>28} {shares[1]!s:>28}")
    return "\n".join(lines)


def sets_of(samples: Samples, rate: float | None, share: float, old: Samples | None) -> dict[str, np.ndarray]:
    """The samples to compare on: of the new ones those that were held out, or all; and those of before."""
    from ..calibrate import hold_out

    if rate is None:
        sets = {"new, learnt": samples.x}
    else:
        sets = {"new, held out": samples.x[hold_out(len(samples.x), share, rate)[1]]}
    return sets if old is None else sets | {"old": old.x}
