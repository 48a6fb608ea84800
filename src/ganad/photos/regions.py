"""Regions: any detector on the regions of photos, to find and locate small defects in large photos.

A view turns a photo into regions. The inner detector learns the regions of normal photos and scores those of new
photos, and a pooling rule makes one score of them. The inner detector does not know about photos.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .. import calibrate, devices, memory
from ..detector import Detector
from ..detector.fitting import seed_for
from ..detector.network import NetworkDetector
from ..errors import InputError, UntrustedFit
from ..files import sha256_of
from ..migrations import Change
from ..nets.players import Players
from ..progress import Bar, one_clock
from ..selftest import SelfTest
from ..settings import Count
from . import augment, regions_file, sampling
from .backbone import Backbone
from .cells import numbered
from .looking import Looking
from .part import Part, crop_of, part_of, read_shape
from .pool import pooled
from .self_testing import Judged, tested
from .sequence import as_photos, check_photo, naming, taken
from .tiles import Tiles
from .whitening import Whitening

_LOG = logging.getLogger("ganad")
_INNER_THRESHOLD = 1000  # regions that set the inner detector's threshold, which is not used


class Regions(Looking, Detector):
    """A detector of photos of any size: ``Regions(NearestNeighbor(), Backbone())``.

    Photos are uint8 ``(H, W)`` or ``(H, W, 3)``: a list of arrays, one array ``(n, H, W[, C])``, or ``data.Photos``,
    which decodes one photo at a time. Scores, thresholds and calibration are for photos.
    """

    detector: Detector | None = dataclasses.field(default=None, kw_only=False)  #: learns and scores the regions
    view: Tiles | Backbone = dataclasses.field(default=Tiles(), kw_only=False)  #: how a photo becomes regions
    pool: str = "ranked"  #: a photo's score from its regions': "max", "mean", "top5", or "ranked"; see ``photos.pool``
    max_regions: Count = 10_000  #: regions of normal photos to learn: some of each, or, by place, all of some
    choose: Literal["random", "coreset"] = "random"  #: how they are chosen; "coreset": far apart, for vectors only
    whiten: Literal["none", "all", "place"] = "none"  #: equal spread of vectors in all directions; "place": per cell
    augment: str = ""  #: variants of normal photos to learn as well: some of "flip,rotate90,shift,brightness"
    crop: str | None = None  #: look at this rectangle alone: left, top, width and height in pixels, "100,50,800,600"
    part: str | None = None  #: file of an image as large as the photos, bright where they are to be looked at
    embed: bool = False  #: put the backbone's weights into the model file, and not their SHA-256 alone

    NO_FORWARD_PASS: ClassVar[str] = "photos become regions before they are scored"
    CHANGES = (Change("0.3", added=dict(whiten="none", augment="", crop=None, part=None)),)

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
        augment.names(self.augment)
        if self.crop is not None:
            crop_of(self.crop)
        if self.choose == "coreset" and isinstance(self.view, Tiles):
            raise InputError('Regions: choose="coreset" is for the vectors of a Backbone; use "random" with Tiles')
        if self.whiten != "none" and isinstance(self.view, Tiles):
            raise InputError(f'Regions: whiten="{self.whiten}" is for vectors of a Backbone; leave it out with Tiles')
        if self._numbered and self.view.cells is None:
            what = "a detector that keeps" if self.detector.takes_places else 'whiten="place", which keeps'
            raise InputError(
                f"Regions: {what} places apart needs places that are the same in every photo; give Backbone(cells=8) "
                f"(--cells 8)"
            )
        for name, default in (("scaling", "auto"), ("image_size", None), ("trim", 0.0)):
            if getattr(self, name) != default:
                raise InputError(f"Regions: {name}={getattr(self, name)!r} is the inner detector's; set it there")

    # -- fitting ------------------------------------------------------------------------------------------

    @one_clock()
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

        There are two thresholds, that of the scores and that of the maps. ``hold_out`` holds out photos for them, and
        ``false_alarm_rate`` holds for both: so many normal photos score above the first, and so many have a region
        above the second. Without a rate, ``threshold_fits`` more fits score photos that they did not learn. Warns with
        SmallCalibrationSet of fewer than 20 held-out photos, and with UntrustedFit if ``self_test_`` finds a reason.

        Raises InputError for unusable settings, which leave an earlier fit as it was, and for an unusable photo, which
        is found when it is read and the earlier fit is gone.
        """
        self.check_settings()
        photos, held_out = as_photos(X, least=2), None
        if hold_out is not None:
            rows, others = calibrate.hold_out(len(photos), hold_out, false_alarm_rate)
            photos, held_out = taken(photos, rows), taken(photos, others)
            calibrate.warn_of_few(len(others), false_alarm_rate)
        elif false_alarm_rate is not None:
            raise InputError(
                f"false_alarm_rate={false_alarm_rate} needs photos to calibrate on; give hold_out=0.2 as well"
            )
        seed = seed_for(self.random_state, "regions" if checkpoint else "")
        device = devices.choose_device(self.device)
        shape = None if self.part is None else read_shape(self.part)
        looked_at = part_of(self.crop, shape)
        network, sha256 = self.view.network(), self._sha256_of_weights()
        self._forget()  # from here on an earlier fit is gone
        self.device_, self.backbone_sha256_ = device, sha256
        self.take_part(shape, looked_at)
        self.place(network)
        options: dict[str, Any] = dict(checkpoint=checkpoint, resume=resume, checkpoint_every=checkpoint_every)
        self._learn_photos(photos, seed, on_epoch, options)
        if false_alarm_rate is None:
            judged = self._set_thresholds(photos, seed)
        if held_out is not None:
            self.calibrate(held_out, false_alarm_rate=false_alarm_rate)
            judged = Judged(self, held_out, self.calibration_, held_out=True)
        self._conclude(self._tested(judged), frames=4)  # of them one is that of the clock
        return self

    def _learn_photos(
        self,
        photos: Sequence[np.ndarray],
        seed: int,
        on_epoch: Callable[[Self], object] | None,
        options: dict[str, Any],
        stage: str = "",
    ) -> None:
        regions = self._to_learn(self._training_regions(photos, seed, stage))
        memory.give_back()  # what reading took, before the inner detector takes as much
        self._learnt = len(regions)
        self._fit_inner(self._inner(seed), regions, on_epoch, options)
        del regions
        memory.give_back()  # and what that took, before photos are looked at again

    def _sha256_of_weights(self) -> str | None:
        file = self.view.file if isinstance(self.view, Backbone) else None
        return None if file is None else sha256_of(file)

    def take_part(self, shape: np.ndarray | None, looked_at: Part | None) -> None:
        """Look at this part of every photo, which the image ``(H, W)`` of the part and the crop leave; None is all."""
        if shape is not None:
            self.part_ = shape
        self.looked_at_ = looked_at

    def place(self, network: torch.nn.Module | None) -> None:
        """Put the view's network, if it has one, on the device."""
        self.nets_ = Players({} if network is None else {"backbone": network})
        self.nets_ = self.nets_.placed(self.device_, channels_last=True).eval()

    def _training_regions(self, photos: Sequence[np.ndarray], seed: int, stage: str = "") -> np.ndarray:
        """The regions that the inner detector learns, the same number from every photo that is learnt, at least one.

        stage: which of several fits this is, for the bar.
        """
        wanted = self.max_regions * (sampling.CANDIDATES if self.choose == "coreset" else 1)
        chosen, share = self._shares(len(photos), wanted, seed)
        if len(chosen) < len(photos) and not stage:
            _LOG.info("Regions: %d of %d photos are learnt (max_regions)", len(chosen), len(photos))
        found: list[np.ndarray] = []
        with Bar(f"reading regions{stage}", enabled=self.verbose > 0) as bar:
            for done, i in enumerate(chosen):
                photo = photos[i]
                with naming(photos, i):
                    self.channels_ = check_photo(photo, i, self.channels_ if done else None)
                    looked_at = self._seen(photo, i)
                variants = augment.variants(*looked_at, self.augment, [seed, i])
                for k, (seen, inside) in enumerate(variants):
                    there = self._there(seen, inside)
                    blocks = self._blocks(seen, inside)
                    if self._numbered:
                        blocks = ((numbers, numbered(numbers, vectors)) for numbers, vectors in blocks)
                    found += sampling.drawn(blocks, there, share, [seed, i, k][: 2 + (k > 0)])
                if not done:
                    self._refuse_large(found, len(chosen))
                bar.update(done + 1, len(chosen))
        regions = np.concatenate(found)
        if self.choose == "coreset":
            return sampling.core_set(sampling.trimmed(regions, wanted, seed), self.max_regions, seed)
        return sampling.trimmed(regions, self.max_regions, seed)

    def _shares(self, n: int, wanted: int, seed: int) -> tuple[list[int], int]:
        """Which of ``n`` photos are learnt, and at most how many regions of each of their variants.

        Where places are kept apart these are whole photos. If each place learnt others, a photo like one that was
        learnt would be usual at some places and not at others, and its highest score that of a defect.
        """
        variants = augment.count(self.augment)
        if not self._numbered or self.view.cells is None:
            return list(range(n)), -(-wanted // (n * variants))
        places = self.view.cells**2
        return sampling.numbers(n, max(1, wanted // (places * variants)), seed), places

    def _to_learn(self, regions: np.ndarray) -> np.ndarray:
        """Training regions as the inner detector learns them; sets ``whitening_``."""
        if self.whiten == "none":
            self.whitening_ = None
            return regions  # numbered already, if the inner detector takes places
        numbers, regions = (regions[:, 0], regions[:, 1:]) if self._numbered else (np.zeros(len(regions)), regions)
        kept_apart = numbers if self.whiten == "place" else None
        self.whitening_ = Whitening.of(regions, kept_apart)
        return self._to_inner(numbers, regions)

    def _refuse_large(self, first: list[np.ndarray], photos: int) -> None:
        """Raise InputError where regions such as the first photo's do not fit into memory, all and once more."""
        size = 2 * photos * sum(part.nbytes for part in first)
        memory.require(size, f"Regions: those of {photos:,} photos", "give a smaller max_regions (--max-regions)")

    def _inner(self, seed: int) -> Detector:
        inner: Detector = clone(self.detector)
        inner.set_params(threshold_samples=min(inner.threshold_samples, _INNER_THRESHOLD), threshold_fits=0)
        inner.set_params(device=self.device, verbose=self.verbose)
        inner.set_params(threads=inner.threads if self.threads is None else self.threads)
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

        trains = isinstance(inner, NetworkDetector)
        with warnings.catch_warnings():
            if not trains:  # a neighbour has itself at distance 0, and the threshold that follows is not used
                warnings.simplefilter("ignore", UntrustedFit)
            inner.fit(regions, on_epoch=show, **(options if trains else {}))  # without training nothing is resumed
        self.history_ = inner.history_
        asked = self.detector  # a file, which has the fitted one's settings, must give back those that were asked for
        assert asked is not None
        inner.set_params(threshold_samples=asked.threshold_samples, threshold_fits=asked.threshold_fits)

    def _set_thresholds(self, photos: Sequence[np.ndarray], seed: int) -> Judged:
        """Set the thresholds of scores and maps on photos that were not learnt, or, without such, on learnt ones."""
        fits = self.fits_for_threshold(len(photos))
        if fits:
            judge, some, found = self._unlearnt(photos, seed, fits)
        else:
            judge, some = self, taken(photos, self.drawn_for_threshold(len(photos), seed))
            found = self._measured(some)
        threshold, self.map_threshold_ = (float(np.quantile(each, 1 - self.contamination)) for each in found)
        self.offset_ = -threshold
        return Judged(judge, some, found[0], held_out=fits > 0, known=not fits and len(some) == len(photos))

    def part_is_alike(self, n: int) -> bool:
        """As the inner detector says of its regions."""
        return "inner_" not in vars(self) or self.inner_.part_is_alike(getattr(self, "_learnt", n))

    def _unlearnt(
        self, photos: Sequence[np.ndarray], seed: int, fits: int
    ) -> tuple[Regions, Sequence[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """``_measured`` of photos, each by a fit that did not learn it; also the last fit and its photos."""
        found = []
        for number, aside in enumerate(self.left_out(len(photos), seed, fits), 2):
            twin, some = copy.copy(self), taken(photos, np.flatnonzero(aside))
            twin.detector = clone(self.detector).set_params(**self.inner_.chosen())  # what it chose is chosen once
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UntrustedFit)  # the fit to all photos was doubted already
                twin._learn_photos(
                    taken(photos, np.flatnonzero(~aside)), seed, None, {}, f", fit {number} of {1 + fits}"
                )
            found.append(twin._measured(some))
        scores, peaks = (np.concatenate(each) for each in zip(*found))
        return twin, some, (scores, peaks)

    def self_test(self, X: Any) -> SelfTest:
        """Figures that tell, without labels, whether to trust this model; see ``ganad.selftest``.

        X: normal photos that were not learnt, 50 or more for steady figures. Each kind of ``photos.planted`` is planted
        ten times, at most three times in a photo, or three times in all where scores are searches. The model stays as
        it is, and equal photos give equal figures. Raises InputError for unusable photos.
        """
        photos = as_photos(X)
        return self._tested(Judged(self, photos, self.anomaly_score(photos), held_out=True))

    def _tested(self, judged: Judged) -> SelfTest:
        return tested(self, judged, self.looked_at_, searches=bool(self.inner_.NO_FORWARD_PASS))

    def calibrate(self, X: Any, *, false_alarm_rate: float | None = None) -> Self:
        """Remember the scores of held-out normal photos; with ``false_alarm_rate``, set both thresholds to keep it."""
        scores, peaks = self._measured(X)
        if false_alarm_rate is not None:
            self.map_threshold_ = calibrate.threshold(peaks, false_alarm_rate)
        return self._calibrate(scores, false_alarm_rate)

    def save(self, path: str | Path) -> None:
        """Write the fitted model, inner detector included, to one file; ``ganad.load`` reads it back."""
        check_is_fitted(self, "inner_")
        regions_file.save(self, path)
