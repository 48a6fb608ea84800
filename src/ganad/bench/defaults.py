"""The defaults of the papers' suites: those of 0.1, for which they were written.

Later defaults serve users who change nothing. A table of results must not change with them, so a setting that a recipe
does not name has its value of 0.1. Suites of the user's own data use today's defaults.
"""

from __future__ import annotations

from typing import Any

from ..migrations import upgraded

VERSION = "0.1"

#: The values of 0.1 for defaults that later versions changed.
DEFAULTS: dict[str, dict[str, Any]] = {
    "ADGAN": dict(epochs=50, lr=1e-4, score_batch_size=1, n_seeds=64, latent_dim=256),
    "ALAD": dict(epochs=50, lr=2e-4, latent_dim=100, scaling="auto"),
    "AnoGAN": dict(epochs=25, search_steps=500, search_lr=0.01, n_starts=1, latent_dim=100),
    "AutoEncoder": dict(epochs=100),
    "DAGMM": dict(epochs=100, scaling="auto"),
    "DSEBM": dict(epochs=50),
    "DeepSVDD": dict(epochs=50, pretrain_epochs=20, scaling="auto"),
    "EGBAD": dict(epochs=60, lr=1e-4, latent_dim=200),
    "FAnoGAN": dict(epochs=20, latent_dim=128, encoder_epochs=20, scaling="auto"),
    "FenceGAN": dict(epochs=60, pretrain_epochs=15, discriminator_lr=5e-5),
    "GANomaly": dict(epochs=15),
    "IGMMGAN": dict(epochs=50, w_rec=1.0, latent_dim=100, lr=1e-4, min_cluster_size=50),
    "MMOCGAN": dict(epochs=100, encoder_epochs=20, target_epochs=20),
    "OCAN": dict(epochs=50, encoder_epochs=20, target_epochs=20, representation="dense", reach=1.0),
    "OCGAN": dict(epochs=50),
    "OCNN": dict(epochs=50, nu=0.1, pretrain_epochs=50),
    "PCAResidual": dict(n_components=40, scaling="auto"),
    "RGAN": dict(epochs=60, discriminator_lr=5e-5),
    "RobustAutoEncoder": dict(epochs=20),
    "SkipGANomaly": dict(epochs=15),
    "VAE": dict(epochs=50, latent_dim=64),
}


def of_the_suites(cls: type) -> dict[str, Any]:
    """Settings that give a detector the defaults of 0.1, including settings that 0.1 did not have."""
    return upgraded(cls, DEFAULTS.get(cls.__name__, {}), VERSION)
