"""Regions: any detector on the regions of photos, to find and locate small defects in large photos.

A view turns a photo into regions. The inner detector learns the regions of normal photos and scores those of new
photos, and a pooling rule makes one score of them. The inner detector does not know about photos.
"""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .. import calibrate, devices, memory
from ..detector import Detector
from ..detector.fitting import seed_for
from ..detector.network import NetworkDetector
from ..errors import InputError, NotSupported, UntrustedFit
from ..files import sha256_of
from ..migrations import Change
from ..nets.backbones import Maps
from ..nets.players import Players
from ..progress import Bar
from ..settings import Count
from . import augment, regions_file, sampling
from .backbone import Backbone
from .cells import Cells, centres, numbered
from .found import Finding, Region, regions_above
from .looks import AT_ONCE, Look, Waiting
from .part import Part, crop_of, part_of, read_shape
from .pool import pooled
from .sequence import as_photos, check_photo, taken
from .tiles import Tiles
from .view import Grid
from .whitening import Whitening

_INNER_THRESHOLD = 1000  # regions that set the inner detector's threshold, which is not used


class _Fitted:
    """Attributes that ``fit`` sets in addition to those of every detector."""

    inner_: Detector  #: the inner detector, fitted
    channels_: int  #: of the photos, 1 or 3
    backbone_sha256_: str | None  #: of the backbone's file of weights
    part_: np.ndarray  #: ``(H, W)``, True in the part that is looked at, where there is an image of it
    map_threshold_: float  #: what lies above it in a map is a region that stands out
    whitening_: Whitening | None  #: of the vectors that the inner detector sees
    looked_at_: Part | None  #: what is looked at of every photo; None: all


class Regions(_Fitted, Detector):
    """A detector of photos of any size: ``Regions(NearestNeighbor(), Backbone())``.

    Photos are uint8 ``(H, W)`` or ``(H, W, 3)``: a list of arrays, one array ``(n, H, W[, C])``, or ``data.Photos``,
    which decodes one photo at a time. Scores, thresholds and calibration are for photos.
    """

    detector: Detector | None = dataclasses.field(default=None, kw_only=False)  #: learns and scores the regions
    view: Tiles | Backbone = dataclasses.field(default=Tiles(), kw_only=False)  #: how a photo becomes regions
    pool: str = "ranked"  #: a photo's score from its regions': "max", "mean", "top5", or "ranked"; see ``photos.pool``
    max_regions: Count = 10_000  #: regions of normal photos to learn; every photo gives the same number
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
        SmallCalibrationSet of fewer than 20 held-out photos.
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
        self._forget()
        seed = seed_for(self.random_state, "regions" if checkpoint else "")
        self.device_ = devices.choose_device(self.device)
        self.take_part(None if self.part is None else read_shape(self.part))
        self._take_network()
        options: dict[str, Any] = dict(checkpoint=checkpoint, resume=resume, checkpoint_every=checkpoint_every)
        self._learn_photos(photos, seed, on_epoch, options)
        if false_alarm_rate is None:
            self._set_thresholds(photos, seed)
        return self if held_out is None else self.calibrate(held_out, false_alarm_rate=false_alarm_rate)

    def _learn_photos(
        self,
        photos: Sequence[np.ndarray],
        seed: int,
        on_epoch: Callable[[Self], object] | None,
        options: dict[str, Any],
    ) -> None:
        regions = self._to_learn(self._training_regions(photos, seed))
        self._fit_inner(self._inner(seed), regions, on_epoch, options)

    def _take_network(self) -> None:
        network = self.view.network()
        self.backbone_sha256_ = None
        if isinstance(self.view, Backbone):
            self.backbone_sha256_ = sha256_of(self.view.file)
        self.place(network)

    def take_part(self, shape: np.ndarray | None) -> None:
        """Look at the part ``(H, W)`` of every photo, and at the crop's; None is all."""
        if shape is not None:
            self.part_ = shape
        self.looked_at_ = part_of(self.crop, shape)

    def place(self, network: torch.nn.Module | None) -> None:
        """Put the view's network, if it has one, on the device."""
        self.nets_ = Players({} if network is None else {"backbone": network})
        self.nets_ = self.nets_.placed(self.device_, channels_last=True).eval()

    def _training_regions(self, photos: Sequence[np.ndarray], seed: int) -> np.ndarray:
        """The regions that the inner detector learns, the same number from every photo, at least one."""
        wanted = self.max_regions * (sampling.CANDIDATES if self.choose == "coreset" else 1)
        share = -(-wanted // (len(photos) * augment.count(self.augment)))
        found: list[np.ndarray] = []
        with Bar("reading regions", enabled=self.verbose > 0) as bar:
            for i, photo in enumerate(photos):
                self.channels_ = check_photo(photo, i, self.channels_ if i else None)
                variants = augment.variants(*self._seen(photo, i), self.augment, [seed, i])
                for k, (seen, inside) in enumerate(variants):
                    there = self._there(seen, inside)
                    blocks = self._blocks(seen, inside)
                    if self._numbered:
                        blocks = ((numbers, numbered(numbers, vectors)) for numbers, vectors in blocks)
                    found += sampling.drawn(blocks, there, share, [seed, i, k][: 2 + (k > 0)])
                if i == 0:
                    self._refuse_large(found, len(photos))
                bar.update(i + 1, len(photos))
        regions = np.concatenate(found)
        if self.choose == "coreset":
            return sampling.core_set(sampling.trimmed(regions, wanted, seed), self.max_regions, seed)
        return sampling.trimmed(regions, self.max_regions, seed)

    @property
    def _numbered(self) -> bool:
        """Whether it matters which cell a vector is of."""
        assert self.detector is not None
        return self.whiten == "place" or self.detector.takes_places

    def _to_learn(self, regions: np.ndarray) -> np.ndarray:
        """Training regions as the inner detector learns them; sets ``whitening_``."""
        numbers, regions = (regions[:, 0], regions[:, 1:]) if self._numbered else (np.zeros(len(regions)), regions)
        kept_apart = numbers if self.whiten == "place" else None
        self.whitening_ = None if self.whiten == "none" else Whitening.of(regions, kept_apart)
        return self._to_inner(numbers, regions)

    def _to_inner(self, numbers: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """Regions of these numbers as the inner detector takes them."""
        assert self.detector is not None
        if self.whitening_ is not None:
            regions = self.whitening_.apply(regions, numbers)
        return numbered(numbers, regions) if self.detector.takes_places else regions

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

    def _set_thresholds(self, photos: Sequence[np.ndarray], seed: int) -> None:
        """Set the thresholds of scores and maps on photos that were not learnt, or, without such, on learnt ones."""
        fits = self.fits_for_threshold(len(photos))
        found = self._unlearnt(photos, seed, fits) if fits else self._measured(self._some(photos, seed))
        threshold, self.map_threshold_ = (float(np.quantile(each, 1 - self.contamination)) for each in found)
        self.offset_ = -threshold

    def _some(self, photos: Sequence[np.ndarray], seed: int) -> Sequence[np.ndarray]:
        """``threshold_samples`` of the photos at most."""
        if len(photos) <= self.threshold_samples:
            return photos
        return taken(photos, np.sort(np.random.default_rng(seed).choice(len(photos), self.threshold_samples, False)))

    def _unlearnt(self, photos: Sequence[np.ndarray], seed: int, fits: int) -> tuple[np.ndarray, np.ndarray]:
        """``_measured`` of photos, each by a fit that did not learn it."""
        found = []
        for aside in self.parts(len(photos), seed, fits):
            twin = copy.copy(self)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UntrustedFit)  # the fit to all photos was doubted already
                twin._learn_photos(taken(photos, np.flatnonzero(~aside)), seed, None, {})
            found.append(twin._measured(taken(photos, np.flatnonzero(aside))))
        scores, peaks = (np.concatenate(each) for each in zip(*found))
        return scores, peaks

    def calibrate(self, X: Any, *, false_alarm_rate: float | None = None) -> Self:
        """Remember the scores of held-out normal photos; with ``false_alarm_rate``, set both thresholds to keep it."""
        scores, peaks = self._measured(X)
        if false_alarm_rate is not None:
            self.map_threshold_ = calibrate.threshold(peaks, false_alarm_rate)
        return self._calibrate(scores, false_alarm_rate)

    def _measured(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """The score and the highest region score of each photo, ``(n,)`` each."""
        found = [(pooled(look.scores, self.pool), np.nanmax(look.values)) for look in self._looks(X, detail=True)]
        scores, peaks = np.array(found).T
        return scores, peaks

    # -- scoring ------------------------------------------------------------------------------------------

    def region_scores(self, X: Any) -> Iterator[tuple[Grid, np.ndarray]]:
        """For each photo, in order, the grid of its regions and their scores ``(rows, columns)``, float64.

        NaN is the score of regions whose centres lie outside the part that is looked at.
        They stream: memory holds the regions of one photo at most. Raises InputError for unusable photos.
        """
        return ((look.grid, look.scores) for look in self._looks(X, detail=False))

    def _looks(self, X: Any, *, detail: bool) -> Iterator[Look]:
        """A look at each photo, in order; ``detail``: with the scores of the positions in its cells."""
        check_is_fitted(self, "inner_")
        detail = detail and self.view.in_detail and not self.inner_.NO_FORWARD_PASS
        done: list[Look] = []
        waiting = Waiting(self.inner_)
        for i, photo in enumerate(as_photos(X)):
            check_photo(photo, i, self.channels_)
            seen, inside = self._seen(photo, i)
            if detail:
                yield self._in_detail(seen, inside)
                continue
            grid = self._grid(seen.shape)
            scores = np.full(grid.shape, np.nan)
            for numbers, regions in self._blocks(seen, inside):
                waiting.add(self._to_inner(numbers, regions), scores.reshape(-1), numbers)
            done.append(Look(self._moved(grid), scores, scores))
            if waiting.count == 0 or waiting.count >= AT_ONCE:
                waiting.score()
                yield from done
                done = []
        waiting.score()
        yield from done

    def _in_detail(self, seen: np.ndarray, inside: np.ndarray | None) -> Look:
        cells, vectors = self._cells(seen, inside), self._vectors(seen)
        found, values = cells.scores(self.inner_, vectors, self.whitening_)
        scores = np.full((cells.side, cells.side), np.nan)
        scores.reshape(-1)[cells.there] = found
        return Look(self._moved(self.view.grid(seen.shape, self._maps)), scores, values)

    def _moved(self, grid: Grid) -> Grid:
        """The grid of what is looked at, in the photo."""
        return grid if self.looked_at_ is None else self.looked_at_.moved(grid)

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Scores of photos ``(n,)``, higher is more anomalous: the pooled scores of their regions.

        A photo's score does not depend on other photos.
        """
        return np.array([pooled(scores, self.pool) for _, scores in self.region_scores(X)])

    def explain(self, X: Any) -> Any:
        """Maps of the region scores, float32: ``(n, H, W)`` for photos of one size, else a list of ``(H, W)``."""
        photos = as_photos(X)
        maps = list(self.maps(photos))
        return np.stack(maps) if len({m.shape for m in maps}) == 1 else maps

    def maps(self, X: Any) -> Iterator[np.ndarray]:
        """The map ``(H, W)`` of each photo's region scores, float32, one at a time."""
        return (finding.heat for finding in self.inspect(X))

    def inspect(self, X: Any) -> Iterator[Finding]:
        """Score, map and standing-out regions of each photo, one at a time; the photos are looked at once."""
        photos = as_photos(X)
        threshold = getattr(self, "map_threshold_", float("inf"))
        for photo, look in zip(photos, self._looks(photos, detail=True)):
            values = np.where(np.isnan(look.values), np.nanmin(look.values), look.values)
            heat = look.grid.upsampled(values, photo.shape)
            heat = heat if self.looked_at_ is None else self.looked_at_.whole(heat)
            yield Finding(pooled(look.scores, self.pool), look.scores, heat, regions_above(heat, threshold))

    def regions(self, photo: np.ndarray) -> list[Region]:
        """The regions of one photo that stand out: boxes, areas and highest scores, the highest first.

        A region is a connected part of the photo's map above ``map_threshold_``. Raises NotSupported for a model file
        of before 0.3, which has no such threshold; ``calibrate`` sets it.
        """
        check_is_fitted(self, "inner_")
        if not hasattr(self, "map_threshold_"):
            raise NotSupported("this model has no threshold for maps; fit it again, or calibrate it at a rate")
        return next(self.inspect([photo])).regions

    def map_samples(self, fn: Callable[[Tensor], Tensor], X: Any) -> np.ndarray:
        """Raises NotSupported, because photos do not form a batch of tensors."""
        raise NotSupported("Regions scores photos by their regions; use anomaly_score, explain or inner_")

    def _seen(self, photo: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """What is looked at of a photo, and which pixels of it are in the part; None: all."""
        part = self.looked_at_
        return (photo, None) if part is None else (part.cut(photo, number), part.inside)

    def _grid(self, shape: tuple[int, ...]) -> Grid:
        """Where the regions of a photo are."""
        if self.view.cells is None:
            return self.view.grid(shape, self._maps)
        return centres(self.view.cells, shape)

    def _cells(self, seen: np.ndarray, inside: np.ndarray | None) -> Cells:
        """The cells of what is looked at of a photo, if the view has cells."""
        grid = self.view.grid(seen.shape, self._maps)
        return Cells(self.view.cells or 1, grid.shape, self.counted(grid, inside))

    def _there(self, seen: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
        """Numbers of the regions of a photo that count."""
        if self.view.cells is not None:
            return self._cells(seen, inside).there
        return np.flatnonzero(self.counted(self.view.grid(seen.shape, self._maps), inside))

    def counted(self, grid: Grid, inside: np.ndarray | None) -> np.ndarray:
        """Which places of a grid count, by number: those with their centres in the part.

        If there are none, InputError; in cells all, because what lies outside is black.
        """
        found = np.ones(grid.shape[0] * grid.shape[1], bool) if inside is None else grid.within(inside)
        if found.any():
            return found
        if self.view.cells is None:
            raise InputError(
                f"no region of {self.view} has its centre in the part that is looked at; take smaller ones"
            )
        return ~found

    def _blocks(self, seen: np.ndarray, inside: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Numbers and regions of what is looked at of a photo, a part at a time."""
        if self.view.cells is not None:
            cells = self._cells(seen, inside)
            yield cells.there, cells.means(self._vectors(seen))
            return
        kept = self.counted(self.view.grid(seen.shape, self._maps), inside)
        yield from ((numbers[kept[numbers]], regions[kept[numbers]]) for numbers, regions in self._all_blocks(seen))

    def _vectors(self, seen: np.ndarray) -> np.ndarray:
        """The vectors ``(n, d)`` of all positions of a photo."""
        numbers, vectors = zip(*self._all_blocks(seen))
        found: np.ndarray = np.concatenate(vectors)[np.argsort(np.concatenate(numbers))]
        return found

    @property
    def _maps(self) -> Maps | None:
        """The view's network, if it has one."""
        return cast(Maps, self.nets_["backbone"]) if isinstance(self.view, Backbone) else None

    def _all_blocks(self, photo: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        blocks, threads = self.view.blocks(photo, self._maps, self.device_), self.threads
        while True:
            # left before each yield, because the caller may never continue
            with devices.use_threads(devices.choose_threads(threads, is_image=True)), devices.deterministic_kernels():
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def save(self, path: str | Path) -> None:
        """Write the fitted model, inner detector included, to one file; ``ganad.load`` reads it back."""
        check_is_fitted(self, "inner_")
        regions_file.save(self, path)
