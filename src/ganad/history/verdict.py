"""What drift and running rate come to, in plain words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..calibrate import clopper_pearson
from .changes import Change
from .drift import Drift

NOT_CALIBRATED = "the model is not calibrated, so drift cannot be told; fit it with --false-alarm-rate"


@dataclass(frozen=True)
class Rate:
    """The share of the latest samples that were flagged, without those that a person confirmed."""

    flagged: int
    n: int
    low: float  #: of its exact 95 % interval
    high: float
    promised: float  #: the share of normal samples that the threshold was set for

    @property
    def share(self) -> float | None:
        """None of no samples."""
        return self.flagged / self.n if self.n else None

    @property
    def is_above(self) -> bool:
        """Whether the whole interval lies above what was promised."""
        return self.low > self.promised

    def __str__(self) -> str:
        bounds = f"interval {100 * self.low:.1f} to {100 * self.high:.1f} %"
        return f"{100 * self.flagged / max(1, self.n):.1f} % of the last {self.n} are flagged, {bounds}"


@dataclass(frozen=True)
class Verdict:
    """Whether a model still keeps what it was calibrated for."""

    drifting: bool
    sentence: str
    since: float | None = None  #: when drift began, seconds since 1970-01-01 UTC
    rate: Rate | None = None  #: None of a model that is not calibrated
    changes: Sequence[Change] = field(default=())  #: what changed most, the largest first

    def __str__(self) -> str:
        what = f"; what changed most: {', '.join(map(str, self.changes))}" if self.changes else ""
        return self.sentence + what


def verdict(drift: Drift, promised: float, changes: Sequence[Change] = ()) -> Verdict:
    """The verdict on a stream; ``promised``: the share that the threshold may flag; ``changes``: since it drifts."""
    flagged, n = sum(drift.flags), len(drift.flags)
    rate = Rate(flagged, n, *clopper_pearson(flagged, n), promised)
    if drift.began is None:
        return Verdict(False, _calm(rate), rate=rate)
    kept = "no longer keeps" if rate.is_above else "still keeps"
    moved = "risen" if drift.rises else "fallen"
    sentence = f"drifting since {clock(drift.began)}: scores have {moved}, the threshold {kept} {100 * promised:.2g} %"
    return Verdict(True, f"{sentence} ({rate})", drift.began, rate, changes)


def _calm(rate: Rate) -> str:
    if not rate.n:
        return "no sample yet"
    if rate.is_above:
        return f"still as calibrated as a whole, but {rate}, and the threshold was set for {100 * rate.promised:.2g} %"
    return f"still as calibrated ({rate})"


def clock(at: float) -> str:
    """A time here, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
