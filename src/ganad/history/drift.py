"""Whether new samples still look like the calibration samples: a test that may be asked at any time, for ever.

**P-values that are exactly uniform.** Conformal p-values against a fixed calibration set share that set. Given the set
they are independent but not uniform, and a test that bets on them for long enough finds the set's own chance
deviations. So each sample is ranked among the m calibration scores *and* all earlier samples of the stream (V. Vovk,
I. Nouretdinov, A. Gammerman, "Testing exchangeability on-line", ICML 2003). The earlier samples are remembered by the
gap between two calibration scores into which they fell, which takes m + 1 numbers however long the stream is: given
that n_j of t samples fell into gap j, the next one falls there with probability (1 + n_j) / (m + 1 + t), because the
probabilities of the gaps between m independent draws are uniform on the simplex (Polya's urn). So

    p = (sum over higher gaps k of (1 + n_k)  +  U (1 + n_j)) / (m + 1 + t),    U uniform on [0, 1]

are independent and uniform. Equal scores get a random order, fixed for the calibration scores.

**A martingale.** The Simple Jumper (V. Vovk et al., "Retrain or not retrain: conformal test martingales for
change-point detection", COPA 2021) spreads its capital over three bets, 1 + e (p - 1/2) with e = -1, 0, 1: on small
p-values, on nothing, on large ones. Before each sample a share J = 0.01 of each is spread anew over all three. Here it
does not start with all of its capital at the first sample. What it starts with before sample t is R(t-1) - R(t), and
the reserve R(t) = 1 / (1 + log(1 + t)) waits for drift that begins later: a mixture of jumpers over their starts. The
sum M of reserve and bets is a martingale with M = 1 at the start, and never less than R(t). By Ville's inequality
P(M >= c at any time) <= 1 / c. ``ALARM`` is c = 100.

**The condition.** Calibration samples and the stream's normal samples are exchangeable until drift begins, and the
stream holds few anomalies. Anomalies that a person confirmed are left out by ``Monitor``, which harms nothing, because
no normal sample is left out with them. Bets are linear, so an anomaly raises log M by .41 at most: a few do not make
drift, a tenth of all samples may.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

ALARM = 100.0  #: the martingale at which drift is said; a false alarm has at most probability 1 / ALARM, for ever
JUMP = 0.01  #: share of the capital that is spread anew before each sample
WINDOW = 500  #: samples of the running rate and of the histogram
_BLOCK = 256  # samples that are ranked together
_REMEMBERED = 10_000  # samples among which the beginning is looked for
_POINTS = 400  # of the curve, at most


class OnlinePValues:
    """Independent uniform p-values of a stream without drift; see above.

    calibration: ``(m,)`` scores of held-out normal samples, higher is more anomalous. seed: of the random order of
    equal scores. Memory and the time a sample takes do not grow with the stream.
    """

    def __init__(self, calibration: np.ndarray, seed: int = 0):
        self._rng = np.random.default_rng(seed)
        self._values, group = np.unique(np.asarray(calibration, float), return_inverse=True)
        self._ranked = np.sort(group + self._rng.random(len(group)))  # place among the values, then at random
        self._counts = np.zeros(len(group) + 1, np.int64)  # earlier samples by gap

    def update(self, scores: np.ndarray) -> np.ndarray:
        """P-values ``(n,)`` of the next n scores."""
        found = [self._block(scores[i : i + _BLOCK]) for i in range(0, len(scores), _BLOCK)]
        return np.concatenate(found) if found else np.zeros(0)

    def _block(self, scores: np.ndarray) -> np.ndarray:
        n = len(scores)
        order, within = self._rng.random((n, 2)).T  # a sample's own two, however many come at once
        gap = self._gaps(scores, order)
        up_to = np.cumsum(self._counts)
        earlier = np.tri(n, k=-1, dtype=bool)
        above = up_to[-1] - up_to[gap] + ((gap[None] > gap[:, None]) & earlier).sum(axis=1)
        equal = self._counts[gap] + ((gap[None] == gap[:, None]) & earlier).sum(axis=1)
        highest, seen = len(self._counts) - 1, up_to[-1] + np.arange(n)
        np.add.at(self._counts, gap, 1)
        p: np.ndarray = (highest - gap + above + within * (1 + equal)) / (highest + 1 + seen)
        return p

    def _gaps(self, scores: np.ndarray, order: np.ndarray) -> np.ndarray:
        """How many calibration scores lie below each score; those that equal it do where their ``order`` is lower."""
        place = np.searchsorted(self._values, scores)
        tied = self._values[np.minimum(place, len(self._values) - 1)] == scores
        below: np.ndarray = np.searchsorted(self._ranked, place + tied * order)
        return below


class Martingale:
    """The Simple Jumper over all starts; see above. ``log`` is the natural logarithm of its value."""

    def __init__(self) -> None:
        self.n = 0  #: p-values so far
        self.log = 0.0
        self._small = self._none = self._large = 0.0  # bets, in shares of the value
        self._reserve = 1.0  # of the capital at the start

    def update(self, p: float) -> float:
        """``log`` after the next p-value."""
        self.n += 1
        reserve = 1 / (1 + math.log1p(self.n))
        share = math.exp(-self.log)
        new = (JUMP * (self._small + self._none + self._large) + (self._reserve - reserve) * share) / 3
        small = ((1 - JUMP) * self._small + new) * (1.5 - p)
        none = (1 - JUMP) * self._none + new
        large = ((1 - JUMP) * self._large + new) * (0.5 + p)
        total = small + none + large + reserve * share
        self._small, self._none, self._large = small / total, none / total, large / total
        self._reserve = reserve
        self.log += math.log(total)
        return self.log


class Onset:
    """When drift began, by maximum likelihood (E. S. Page, "Continuous inspection schemes", Biometrika 1954).

    First the last time at which a bet, 1.5 - p or 0.5 + p, had gained nothing yet. What came between then and now shows
    how p-values are distributed after the beginning: the later half is described by the density a p^(a - 1), or
    a (1 - p)^(a - 1) where they have become larger. The beginning is where that explains all from there on best.
    """

    def __init__(self) -> None:
        self._gain = {-1: 0.0, 1: 0.0}
        self._n = {-1: 0, 1: 0}  # samples since
        self._latest: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)

    def update(self, p: float, time: float) -> None:
        """Take the next p-value, of a sample seen at ``time``."""
        self._latest.append((p, time))
        for sign, gain in self._gain.items():
            self._n[sign] = self._n[sign] + 1 if gain > 0 else 1
            self._gain[sign] = max(0.0, gain) + math.log(1 + sign * (p - 0.5))

    @property
    def sign(self) -> int:
        """-1 where p-values have become smaller, that is scores higher; 1 where they have become larger."""
        return max(self._gain, key=lambda sign: self._gain[sign])

    @property
    def time(self) -> float:
        """When it began."""
        p, times = np.array(self._latest).T
        logs = np.log(np.maximum(p if self.sign < 0 else 1 - p, 1e-12))
        later = logs[-max(1, self._n[self.sign] // 2) :]
        a = 1 / max(1e-12, -later.mean())
        gains = np.log(a) + (a - 1) * logs
        return float(times[np.argmax(gains[::-1].cumsum()[::-1])])


class Drift:
    """What is known of a stream that one model scored.

    calibration: its scores of held-out normal samples ``(m,)``. The rest is read from the attributes.
    """

    def __init__(self, calibration: np.ndarray):
        self._ranks, self._martingale, self._onset = OnlinePValues(calibration), Martingale(), Onset()
        self.p_values: deque[float] = deque(maxlen=WINDOW)  #: the latest, uniform without drift
        self.flags: deque[bool] = deque(maxlen=WINDOW)  #: whether the latest were flagged
        self.curve: list[tuple[float, float]] = []  #: times and log martingales, a few hundred of them
        self.alarm: float | None = None  #: when the martingale first reached ALARM
        self.began: float | None = None  #: when what raised the alarm began
        self.rises = True  #: whether scores rise with it, or fall
        self._every = 1

    @property
    def n(self) -> int:
        """Samples so far."""
        return self._martingale.n

    @property
    def log_martingale(self) -> float:
        """Natural logarithm of the martingale."""
        return self._martingale.log

    def update(self, scores: np.ndarray, times: np.ndarray, flagged: np.ndarray) -> None:
        """Take the next samples, each ``(n,)``: scores, times in seconds, verdicts."""
        p = self._ranks.update(np.asarray(scores, float)).tolist()
        for value, time in zip(p, np.asarray(times, float).tolist()):
            self._onset.update(value, time)
            log = self._martingale.update(value)
            if self.alarm is None and log >= math.log(ALARM):
                self.alarm, self.began, self.rises = time, self._onset.time, self._onset.sign < 0
            self._draw(time, log)
        self.p_values.extend(p)
        self.flags.extend(np.asarray(flagged, bool).tolist())

    def _draw(self, time: float, log: float) -> None:
        if self.n % self._every == 0:
            self.curve.append((time, log))
        if len(self.curve) >= _POINTS:
            del self.curve[::2]  # what stays are multiples of twice the step
            self._every *= 2


def promised(calibration: np.ndarray, threshold: float) -> float:
    """The share of normal samples that a threshold flags on average over calibration sets, without equal scores.

    >>> promised(np.arange(99.0), threshold=94.0)
    0.05
    """
    return (1 + int((np.asarray(calibration) > threshold).sum())) / (len(calibration) + 1)
