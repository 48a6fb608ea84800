"""The user's own data as a suite, measured by the same trials, grid and tables as the papers' data."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import data, registry
from ..data import Samples
from ..data.layouts import NORMAL, TRAINING, layout_of, read_layout
from ..data.photos import Photos, check_masks, find_masks, load_photos, usual_side, without_mask
from ..errors import InputError
from ..photos.choice import LARGE, choice_here, weights_installed
from .baselines import plain
from .recipes import Recipe, Suite
from .suites import photos

if TYPE_CHECKING:
    from ..testing import Kind

_LOG = logging.getLogger("ganad")
_FEWEST = 10  #: normal samples, of which eight train
_MOST_TRAIN, _MOST_TEST = 20_000, 10_000  #: at ``quick``; the time of nearest neighbours is quadratic
_SMOKE_PHOTOS = (20, 30)
_LARGEST = 32  #: side of the images that networks see at ``quick``


@dataclass(frozen=True)
class OwnData:
    """The place of the data and the normal classes: everything that a worker needs to read them."""

    path: str  #: a folder with a subfolder a class, or a CSV or Parquet file
    label: str | None = None  #: column with the classes (tables)
    normal: tuple[str, ...] = ()  #: normal classes; empty means all that ``anomaly`` does not name
    anomaly: tuple[str, ...] = ()  #: anomalous classes; empty means all that ``normal`` does not name
    drop: tuple[str, ...] = ()  #: columns to leave out (tables)
    impute: bool = False  #: fill missing cells, from the rows that train
    masks: str | None = None  #: folder with masks of the defects (photos)
    hash: str = ""  #: of the samples; rows made from other samples do not count

    @property
    def name(self) -> str:
        """The name of the folder, or of the file without its suffix."""
        path = Path(self.path).resolve()
        return path.name if path.is_dir() else path.stem

    def read(self, progress: Any = None) -> Samples:
        """The samples with the classes "normal" and "anomaly". Classes that are named as neither are left out.

        Photos keep their size, and anomalous ones the names of their classes. Where their folders say what trains and
        what tests, the former have the class "train". Raises InputError for data without classes, for too few samples,
        or if nothing says which classes are normal.
        """
        large = usual_side(self.path) > LARGE if Path(self.path).is_dir() else False
        if self.masks is not None and not large:
            raise InputError(f"{self.path}: masks are for photos of more than {LARGE} pixels; leave --masks out")
        if large and (self.label or self.drop or self.impute):
            raise InputError(f"{self.path}: photos have no columns; leave --label, --drop and --impute out")
        layout = layout_of(self.path) if large else None
        if layout is not None and layout.says(self.normal, self.anomaly):
            masks = Path(self.masks) if self.masks else layout.masks
            return read_layout(replace(layout, masks=masks), progress=progress)
        samples = self._photos(progress) if large else self._others(progress)
        if samples.y is None:
            raise InputError(
                f"{self.path}: nothing says what is normal; sort images into subfolders such as normal and anomalous, "
                f"and give a table --label COLUMN"
            )
        y = samples.y.astype(str)
        beside = int((y == "").sum()) if samples.columns is None else 0
        if beside:
            raise InputError(f"{self.path}: {beside:,} images are not in a class folder; move them into one")
        normal = self.normal
        if not normal and not self.anomaly:
            if "normal" not in y:
                some = ", ".join(np.unique(y)[:20])
                raise InputError(f"{self.path}: name the normal classes with --normal or --anomaly; it has {some}")
            normal = ("normal",)
        is_normal = data.choose_normal(samples, normal=normal, anomaly=self.anomaly)
        known = is_normal | np.isin(y, self.anomaly) if self.anomaly else np.ones(len(y), bool)
        if is_normal.sum() < _FEWEST or is_normal.sum() == known.sum():
            raise InputError(
                f"{self.path}: {is_normal.sum():,} normal and {(known & ~is_normal).sum():,} anomalous samples; "
                f"at least {_FEWEST} and 1 are needed"
            )
        return replace(samples, y=np.where(is_normal, "normal", y if large else "anomaly")).subset(known)

    def _others(self, progress: Any) -> Samples:
        return data.load(self.path, label=self.label, drop=self.drop, impute=self.impute, progress=progress)

    def _photos(self, progress: Any) -> Samples:
        samples = load_photos(self.path, progress=progress)
        if self.masks is None:
            return samples
        return replace(samples, masks=find_masks(self.masks, samples.names or []))


def suite(own: OwnData, samples: Samples) -> Suite:
    """The suite of ``own``, whose samples were read before, with training lengths that suit their number.

    At ``quick`` every network sees about the same number of samples in all, so a trial takes as long with few samples
    as with many. At ``paper`` every method has its default length and all samples, because nothing is published.
    Baselines come first, then ``auto``, then the networks by the time they take, so that the first rows already rank
    something. Raises InputError for masks that cannot be used.
    """
    assert samples.y is not None
    own = replace(own, hash=samples.hash())
    if isinstance(samples.x, Photos):
        check_masks(samples.masks or (), samples.x)
        laid_out = TRAINING in samples.y
        return Suite(own.name, "user-folders" if laid_out else "user-holdout", _photos(), smoke=_SMOKE_PHOTOS, own=own)
    n = max(1, int((samples.y == "normal").sum()) * 8 // 10)
    is_image = samples.x.ndim > 2
    width = int(np.prod(samples.x.shape[1:]))
    components = max(1, min(40, n - 1) if is_image else min(10, n - 1, width // 2))
    recipes = _images(n, max(samples.x.shape[1:3])) if is_image else _table(n)
    recipes += _outside("images" if is_image else "table", _epochs(20_000 if is_image else 50_000, n))
    baselines = (recipe for recipe in plain(components) if is_image or recipe.settings.get("variant") != "brightness")
    return Suite(
        own.name,
        "user-holdout",
        (*baselines, Recipe("auto", "Auto"), *recipes),
        quick_train=_MOST_TRAIN,
        quick_test=_MOST_TEST,
        own=own,
    )


def without_masks(samples: Samples) -> list[str]:
    """Which photos with a defect have no mask, in sentences; samples: as ``OwnData.read`` gives them."""
    if samples.masks is None or samples.y is None:
        return []
    return list(without_mask(samples.y, samples.masks, ~np.isin(samples.y, (TRAINING, *NORMAL))))


def _epochs(seen: int, n: int) -> int:
    """The epochs in which a network sees about ``seen`` of ``n`` samples in all."""
    return max(1, min(300, round(seen / min(n, _MOST_TRAIN))))


def _outside(kind: Kind, epochs: int) -> tuple[Recipe, ...]:
    """The methods of other packages for this kind of data, but broken ones; those with networks train as most here."""
    from ..testing import kinds  # imports torch

    classes = {}
    for name in sorted(registry.targets().keys() - registry.BUILT_IN):
        try:
            found = registry.get(name)
        except InputError as error:
            _LOG.warning("%s is left out: %s", name, error)
            continue
        if kind in kinds(found):
            classes[name] = found
    lengths = {name: dict(epochs=epochs) if hasattr(cls, "epochs") else {} for name, cls in classes.items()}
    return tuple(Recipe(cls.__name__, name, quick=lengths[name]) for name, cls in classes.items())


def _photos() -> tuple[Recipe, ...]:
    """Detectors of regions; those of vectors where the backbone's weights are installed."""
    auto = choice_here()
    return photos.with_backbone(auto) if weights_installed("efficientnet-lite0") else photos.without_backbone(auto)


def _images(n: int, side: int) -> tuple[Recipe, ...]:
    """The networks for images, ordered by the time of a fit at ``quick``, shortest first."""
    some, more = _epochs(20_000, n), _epochs(40_000, n)
    recipes = (
        Recipe("DeepSVDD", "DeepSVDD", quick=dict(epochs=more, pretrain_epochs=more)),
        Recipe("SkipGANomaly", "SkipGANomaly", quick=dict(epochs=some, width=32)),
        Recipe("FenceGAN", "FenceGAN", quick=dict(epochs=some, pretrain_epochs=max(1, some // 5))),
        Recipe("OCGAN", "OCGAN", quick=dict(epochs=some, width=32)),
        Recipe("DCAE", "AutoEncoder", quick=dict(epochs=more)),
        Recipe("VAE", "VAE", quick=dict(epochs=more)),
        Recipe("IGMMGAN", "IGMMGAN", quick=dict(epochs=some, sweeps=100)),
        Recipe("GANomaly", "GANomaly", quick=dict(epochs=more)),
        Recipe("ALAD", "ALAD", quick=dict(epochs=some, width=32)),
        Recipe("FAnoGAN", "FAnoGAN", quick=dict(epochs=some, encoder_epochs=some, width=16, n_critic=2)),
    )
    if side <= _LARGEST:
        return recipes
    return tuple(replace(r, quick=dict(r.quick) | dict(image_size=_LARGEST)) for r in recipes)


def _table(n: int) -> tuple[Recipe, ...]:
    """The networks for tables, ordered by the time of a fit at ``quick``, shortest first."""
    some, more = _epochs(50_000, n), _epochs(100_000, n)
    return (
        Recipe("DCAE", "AutoEncoder", quick=dict(epochs=more)),
        Recipe("VAE", "VAE", quick=dict(epochs=more)),
        Recipe("DSEBM-r", "DSEBM", settings=dict(variant="recon"), quick=dict(epochs=some)),
        Recipe("OCNN", "OCNN", quick=dict(epochs=more, pretrain_epochs=more)),
        Recipe("DAGMM", "DAGMM", quick=dict(epochs=more)),
        Recipe("EGBAD-sigma", "EGBAD", settings=dict(variant="sigma"), quick=dict(epochs=some)),
        Recipe("FenceGAN", "FenceGAN", quick=dict(epochs=more, pretrain_epochs=max(1, more // 5))),
        Recipe("GANomaly", "GANomaly", quick=dict(epochs=more)),
        Recipe("OCAN", "OCAN", quick=dict(epochs=more)),
        Recipe("ALAD", "ALAD", quick=dict(epochs=some)),
        Recipe("IGMMGAN", "IGMMGAN", quick=dict(epochs=some, sweeps=100)),
    )
