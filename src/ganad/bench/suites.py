"""What each table holds: a protocol, the methods with their settings, and the sizes of three budgets.

paper  the published settings at their published length; a method's default where nothing is published for the data
quick  the same protocol at a length that two CPU cores manage, set by the time it takes; a note
       says where a result had a part in it
smoke  minutes for everything, to see that it runs

A recipe's label is what the papers call the method, so that a published figure is found by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .own import OwnData

Budget = Literal["paper", "quick", "smoke"]

QUICK_SIZE = 16  #: side of the images that networks see at ``quick``: a quarter of the work, so longer training


@dataclass(frozen=True)
class Recipe:
    """One line of a table."""

    label: str
    detector: str  #: class in ``ganad``
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  #: of all budgets
    quick: Mapping[str, Any] = field(default_factory=dict)  #: changes that make it shorter
    is_baseline: bool = False
    paper: str | None = None  #: the preset at ``paper`` where the shorter ones start from the defaults
    note: str = ""  #: what a reader of its rows must know

    def arguments(self, budget: Budget) -> tuple[str | None, dict[str, Any]]:
        """Preset and settings for a budget."""
        settings = dict(self.settings)
        if budget == "paper":
            return self.paper or self.preset, settings
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
    own: OwnData | None = None  #: where the data are, if the protocol does not say

    def caps(self, budget: Budget) -> tuple[int | None, int | None]:
        """Most training and test samples for a budget."""
        if budget == "paper":
            return None, None
        if budget == "smoke":
            return 500, 300
        return self.quick_train, self.quick_test

    def recipe(self, label: str) -> Recipe:
        return next(r for r in self.recipes if r.label == label)


_CHANGED = (
    "its quick settings were changed once, after shorter training or smaller steps had ended with a mean AUROC of {}: "
    "that result was seen."
)


def _search(steps: int) -> dict[str, Any]:
    """AnoGAN's search in fewer steps than the published 500, so much longer that a code can travel as far."""
    return dict(search_steps=steps, search_lr=5 / steps)


def _images(preset: str) -> tuple[Recipe, ...]:
    """Every method at the published settings for ``preset``, and at ``quick`` what a core does in a minute.

    A hundredth of the published length at the published step sizes of 1e-5 moves nothing, so ``quick`` has larger ones.
    """
    mnist, cifar10 = (preset if preset == name else None for name in ("mnist", "cifar10"))  # published for one alone
    bigan = dict(epochs=2, lr=2e-4)
    fence = dict(epochs=4, pretrain_epochs=1, lr=2e-4, discriminator_lr=1e-4, batch_size=100)
    return tuple(
        replace(recipe, quick=dict(recipe.quick) | dict(image_size=QUICK_SIZE))
        for recipe in (
            Recipe("ADGAN", "ADGAN", preset, quick=dict(epochs=3, n_critic=2, width=32, n_seeds=2, lr=2e-4)),
            Recipe("ALAD", "ALAD", preset, quick=dict(epochs=2, width=32, patience=None)),
            Recipe(
                "AnoGAN",
                "AnoGAN",
                preset,
                quick=bigan | _search(30) | dict(threshold_samples=100),
                note=_CHANGED.format(".544"),
            ),
            Recipe("DAGMM", "DAGMM", None, quick=dict(epochs=4), paper=cifar10),
            Recipe("DCAE", "AutoEncoder", preset, quick=dict(epochs=4)),
            Recipe("DSEBM-e", "DSEBM", None, dict(variant="energy"), dict(epochs=4), paper=cifar10),
            Recipe("DSEBM-r", "DSEBM", None, dict(variant="recon"), dict(epochs=4), paper=cifar10),
            Recipe("DeepSVDD", "DeepSVDD", preset, quick=dict(epochs=10, pretrain_epochs=10, lr=1e-3)),
            Recipe("EGBAD-fm", "EGBAD", mnist, dict(variant="fm"), bigan),
            Recipe("EGBAD-sigma", "EGBAD", mnist, dict(variant="sigma"), bigan),
            Recipe("FAnoGAN", "FAnoGAN", None, {}, bigan | dict(encoder_epochs=2, width=16, n_critic=2), paper=mnist),
            Recipe("FenceGAN", "FenceGAN", preset, quick=fence),
            Recipe("GANomaly", "GANomaly", preset, quick=dict(epochs=3)),
            Recipe("IGMMGAN", "IGMMGAN", None, quick=bigan | dict(sweeps=60), paper=mnist),
            Recipe("MMOCGAN", "MMOCGAN", None, dict(representation="dense"), dict(epochs=10)),
            Recipe("OCAN", "OCAN", None, quick=dict(epochs=10, encoder_epochs=10, target_epochs=5)),
            Recipe("OCGAN", "OCGAN", None, quick=dict(epochs=3, width=32), paper=preset),
            Recipe("OCNN", "OCNN", preset, quick=dict(epochs=10, pretrain_epochs=10, lr=1e-3)),
            Recipe("RDA", "RobustAutoEncoder", None, quick=dict(epochs=4, n_turns=2), paper=mnist),
            Recipe("RGAN", "RGAN", None, quick=fence | dict(pretrain_epochs=0), paper=preset),
            Recipe("SkipGANomaly", "SkipGANomaly", None, quick=dict(epochs=2, width=32), paper=preset),
            Recipe("VAE", "VAE", preset, quick=dict(epochs=4)),
        )
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


_DENSE = dict(representation="dense")
_DIGIT_NETS = dict(latent_dim=32, batch_size=50)
_DIGITS = (
    Recipe("ADGAN", "ADGAN", None, _DIGIT_NETS, dict(epochs=60, n_critic=2, n_seeds=4), note=_CHANGED.format(".534")),
    Recipe("ALAD", "ALAD", None, _DIGIT_NETS, dict(epochs=30)),
    Recipe("AnoGAN", "AnoGAN", None, _DIGIT_NETS, dict(epochs=30) | _search(100), note=_CHANGED.format(".639")),
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
    Recipe("MMOCGAN", "MMOCGAN", None, _DENSE, dict(epochs=60), note=_CHANGED.format(".514")),
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
    Recipe("ALAD", "ALAD", "kddcup99", quick=dict(epochs=3, lr=1e-4), note=_CHANGED.format(".716")),
    Recipe("AnoGAN", "AnoGAN", "kddcup99", quick=dict(epochs=4, lr=1e-4) | _search(20), note=_CHANGED.format(".426")),
    Recipe("DAGMM", "DAGMM", "kddcup99", quick=dict(epochs=20)),
    Recipe("DCAE", "AutoEncoder", "kddcup99", quick=dict(epochs=8)),
    Recipe("DSEBM-e", "DSEBM", "kddcup99", dict(variant="energy"), dict(epochs=4)),
    Recipe("DSEBM-r", "DSEBM", "kddcup99", dict(variant="recon"), dict(epochs=4)),
    Recipe("DeepSVDD", "DeepSVDD", None, dict(batch_size=256) | _MINMAX, dict(epochs=5, pretrain_epochs=5)),
    Recipe("EGBAD-fm", "EGBAD", "kddcup99", dict(variant="fm"), dict(epochs=4, lr=1e-4)),
    Recipe("EGBAD-sigma", "EGBAD", "kddcup99", quick=dict(epochs=4, lr=1e-4)),
    Recipe("FAnoGAN", "FAnoGAN", "kddcup99", note=_CHANGED.format(".714")),
    Recipe("FenceGAN", "FenceGAN", "kddcup99", quick=dict(epochs=8, pretrain_epochs=1)),
    Recipe("GANomaly", "GANomaly", None, dict(latent_dim=32, batch_size=256) | _MINMAX, dict(epochs=4)),
    Recipe("IGMMGAN", "IGMMGAN", "kddcup99", quick=dict(epochs=4, lr=1e-4, sweeps=100)),
    Recipe("OCNN", "OCNN", "kddcup99", quick=dict(epochs=5, pretrain_epochs=5)),
    Recipe("RDA", "RobustAutoEncoder", "kddcup99", quick=dict(epochs=3)),
    Recipe("RGAN", "RGAN", "kddcup99", quick=dict(epochs=8)),
    Recipe("VAE", "VAE", "kddcup99", quick=dict(epochs=5)),
)
_KDD_PLAIN = (
    Recipe("KDE", "KDE", None, dict(n_components=10) | _MINMAX, is_baseline=True),
    Recipe("OCSVM", "OneClassSVM", None, dict(n_components=10) | _MINMAX, is_baseline=True),
    Recipe("GMM", "GMM", None, dict(n_components=10, components=(4,)) | _MINMAX, is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", None, dict(reducer="none") | _MINMAX, is_baseline=True),
    Recipe("1-NN", "NearestNeighbor", None, dict(k=1, variant="kth") | _MINMAX, is_baseline=True),
    Recipe("1-NN, raw columns", "NearestNeighbor", None, dict(k=1, variant="kth", scaling="none"), is_baseline=True),
    Recipe("LOF", "LOF", None, _MINMAX, is_baseline=True),
    Recipe("PCA residual", "PCAResidual", "kddcup99", _MINMAX, is_baseline=True),
    Recipe("minus count", "Trivial", None, dict(variant="column", column=15, sign=-1.0) | _MINMAX, is_baseline=True),
    Recipe("untrained DAGMM", "DAGMM", "kddcup99", dict(epochs=1, lr=1e-12), is_baseline=True),
    *_trivial(**_MINMAX),
)

_SMALL_TABLE = (
    Recipe("ALAD", "ALAD", "arrhythmia", quick=dict(epochs=200)),
    Recipe("AnoGAN", "AnoGAN", None, dict(batch_size=32), dict(epochs=100) | _search(100), paper="arrhythmia"),
    Recipe("DAGMM", "DAGMM", "arrhythmia", quick=dict(epochs=1000)),
    Recipe("DCAE", "AutoEncoder", None, dict(batch_size=32), dict(epochs=100)),
    Recipe("DSEBM-e", "DSEBM", "arrhythmia", dict(variant="energy")),
    Recipe("DSEBM-r", "DSEBM", "arrhythmia", dict(variant="recon")),
    Recipe("DeepSVDD", "DeepSVDD", None, dict(batch_size=32), dict(epochs=100, pretrain_epochs=100)),
    Recipe("EGBAD-sigma", "EGBAD", None, dict(batch_size=32, variant="sigma"), dict(epochs=100)),
    Recipe("FenceGAN", "FenceGAN", None, dict(batch_size=32), dict(epochs=1000), note=_CHANGED.format(".309")),
    Recipe("GANomaly", "GANomaly", None, dict(batch_size=32), dict(epochs=100)),
    Recipe("IGMMGAN", "IGMMGAN", None, dict(batch_size=32), dict(epochs=100, sweeps=200)),
    Recipe("OCNN", "OCNN", None, dict(batch_size=32), dict(epochs=100, pretrain_epochs=100)),
    Recipe("RDA", "RobustAutoEncoder", None, dict(batch_size=32)),
    Recipe("VAE", "VAE", None, dict(batch_size=32), dict(epochs=100)),
)
_FRAUD = (
    Recipe("OCAN", "OCAN", paper="credit-card"),
    Recipe("MMOCGAN", "MMOCGAN"),
    Recipe("RGAN", "RGAN", quick=dict(epochs=1000), paper="credit-card", note=_CHANGED.format(".631")),
    Recipe("FenceGAN", "FenceGAN", quick=dict(epochs=1000), note=_CHANGED.format(".087")),
    Recipe("DCAE", "AutoEncoder", quick=dict(epochs=50)),
    Recipe("OCNN", "OCNN"),
    Recipe("VAE", "VAE"),
    Recipe("OCNNNeighbor", "NearestNeighbor", is_baseline=True),
)
_TABLE_PLAIN = (
    Recipe("KDE", "KDE", None, dict(n_components=20), is_baseline=True),
    Recipe("OCSVM", "OneClassSVM", None, dict(reducer="none"), is_baseline=True),
    Recipe("GMM", "GMM", None, dict(n_components=20), is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", None, dict(reducer="none"), is_baseline=True),
    Recipe("1-NN", "NearestNeighbor", None, dict(k=1, variant="kth"), is_baseline=True),
    Recipe("LOF", "LOF", is_baseline=True),
    Recipe("PCA residual", "PCAResidual", None, dict(n_components=10), is_baseline=True),
    *_trivial(),
)

_LINE = (
    Recipe("MMOCGAN-cat", "MMOCGAN", None, dict(injection="cat"), dict(epochs=50), paper="production"),
    Recipe("MMOCGAN-mix", "MMOCGAN", None, dict(injection="mix"), dict(epochs=50), paper="production-mix"),
    Recipe("OCAN", "OCAN", quick=dict(epochs=50)),
    Recipe("RGAN", "RGAN", quick=dict(epochs=50)),
    Recipe("AnoGAN", "AnoGAN", quick=dict(epochs=50) | _search(50), note=_CHANGED.format(".355")),
    Recipe("DAGMM", "DAGMM"),
    Recipe("OCNN", "OCNN"),
    Recipe("RDA", "RobustAutoEncoder"),
    Recipe("OCNNNeighbor", "NearestNeighbor", is_baseline=True),
)

_SMALL_ALAD = _DIGIT_NETS | dict(width=32)
_SMALL_FANOGAN = _DIGIT_NETS | dict(width=16)
_SMALL_OCGAN = dict(latent_dim=32, batch_size=50, width=32)
_READINGS = (  # lines whose twin is in "digits" have its settings; the others are as small as their twin here
    Recipe("FenceGAN, printed log", "FenceGAN", None, dict(batch_size=50, encirclement="log"), dict(epochs=30)),
    Recipe("FenceGAN, two steps", "FenceGAN", None, dict(batch_size=50, separate_steps=True), dict(epochs=30)),
    Recipe("FenceGAN, last weights", "FenceGAN", None, dict(batch_size=50, ema=0.0), dict(epochs=30)),
    Recipe("FenceGAN, patience 5", "FenceGAN", None, dict(batch_size=50, patience=5), dict(epochs=30)),
    Recipe("EGBAD-sigma of the redrawn", "EGBAD", None, _DIGIT_NETS | dict(variant="sigma_rec"), dict(epochs=30)),
    Recipe(
        "AnoGAN, cross-entropy",
        "AnoGAN",
        None,
        _DIGIT_NETS | dict(variant="cross-entropy"),
        dict(epochs=30) | _search(100),
    ),
    Recipe("GANomaly, fooling", "GANomaly", None, dict(latent_dim=32, adversarial="bce"), dict(epochs=30)),
    Recipe("GANomaly, L1", "GANomaly", None, dict(latent_dim=32, variant="l1"), dict(epochs=30)),
    Recipe("SkipGANomaly, code", "SkipGANomaly", None, dict(discriminator_matches=True), dict(epochs=30)),
    *(
        Recipe(f"ALAD, {name}", "ALAD", None, _SMALL_ALAD | settings, dict(epochs=30))
        for name, settings in (
            ("features", dict(variant="features")),
            ("logits", dict(variant="logits")),
            ("L1", dict(variant="l1")),
            ("L2", dict(variant="l2")),
            ("no latent cycle", dict(latent_cycle=False)),
            ("no spectral norm", dict(spectral_norm=False)),
        )
    ),
    *(
        Recipe(f"FAnoGAN, {name}", "FAnoGAN", None, _SMALL_FANOGAN | settings, dict(epochs=30, encoder_epochs=15))
        for name, settings in (
            ("izi_f", {}),
            ("izi", dict(encoder_loss="izi", variant="izi")),
            ("ziz", dict(encoder_loss="ziz")),
            ("latent", dict(variant="latent")),
            ("linear codes", dict(bounded=False)),
        )
    ),
    *(
        Recipe(f"OCGAN, {name}", "OCGAN", None, _SMALL_OCGAN | settings, dict(epochs=30))
        for name, settings in (
            ("reconstruction", {}),
            ("visual", dict(variant="visual")),
            ("input", dict(variant="input")),
            ("classifier", dict(variant="classifier")),
            ("the code's weights", dict(w_rec=5.0, w_latent=10.0, mine_steps=1, mine_lr=2.0)),
        )
    ),
    *(
        Recipe(f"ADGAN, {name}", "ADGAN", None, _DIGIT_NETS | settings, dict(epochs=60, n_critic=2, n_seeds=4))
        for name, settings in (
            ("critic", dict(variant="critic")),
            ("prior", dict(variant="prior")),
            ("one generator a sample", dict(moving="sample")),
            ("still generator", dict(moving="none")),
            ("clipping", dict(lipschitz="clip", lr=5e-5)),
        )
    ),
    Recipe("OCAN, code", "OCAN", None, dict(reading="code", w_entropy=1.85), dict(epochs=30)),
    *(
        Recipe(f"MMOCGAN, {name}", "MMOCGAN", None, _DENSE | settings, dict(epochs=60))
        for name, settings in (
            ("printed signs", dict(reading="printed")),
            ("mix", dict(injection="mix")),
            ("one code", dict(n_codes=1)),
            ("raw pixels", dict(representation="none")),
        )
    ),
    Recipe("IGMMGAN, sigma", "IGMMGAN", None, _DIGIT_NETS | dict(variant="sigma"), dict(epochs=30, sweeps=10)),
    Recipe("VAE, Bernoulli", "VAE", None, dict(latent_dim=32, likelihood="bernoulli"), dict(epochs=30)),
    Recipe("VAE, recon_prob", "VAE", None, dict(latent_dim=32, variant="recon_prob"), dict(epochs=30)),
    Recipe("VAE, KL", "VAE", None, dict(latent_dim=32, variant="kl"), dict(epochs=30)),
    Recipe("RDA, entries", "RobustAutoEncoder", None, dict(penalty="entries"), dict(epochs=20, n_turns=3)),
    Recipe("DeepSVDD, soft", "DeepSVDD", None, dict(objective="soft"), dict(epochs=30, pretrain_epochs=20)),
)

_PLANE = (  # the published 30,000 iterations are 1,875 passes over 1,600 points
    Recipe("FenceGAN", "FenceGAN", "rings", dict(epochs=1875), dict(epochs=400)),
    Recipe("FenceGAN, printed log", "FenceGAN", "rings", dict(epochs=1875, encirclement="log"), dict(epochs=400)),
    Recipe(
        "RGAN",
        "FenceGAN",
        "rings",
        dict(epochs=1875, alpha=1.0, beta=0.0, gamma=1.0, pretrain_epochs=0),
        dict(epochs=400),
    ),
    Recipe("1-NN", "NearestNeighbor", None, dict(k=1, variant="kth"), is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", None, dict(reducer="none"), is_baseline=True),
    *_trivial(),
)

_IGMM_PAPER = ("IGMMGAN", "GANomaly", "EGBAD-fm", "EGBAD-sigma")  # what the two papers compare
_FENCE_PAPER = ("FenceGAN", "RGAN", "VAE", "AnoGAN", "EGBAD-fm", "EGBAD-sigma", "GANomaly")


def _of(recipes: tuple[Recipe, ...], labels: tuple[str, ...]) -> tuple[Recipe, ...]:
    return tuple(r for r in recipes if r.label in labels)


SUITES: dict[str, Suite] = {
    s.name: s
    for s in (
        Suite("digits", "digits-lo", _DIGITS + _plain(40)),
        Suite("readings", "digits-lo", _READINGS + _plain(40), classes=("0",)),
        Suite("study-mnist", "mnist-lo-official", _images("mnist") + _plain(40), 12_000, 1_000),
        Suite("study-cifar10", "cifar-lo-official", _images("cifar10") + _plain(60), 12_000, 1_000),
        Suite("igmm-gan-mnist", "mnist-lo-8020", _of(_images("mnist"), _IGMM_PAPER) + _plain(40), 12_000, 1_000),
        Suite("fencegan-mnist", "mnist-lo-8020", _of(_images("mnist"), _FENCE_PAPER) + _plain(40), 12_000, 1_000),
        Suite("fencegan-cifar10", "cifar-lo-8020", _of(_images("cifar10"), _FENCE_PAPER) + _plain(60), 12_000, 1_000),
        Suite("adgan-mnist", "mnist-one-official", _images("mnist") + _plain(40), 5_000, 1_000),
        Suite("adgan-cifar10", "cifar-one-official", _images("cifar10") + _plain(60), 5_000, 1_000),
        Suite("fencegan-2d", "blob-one", _PLANE),
        Suite("fencegan-kdd99", "kdd-half", _KDD + _KDD_PLAIN, 50_000, 50_000),
        Suite("arrhythmia", "arrhythmia-half", _SMALL_TABLE + _TABLE_PLAIN),
        Suite("alad-arrhythmia", "arrhythmia-alad", _SMALL_TABLE + _TABLE_PLAIN),
        Suite("ocan-fraud", "card-fraud-raw", _FRAUD + _TABLE_PLAIN),
        Suite("mmoc-production", "prod-3936-22", _LINE + _TABLE_PLAIN),
        Suite("lsun", "lsun-bedroom", (Recipe("ADGAN", "ADGAN", "lsun", quick=dict(epochs=1)), *_plain(60))),
    )
}
