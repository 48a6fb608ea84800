"""What each table holds: a protocol, the methods with their settings, and the sizes of three budgets.

paper  the published settings at their published length
quick  the same protocol at a length that two CPU cores manage; set by the time it takes, never by a result
smoke  minutes for everything, to see that it runs

A recipe's label is what the papers call the method, so that a published figure is found by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Budget = Literal["paper", "quick", "smoke"]


@dataclass(frozen=True)
class Recipe:
    """One line of a table."""

    label: str
    detector: str  #: class in ``ganad``
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  #: of all budgets
    quick: Mapping[str, Any] = field(default_factory=dict)  #: changes that make it shorter
    is_baseline: bool = False

    def arguments(self, budget: Budget) -> tuple[str | None, dict[str, Any]]:
        """Preset and settings for a budget."""
        settings = dict(self.settings)
        if budget != "paper":
            settings |= self.quick
        if budget == "smoke":
            settings |= {k: 1 for k in self.quick if k.endswith("epochs")}
        return self.preset, settings


@dataclass(frozen=True)
class Suite:
    """One table."""

    name: str
    protocol: str
    recipes: tuple[Recipe, ...]
    quick_train: int | None = None  #: training samples kept at ``quick``; None: all
    quick_test: int | None = None
    classes: tuple[str, ...] | None = None  #: trials of a row; None: the protocol's

    def caps(self, budget: Budget) -> tuple[int | None, int | None]:
        """Most training and test samples for a budget."""
        if budget == "paper":
            return None, None
        if budget == "smoke":
            return 500, 300
        return self.quick_train, self.quick_test

    def recipe(self, label: str) -> Recipe:
        return next(r for r in self.recipes if r.label == label)


def _images(preset: str, epochs: int, stage: int) -> tuple[Recipe, ...]:
    """Every method at the published settings for ``preset``; ``epochs`` and ``stage`` are the quick lengths."""
    short = dict(epochs=epochs)
    first = dict(epochs=epochs, pretrain_epochs=stage)
    egbad = preset if preset == "mnist" else None  # nothing is published for CIFAR-10
    return (
        Recipe("ADGAN", "ADGAN", preset, quick=short | dict(n_seeds=8)),
        Recipe("ALAD", "ALAD", preset, quick=short | dict(lr=1e-4)),
        Recipe("AnoGAN", "AnoGAN", preset, quick=short | dict(search_steps=100)),
        Recipe("DAGMM", "DAGMM", None, quick=short),
        Recipe("DCAE", "AutoEncoder", preset, quick=short),
        Recipe("DSEBM-e", "DSEBM", None, dict(variant="energy"), short),
        Recipe("DSEBM-r", "DSEBM", None, dict(variant="recon"), short),
        Recipe("DeepSVDD", "DeepSVDD", preset, quick=first | dict(lr=1e-3)),
        Recipe("EGBAD-fm", "EGBAD", egbad, dict(variant="fm"), short | dict(lr=1e-4)),
        Recipe("EGBAD-sigma", "EGBAD", egbad, dict(variant="sigma"), short | dict(lr=1e-4)),
        Recipe("FAnoGAN", "FAnoGAN", None, quick=short | dict(encoder_epochs=stage)),
        Recipe("FenceGAN", "FenceGAN", preset, quick=first),
        Recipe("GANomaly", "GANomaly", preset, quick=short),
        Recipe("IGMMGAN", "IGMMGAN", None, quick=short | dict(sweeps=100)),
        Recipe("MMOCGAN", "MMOCGAN", None, quick=short),
        Recipe("OCAN", "OCAN", None, quick=short | dict(encoder_epochs=stage)),
        Recipe("OCGAN", "OCGAN", None, quick=short),
        Recipe("OCNN", "OCNN", preset, quick=first | dict(lr=1e-3)),
        Recipe("RDA", "RobustAutoEncoder", None, quick=dict(epochs=stage, n_turns=2)),
        Recipe("RGAN", "RGAN", None, quick=first),
        Recipe("SkipGANomaly", "SkipGANomaly", None, quick=short),
        Recipe("VAE", "VAE", preset, quick=short),
    )


def _plain(n_components: int) -> tuple[Recipe, ...]:
    """What needs no network, and what needs no training; in every table."""
    pca = dict(reducer="pca", n_components=n_components)
    return (
        Recipe("KDE", "KDE", None, pca, is_baseline=True),
        Recipe("OCSVM", "OneClassSVM", None, pca, is_baseline=True),
        Recipe("GMM", "GMM", None, pca | dict(components=(10,)), is_baseline=True),
        Recipe("IsolationForest", "IsolationForest", None, pca, is_baseline=True),
        Recipe("1-NN, PCA", "NearestNeighbor", None, pca | dict(k=1, variant="kth"), is_baseline=True),
        Recipe("1-NN", "NearestNeighbor", None, dict(k=1, variant="kth"), is_baseline=True),
        Recipe("LOF", "LOF", None, is_baseline=True),
        Recipe("PCA residual", "PCAResidual", None, pca, is_baseline=True),
        *_trivial(),
    )


def _trivial(**settings: Any) -> tuple[Recipe, ...]:
    return tuple(
        Recipe(name, "Trivial", None, dict(variant=variant, **settings), is_baseline=True)
        for name, variant in (
            ("distance to the mean", "distance"),
            ("brightness", "brightness"),
            ("untrained network", "untrained"),
            ("random", "random"),
        )
    )


_DIGIT_NETS = dict(latent_dim=32, batch_size=50)
_DIGITS = (
    Recipe("ADGAN", "ADGAN", None, _DIGIT_NETS, dict(epochs=30, n_seeds=8)),
    Recipe("ALAD", "ALAD", None, _DIGIT_NETS, dict(epochs=30)),
    Recipe("AnoGAN", "AnoGAN", None, _DIGIT_NETS, dict(epochs=30, search_steps=100)),
    Recipe("DAGMM", "DAGMM", None, dict(batch_size=128), dict(epochs=30)),
    Recipe("DCAE", "AutoEncoder", None, dict(latent_dim=32), dict(epochs=30)),
    Recipe("DSEBM-e", "DSEBM", None, dict(variant="energy"), dict(epochs=30)),
    Recipe("DSEBM-r", "DSEBM", None, dict(variant="recon"), dict(epochs=30)),
    Recipe("DeepSVDD", "DeepSVDD", None, {}, dict(epochs=30, pretrain_epochs=20)),
    Recipe("EGBAD-fm", "EGBAD", None, _DIGIT_NETS, dict(epochs=30)),
    Recipe("EGBAD-sigma", "EGBAD", None, _DIGIT_NETS | dict(variant="sigma"), dict(epochs=30)),
    Recipe("FAnoGAN", "FAnoGAN", None, _DIGIT_NETS, dict(epochs=30, encoder_epochs=15)),
    Recipe("FenceGAN", "FenceGAN", None, dict(batch_size=50), dict(epochs=30)),
    Recipe("GANomaly", "GANomaly", None, dict(latent_dim=32), dict(epochs=30)),
    Recipe("IGMMGAN", "IGMMGAN", None, _DIGIT_NETS, dict(epochs=30, sweeps=200)),
    Recipe(
        "IGMMGAN, one Gaussian", "IGMMGAN", None, _DIGIT_NETS | dict(variant="gaussian"), dict(epochs=30, sweeps=10)
    ),
    Recipe("MMOCGAN", "MMOCGAN", None, {}, dict(epochs=30)),
    Recipe("OCAN", "OCAN", None, {}, dict(epochs=30)),
    Recipe("OCGAN", "OCGAN", None, dict(latent_dim=32, batch_size=50), dict(epochs=30)),
    Recipe("OCNN", "OCNN", None, {}, dict(epochs=30, pretrain_epochs=30)),
    Recipe("RDA", "RobustAutoEncoder", None, {}, dict(epochs=20, n_turns=3)),
    Recipe("RGAN", "RGAN", None, dict(batch_size=50), dict(epochs=30)),
    Recipe("SkipGANomaly", "SkipGANomaly", None, {}, dict(epochs=30)),
    Recipe("VAE", "VAE", None, dict(latent_dim=32), dict(epochs=30)),
)

_MINMAX = dict(scaling="minmax")
_KDD = (
    Recipe("ALAD", "ALAD", "kddcup99", quick=dict(epochs=3)),
    Recipe("AnoGAN", "AnoGAN", "kddcup99", quick=dict(epochs=3, search_steps=20)),
    Recipe("DAGMM", "DAGMM", "kddcup99", quick=dict(epochs=20)),
    Recipe("DCAE", "AutoEncoder", "kddcup99", quick=dict(epochs=8)),
    Recipe("DSEBM-e", "DSEBM", "kddcup99", dict(variant="energy"), dict(epochs=4)),
    Recipe("DSEBM-r", "DSEBM", "kddcup99", dict(variant="recon"), dict(epochs=4)),
    Recipe("EGBAD-fm", "EGBAD", "kddcup99", dict(variant="fm"), dict(epochs=4, lr=1e-4)),
    Recipe("EGBAD-sigma", "EGBAD", "kddcup99", quick=dict(epochs=4, lr=1e-4)),
    Recipe("FenceGAN", "FenceGAN", "kddcup99", quick=dict(epochs=8, pretrain_epochs=1)),
    Recipe("GANomaly", "GANomaly", None, dict(latent_dim=32, batch_size=256) | _MINMAX, dict(epochs=4)),
    Recipe("IGMMGAN", "IGMMGAN", "kddcup99", quick=dict(epochs=4, lr=1e-4, sweeps=100)),
    Recipe("OCNN", "OCNN", "kddcup99", quick=dict(epochs=5, pretrain_epochs=5)),
    Recipe("RDA", "RobustAutoEncoder", "kddcup99", quick=dict(epochs=3)),
    Recipe("VAE", "VAE", "kddcup99", quick=dict(epochs=5)),
)
_KDD_PLAIN = (
    Recipe("OCSVM", "OneClassSVM", None, dict(n_components=10) | _MINMAX, is_baseline=True),
    Recipe("GMM", "GMM", None, dict(n_components=10, components=(4,)) | _MINMAX, is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", None, dict(reducer="none") | _MINMAX, is_baseline=True),
    Recipe("1-NN", "NearestNeighbor", None, dict(k=1, variant="kth") | _MINMAX, is_baseline=True),
    Recipe("PCA residual", "PCAResidual", "kddcup99", _MINMAX, is_baseline=True),
    Recipe("minus count", "Trivial", None, dict(variant="column", column=15, sign=-1.0) | _MINMAX, is_baseline=True),
    Recipe("untrained DAGMM", "DAGMM", "kddcup99", dict(epochs=1, lr=1e-12), is_baseline=True),
    *_trivial(**_MINMAX),
)

_SMALL_TABLE = (
    Recipe("ALAD", "ALAD", "arrhythmia", quick=dict(epochs=200)),
    Recipe("AnoGAN", "AnoGAN", None, dict(batch_size=32), dict(epochs=100, search_steps=100)),
    Recipe("DAGMM", "DAGMM", "arrhythmia", quick=dict(epochs=1000)),
    Recipe("DCAE", "AutoEncoder", None, dict(batch_size=32), dict(epochs=100)),
    Recipe("DSEBM-e", "DSEBM", "arrhythmia", dict(variant="energy")),
    Recipe("DSEBM-r", "DSEBM", "arrhythmia", dict(variant="recon")),
    Recipe("EGBAD-sigma", "EGBAD", None, dict(batch_size=32, variant="sigma"), dict(epochs=100)),
    Recipe("FenceGAN", "FenceGAN", None, dict(batch_size=32), dict(epochs=100)),
    Recipe("GANomaly", "GANomaly", None, dict(batch_size=32), dict(epochs=100)),
    Recipe("IGMMGAN", "IGMMGAN", None, dict(batch_size=32), dict(epochs=100, sweeps=200)),
    Recipe("OCNN", "OCNN", None, dict(batch_size=32), dict(epochs=100, pretrain_epochs=100)),
    Recipe("RDA", "RobustAutoEncoder", None, dict(batch_size=32)),
    Recipe("VAE", "VAE", None, dict(batch_size=32), dict(epochs=100)),
)
_FRAUD = (
    Recipe("OCAN", "OCAN"),
    Recipe("MMOCGAN", "MMOCGAN"),
    Recipe("RGAN", "RGAN", quick=dict(epochs=50)),
    Recipe("FenceGAN", "FenceGAN", quick=dict(epochs=50)),
    Recipe("DCAE", "AutoEncoder", quick=dict(epochs=50)),
    Recipe("OCNN", "OCNN"),
    Recipe("VAE", "VAE"),
    Recipe("OCNNNeighbor", "NearestNeighbor", is_baseline=True),
)
_TABLE_PLAIN = (
    Recipe("OCSVM", "OneClassSVM", None, dict(reducer="none"), is_baseline=True),
    Recipe("GMM", "GMM", None, dict(n_components=20), is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", None, dict(reducer="none"), is_baseline=True),
    Recipe("1-NN", "NearestNeighbor", None, dict(k=1, variant="kth"), is_baseline=True),
    Recipe("LOF", "LOF", is_baseline=True),
    Recipe("PCA residual", "PCAResidual", None, dict(n_components=10), is_baseline=True),
    *_trivial(),
)

_LINE = (
    Recipe("MMOCGAN-cat", "MMOCGAN", None, dict(injection="cat"), dict(epochs=50)),
    Recipe("MMOCGAN-mix", "MMOCGAN", None, dict(injection="mix"), dict(epochs=50)),
    Recipe("OCAN", "OCAN", quick=dict(epochs=50)),
    Recipe("RGAN", "RGAN", quick=dict(epochs=50)),
    Recipe("AnoGAN", "AnoGAN", quick=dict(epochs=50, search_steps=50)),
    Recipe("DAGMM", "DAGMM"),
    Recipe("OCNN", "OCNN"),
    Recipe("RDA", "RobustAutoEncoder"),
    Recipe("OCNNNeighbor", "NearestNeighbor", is_baseline=True),
)

SUITES: dict[str, Suite] = {
    s.name: s
    for s in (
        Suite("digits", "digits-lo", _DIGITS + _plain(40)),
        Suite("study-mnist", "mnist-lo-official", _images("mnist", 4, 2) + _plain(40), 12_000, 3_000),
        Suite("study-cifar10", "cifar-lo-official", _images("cifar10", 4, 2) + _plain(60), 12_000, 3_000),
        Suite("igmm-gan-mnist", "mnist-lo-8020", _images("mnist", 4, 2) + _plain(40), 12_000, 3_000),
        Suite("fencegan-mnist", "mnist-lo-8020", _images("mnist", 4, 2) + _plain(40), 12_000, 3_000),
        Suite("fencegan-cifar10", "cifar-lo-8020", _images("cifar10", 4, 2) + _plain(60), 12_000, 3_000),
        Suite("adgan-mnist", "mnist-one-official", _images("mnist", 8, 4) + _plain(40), 5_000, 3_000),
        Suite("adgan-cifar10", "cifar-one-official", _images("cifar10", 8, 4) + _plain(60), 5_000, 3_000),
        Suite("fencegan-kdd99", "kdd-half", _KDD + _KDD_PLAIN, 50_000, 50_000),
        Suite("arrhythmia", "arrhythmia-half", _SMALL_TABLE + _TABLE_PLAIN),
        Suite("alad-arrhythmia", "arrhythmia-alad", _SMALL_TABLE + _TABLE_PLAIN),
        Suite("ocan-fraud", "card-fraud-raw", _FRAUD + _TABLE_PLAIN),
        Suite("mmoc-production", "prod-3936-22", _LINE + _TABLE_PLAIN),
        Suite("lsun", "lsun-bedroom", (Recipe("ADGAN", "ADGAN", "lsun", quick=dict(epochs=1)), *_plain(60))),
    )
}
