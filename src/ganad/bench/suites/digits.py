"""The digits that come with scikit-learn: small images on which every method trains in minutes."""

from __future__ import annotations

from ..recipes import Recipe
from .shared import CHANGED, DENSE, DIGIT_NETS, search

DIGITS = (
    Recipe(
        "ADGAN", "ADGAN", settings=DIGIT_NETS, quick=dict(epochs=60, n_critic=2, n_seeds=4), note=CHANGED.format(".534")
    ),
    Recipe("ALAD", "ALAD", settings=DIGIT_NETS, quick=dict(epochs=30)),
    Recipe("AnoGAN", "AnoGAN", settings=DIGIT_NETS, quick=dict(epochs=30) | search(100), note=CHANGED.format(".639")),
    Recipe("DAGMM", "DAGMM", settings=dict(batch_size=128), quick=dict(epochs=30)),
    Recipe("DCAE", "AutoEncoder", settings=dict(latent_dim=32), quick=dict(epochs=30)),
    Recipe("DSEBM-e", "DSEBM", settings=dict(variant="energy"), quick=dict(epochs=30)),
    Recipe("DSEBM-r", "DSEBM", settings=dict(variant="recon"), quick=dict(epochs=30)),
    Recipe("DeepSVDD", "DeepSVDD", quick=dict(epochs=30, pretrain_epochs=20)),
    Recipe("EGBAD-fm", "EGBAD", settings=DIGIT_NETS, quick=dict(epochs=30)),
    Recipe("EGBAD-sigma", "EGBAD", settings=DIGIT_NETS | dict(variant="sigma"), quick=dict(epochs=30)),
    Recipe("FAnoGAN", "FAnoGAN", settings=DIGIT_NETS, quick=dict(epochs=30, encoder_epochs=15)),
    Recipe("FenceGAN", "FenceGAN", settings=dict(batch_size=50), quick=dict(epochs=30)),
    Recipe("GANomaly", "GANomaly", settings=dict(latent_dim=32), quick=dict(epochs=30)),
    Recipe("IGMMGAN", "IGMMGAN", settings=DIGIT_NETS, quick=dict(epochs=30, sweeps=200)),
    Recipe(
        "IGMMGAN, one Gaussian",
        "IGMMGAN",
        settings=DIGIT_NETS | dict(variant="gaussian"),
        quick=dict(epochs=30, sweeps=10),
    ),
    Recipe("MMOCGAN", "MMOCGAN", settings=DENSE, quick=dict(epochs=60), note=CHANGED.format(".514")),
    Recipe("OCAN", "OCAN", quick=dict(epochs=30)),
    Recipe("OCGAN", "OCGAN", settings=dict(latent_dim=32, batch_size=50), quick=dict(epochs=30)),
    Recipe("OCNN", "OCNN", quick=dict(epochs=30, pretrain_epochs=30)),
    Recipe("RDA", "RobustAutoEncoder", quick=dict(epochs=20, n_turns=3)),
    Recipe("RGAN", "RGAN", settings=dict(batch_size=50), quick=dict(epochs=30)),
    Recipe("SkipGANomaly", "SkipGANomaly", quick=dict(epochs=30)),
    Recipe("VAE", "VAE", settings=dict(latent_dim=32), quick=dict(epochs=30)),
)
