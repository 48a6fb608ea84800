"""Regions: any detector on the regions of photos, so that a small defect in a large photo is found and located.

A view turns a photo into regions, the inner detector learns the regions of normal photos and scores those of new ones,
a pooling rule makes one score of them. The inner detector does not know of it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .. import calibrate, devices
from ..detector import Detector
from ..detector.fitting import seed_for
from ..detector.network import NetworkDetector
from ..errors import InputError, NotSupported
from ..files import sha256_of
from ..nets.players import Players
from ..progress import Bar
from ..settings import Count
from . import regions_file, sampling
from .backbone import Backbone
from .sequence import as_photos, check_photo, taken
from .tiles import Tiles
from .view import Grid

_AT_ONCE = 2048  # regions that wait for the inner detector
_INNER_THRESHOLD = 1000  # regions that set the inner detector's threshold, which nobody reads


class _Fitted:
    """Attributes set by ``fit``, beside those of every detector."""

    inner_: Detector  #: the inner detector, fitted
    channels_: int  #: of the photos, 1 or 3
    backbone_sha256_: str | None  #: of the backbone's file of weights


class Regions(_Fitted, Detector):
    """A detector of photos of any size: ``Regions(NearestNeighbor(), Backbone())``.

    Photos are uint8 ``(H, W)`` or ``(H, W, 3)``: a list of arrays, one array ``(n, H, W[, C])``, or ``data.Photos``,
    which decodes one photo at a time. Scores, thresholds and calibration are those of photos.
    """

    detector: Detector | None = dataclasses.field(default=None, kw_only=False)  #: that learns and scores the regions
    view: Tiles | Backbone = dataclasses.field(default=Tiles(), kw_only=False)  #: what a region is
    pool: str = "top5"  #: a photo's score: "max", "mean", or the mean of the k highest, "top5"
    max_regions: Count = 10_000  #: regions of normal photos to learn; every photo gives the same number
    choose: Literal["random", "coreset"] = "random"  #: how they are chosen; "coreset": far apart, for vectors only
    embed: bool = False  #: put the backbone's weights into the model file, and not their SHA-256 alone

    NO_FORWARD_PASS: ClassVar[str] = "photos become regions before they are scored"

    def check_settings(self) -> None:
        """Raise InputError, naming the setting, for one that cannot work."""
        super().check_settings()
        if not isinstance(self.detector, Detector) or isinstance(self.detector, Regions):
            raise InputError("Regions needs a detector of regions, such as Regions(NearestNeighbor(), Tiles(64, 32))")
        if not isinstance(self.view, Tiles | Backbone):
            raise InputError(f"Regions: view={self.view!r} is neither Tiles(...) nor Backbone(...)")
        self.view.check()
        self.detector.check_settings()
        pooled(np.zeros(1), self.pool)
        if self.choose == "coreset" and isinstance(self.view, Tiles):
            raise InputError('Regions: choose="coreset" is for the vectors of a Backbone; use "random" with Tiles')
        for name, default in (("scaling", "auto"), ("image_size", None)):
            if getattr(self, name) != default:
                raise InputError(f"Regions: {name}={getattr(self, name)!r} is the inner detector's; set it there")

    # -- fitting ------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        checkpoint_every: float = 60.0,
        on_epoch: Callable[[Self], object] | None = None,
        hold_out: float | None = None,
        false_alarm_rate: float | None = None,
    ) -> Self:
        """Learn the regions of normal photos; the arguments are those of ``Detector.fit``.

        ``hold_out`` holds out photos. Photos are read twice: for their regions, and for the scores that set the
        threshold, of ``threshold_samples`` photos at most.
        """
        self.check_settings()
        photos, held_out = as_photos(X, least=2), None
        if hold_out is not None:
            rows, others = calibrate.hold_out(len(photos), hold_out, false_alarm_rate)
            photos, held_out = taken(photos, rows), taken(photos, others)
        elif false_alarm_rate is not None:
            raise InputError(
                f"false_alarm_rate={false_alarm_rate} needs photos to calibrate on; give hold_out=0.2 as well"
            )
        self._forget()
        seed = seed_for(self.random_state, "regions" if checkpoint else "")
        self.device_ = devices.choose_device(self.device)
        self._take_network()
        regions = self._training_regions(photos, seed)
        inner = self._inner(seed)
        options: dict[str, Any] = dict(checkpoint=checkpoint, resume=resume, checkpoint_every=checkpoint_every)
        self._fit_inner(inner, regions, on_epoch, options)
        del regions
        return self._decide(photos, held_out, false_alarm_rate, seed)

    def _take_network(self) -> None:
        network = self.view.network()
        self.backbone_sha256_ = None
        if isinstance(self.view, Backbone):
            self.backbone_sha256_ = sha256_of(self.view.file)
        self.place(network)

    def place(self, network: torch.nn.Module | None) -> None:
        """Put the view's network, if it has one, on the device."""
        self.nets_ = Players({} if network is None else {"backbone": network})
        self.nets_ = self.nets_.placed(self.device_, channels_last=True).eval()

    def _training_regions(self, photos: Sequence[np.ndarray], seed: int) -> np.ndarray:
        """The regions that the inner detector learns: of every photo the same number, at least one."""
        wanted = self.max_regions * (sampling.CANDIDATES if self.choose == "coreset" else 1)
        share = -(-wanted // len(photos))
        found: list[np.ndarray] = []
        with Bar("reading regions", enabled=self.verbose > 0) as bar:
            for i, photo in enumerate(photos):
                self.channels_ = check_photo(photo, i, self.channels_ if i else None)
                rows, columns = self.view.grid(photo.shape).shape
                found += sampling.drawn(self._blocks(photo), rows * columns, share, [seed, i])
                bar.update(i + 1, len(photos))
        regions = np.concatenate(found)
        if self.choose == "coreset":
            return sampling.core_set(sampling.trimmed(regions, wanted, seed), self.max_regions, seed)
        return sampling.trimmed(regions, self.max_regions, seed)

    def _inner(self, seed: int) -> Detector:
        inner: Detector = clone(self.detector)
        inner.set_params(threshold_samples=min(inner.threshold_samples, _INNER_THRESHOLD), verbose=self.verbose)
        if inner.random_state is None:
            inner.set_params(random_state=seed)
        return inner

    def _fit_inner(
        self, inner: Detector, regions: np.ndarray, on_epoch: Callable[[Self], object] | None, options: dict[str, Any]
    ) -> None:
        self.inner_ = inner

        def show(inner: Detector) -> None:
            self.history_ = inner.history_
            if on_epoch is not None:
                on_epoch(self)

        if not isinstance(inner, NetworkDetector):
            options = {}  # nothing in it could be resumed
        inner.fit(regions, on_epoch=show, **options)
        self.history_ = inner.history_

    def _decide(
        self, photos: Sequence[np.ndarray], held_out: Sequence[np.ndarray] | None, rate: float | None, seed: int
    ) -> Self:
        """Set the threshold: on held-out photos where there are some, else on those that were learnt."""
        if rate is None:
            rows = np.arange(len(photos))
            if len(rows) > self.threshold_samples:
                rows = np.sort(np.random.default_rng(seed).choice(len(rows), self.threshold_samples, replace=False))
            scores = self.anomaly_score(taken(photos, rows))
            self.offset_ = -float(np.quantile(scores, 1 - self.contamination))
        return self if held_out is None else self._calibrate(self.anomaly_score(held_out), rate)

    # -- scoring ------------------------------------------------------------------------------------------

    def region_scores(self, X: Any) -> Iterator[tuple[Grid, np.ndarray]]:
        """Of each photo, in order: where its regions lie, and their scores ``(rows, columns)``, float64.

        They stream: memory holds the regions of one photo at most. Raises InputError for unusable photos.
        """
        check_is_fitted(self, "inner_")
        done: list[tuple[Grid, np.ndarray]] = []
        waiting = _Waiting(self.inner_)
        for i, photo in enumerate(as_photos(X)):
            check_photo(photo, i, self.channels_)
            grid = self.view.grid(photo.shape)
            scores = np.empty(grid.shape)
            for numbers, regions in self._blocks(photo):
                waiting.add(regions, scores.reshape(-1), numbers)
            done.append((grid, scores))
            if waiting.count == 0 or waiting.count >= _AT_ONCE:
                waiting.score()
                yield from done
                done = []
        waiting.score()
        yield from done

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Scores of photos ``(n,)``, higher is more anomalous: the pooled scores of their regions.

        A photo's score depends on no other photo.
        """
        return np.array([pooled(scores, self.pool) for _, scores in self.region_scores(X)])

    def explain(self, X: Any) -> Any:
        """Maps of the region scores, float32: ``(n, H, W)`` for photos of one size, else a list of ``(H, W)``."""
        photos = as_photos(X)
        maps = list(self.maps(photos))
        return np.stack(maps) if len({m.shape for m in maps}) == 1 else maps

    def maps(self, X: Any) -> Iterator[np.ndarray]:
        """The map ``(H, W)`` of each photo's region scores, float32, one at a time."""
        photos = as_photos(X)
        for photo, (grid, scores) in zip(photos, self.region_scores(photos)):
            yield grid.upsampled(scores, photo.shape)

    def map_samples(self, fn: Callable[[Tensor], Tensor], X: Any) -> np.ndarray:
        """Not for photos: they are no batch of tensors. Raises NotSupported."""
        raise NotSupported("Regions scores photos by their regions; use anomaly_score, explain or inner_")

    def _blocks(self, photo: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        network = self.nets_["backbone"] if len(self.nets_) else None
        blocks, threads = self.view.blocks(photo, network, self.device_), self.threads
        while True:
            # left again before each part is handed out, for what is done with it may never come back
            with devices.use_threads(devices.choose_threads(threads, is_image=True)), devices.deterministic_kernels():
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def save(self, path: str | Path) -> None:
        """Write the fitted model, inner detector included, to one file; ``ganad.load`` reads it back."""
        check_is_fitted(self, "inner_")
        regions_file.save(self, path)


class _Waiting:
    """Regions that wait until there are enough of them; small parts would each fill up a chunk of the detector's."""

    def __init__(self, detector: Detector):
        self.detector, self.count = detector, 0
        self.regions: list[np.ndarray] = []
        self.places: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, regions: np.ndarray, scores: np.ndarray, numbers: np.ndarray) -> None:
        """Regions whose scores go to ``scores[numbers]``."""
        self.regions.append(regions)
        self.places.append((scores, numbers))
        self.count += len(regions)
        if self.count >= _AT_ONCE:
            self.score()

    def score(self) -> None:
        """Score all that wait."""
        if not self.regions:
            return
        found = self.detector.anomaly_score(np.concatenate(self.regions))
        for scores, numbers in self.places:
            scores[numbers], found = found[: len(numbers)], found[len(numbers) :]
        self.regions, self.places, self.count = [], [], 0


def pooled(scores: np.ndarray, rule: str) -> float:
    """One score of a photo's region scores: "max", "mean", or "topK", the mean of the K highest.

    Raises InputError for another rule.
    """
    if rule == "mean":
        return float(np.mean(scores))
    found = re.fullmatch(r"max|top([1-9]\d{0,5})", rule)
    if not found:
        raise InputError(f'pool={rule!r} is not one of "max", "mean", or "top" with a number, such as "top5"')
    k = min(int(found[1] or 1), scores.size)
    return float(np.mean(np.sort(scores, axis=None)[-k:]))
