"""MNIST and CIFAR-10 at the published settings, and shorter."""

from __future__ import annotations

from dataclasses import replace

from ..recipes import Recipe
from .shared import CHANGED, search

QUICK_SIZE = 16  #: side of the images that networks see at ``quick``; a quarter of the work allows longer training


def contrasted(recipes: tuple[Recipe, ...], *labels: str) -> tuple[Recipe, ...]:
    """The recipes of these labels again, with brightness and contrast removed from each image."""
    return tuple(
        replace(
            r,
            label=f"{r.label}, contrast",
            settings=dict(r.settings) | dict(scaling="contrast"),
            remedy_of=r.label,
        )
        for r in recipes
        if r.label in labels
    )


def images(preset: str) -> tuple[Recipe, ...]:
    """Every method at the published settings for ``preset``; at ``quick`` as much as one core does in a minute.

    At a hundredth of the published length, the published step sizes of 1e-5 change nothing, so ``quick`` has larger
    ones.
    """
    mnist, cifar10 = (preset if preset == name else None for name in ("mnist", "cifar10"))  # published for one only
    bigan = dict(epochs=2, lr=2e-4)
    fence = dict(epochs=4, pretrain_epochs=1, lr=2e-4, discriminator_lr=1e-4, batch_size=100)
    return tuple(
        replace(recipe, quick=dict(recipe.quick) | dict(image_size=QUICK_SIZE))
        for recipe in (
            Recipe("ADGAN", "ADGAN", preset=preset, quick=dict(epochs=3, n_critic=2, width=32, n_seeds=2, lr=2e-4)),
            Recipe("ALAD", "ALAD", preset=preset, quick=dict(epochs=2, width=32, patience=None)),
            Recipe(
                "AnoGAN",
                "AnoGAN",
                preset=preset,
                quick=bigan | search(30) | dict(threshold_samples=100),
                note=CHANGED.format(".544"),
            ),
            Recipe("DAGMM", "DAGMM", quick=dict(epochs=4), paper=cifar10),
            Recipe("DCAE", "AutoEncoder", preset=preset, quick=dict(epochs=4)),
            Recipe("DSEBM-e", "DSEBM", settings=dict(variant="energy"), quick=dict(epochs=4), paper=cifar10),
            Recipe("DSEBM-r", "DSEBM", settings=dict(variant="recon"), quick=dict(epochs=4), paper=cifar10),
            Recipe("DeepSVDD", "DeepSVDD", preset=preset, quick=dict(epochs=10, pretrain_epochs=10, lr=1e-3)),
            Recipe("EGBAD-fm", "EGBAD", preset=mnist, settings=dict(variant="fm"), quick=bigan),
            Recipe("EGBAD-sigma", "EGBAD", preset=mnist, settings=dict(variant="sigma"), quick=bigan),
            Recipe("FAnoGAN", "FAnoGAN", quick=bigan | dict(encoder_epochs=2, width=16, n_critic=2), paper=mnist),
            Recipe("FenceGAN", "FenceGAN", preset=preset, quick=fence),
            Recipe("GANomaly", "GANomaly", preset=preset, quick=dict(epochs=3)),
            Recipe("IGMMGAN", "IGMMGAN", quick=bigan | dict(sweeps=60), paper=mnist),
            Recipe("MMOCGAN", "MMOCGAN", settings=dict(representation="dense"), quick=dict(epochs=10)),
            Recipe("OCAN", "OCAN", quick=dict(epochs=10, encoder_epochs=10, target_epochs=5)),
            Recipe("OCGAN", "OCGAN", quick=dict(epochs=3, width=32), paper=preset),
            Recipe("OCNN", "OCNN", preset=preset, quick=dict(epochs=10, pretrain_epochs=10, lr=1e-3)),
            Recipe("RDA", "RobustAutoEncoder", quick=dict(epochs=4, n_turns=2), paper=mnist),
            Recipe("RGAN", "RGAN", quick=fence | dict(pretrain_epochs=0), paper=preset),
            Recipe("SkipGANomaly", "SkipGANomaly", quick=dict(epochs=2, width=32), paper=preset),
            Recipe("VAE", "VAE", preset=preset, quick=dict(epochs=4)),
        )
    )
