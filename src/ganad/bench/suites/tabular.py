"""Tables of numbers: network connections, patients, card payments, a production line, points of the plane."""

from __future__ import annotations

from ..baselines import trivial
from ..recipes import Recipe
from .shared import CHANGED, search

_MINMAX = dict(scaling="minmax")
KDD = (
    Recipe("ALAD", "ALAD", preset="kddcup99", quick=dict(epochs=3, lr=1e-4), note=CHANGED.format(".716")),
    Recipe(
        "AnoGAN", "AnoGAN", preset="kddcup99", quick=dict(epochs=4, lr=1e-4) | search(20), note=CHANGED.format(".426")
    ),
    Recipe("DAGMM", "DAGMM", preset="kddcup99", quick=dict(epochs=20)),
    Recipe("DCAE", "AutoEncoder", preset="kddcup99", quick=dict(epochs=8)),
    Recipe("DSEBM-e", "DSEBM", preset="kddcup99", settings=dict(variant="energy"), quick=dict(epochs=4)),
    Recipe("DSEBM-r", "DSEBM", preset="kddcup99", settings=dict(variant="recon"), quick=dict(epochs=4)),
    Recipe("DeepSVDD", "DeepSVDD", settings=dict(batch_size=256) | _MINMAX, quick=dict(epochs=5, pretrain_epochs=5)),
    Recipe("EGBAD-fm", "EGBAD", preset="kddcup99", settings=dict(variant="fm"), quick=dict(epochs=4, lr=1e-4)),
    Recipe("EGBAD-sigma", "EGBAD", preset="kddcup99", quick=dict(epochs=4, lr=1e-4)),
    Recipe("FAnoGAN", "FAnoGAN", preset="kddcup99", note=CHANGED.format(".714")),
    Recipe("FenceGAN", "FenceGAN", preset="kddcup99", quick=dict(epochs=8, pretrain_epochs=1)),
    Recipe("GANomaly", "GANomaly", settings=dict(latent_dim=32, batch_size=256) | _MINMAX, quick=dict(epochs=4)),
    Recipe("IGMMGAN", "IGMMGAN", preset="kddcup99", quick=dict(epochs=4, lr=1e-4, sweeps=100)),
    Recipe("OCNN", "OCNN", preset="kddcup99", quick=dict(epochs=5, pretrain_epochs=5)),
    Recipe("RDA", "RobustAutoEncoder", preset="kddcup99", quick=dict(epochs=3)),
    Recipe("RGAN", "RGAN", preset="kddcup99", quick=dict(epochs=8)),
    Recipe("VAE", "VAE", preset="kddcup99", quick=dict(epochs=5)),
)
KDD_PLAIN = (
    Recipe("KDE", "KDE", settings=dict(n_components=10) | _MINMAX, is_baseline=True),
    Recipe("OCSVM", "OneClassSVM", settings=dict(n_components=10) | _MINMAX, is_baseline=True),
    Recipe("GMM", "GMM", settings=dict(n_components=10, components=(4,)) | _MINMAX, is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", settings=dict(reducer="none") | _MINMAX, is_baseline=True),
    Recipe("1-NN", "NearestNeighbor", settings=dict(k=1, variant="kth") | _MINMAX, is_baseline=True),
    Recipe("1-NN, raw columns", "NearestNeighbor", settings=dict(k=1, variant="kth", scaling="none"), is_baseline=True),
    Recipe("LOF", "LOF", settings=_MINMAX, is_baseline=True),
    Recipe("PCA residual", "PCAResidual", preset="kddcup99", settings=_MINMAX, is_baseline=True),
    Recipe("minus count", "Trivial", settings=dict(variant="column", column=15, sign=-1.0) | _MINMAX, is_baseline=True),
    Recipe("untrained DAGMM", "DAGMM", preset="kddcup99", settings=dict(epochs=1, lr=1e-12), is_baseline=True),
    *trivial(**_MINMAX),
)

SMALL_TABLE = (
    Recipe("ALAD", "ALAD", preset="arrhythmia", quick=dict(epochs=200)),
    Recipe("AnoGAN", "AnoGAN", settings=dict(batch_size=32), quick=dict(epochs=100) | search(100), paper="arrhythmia"),
    Recipe("DAGMM", "DAGMM", preset="arrhythmia", quick=dict(epochs=1000)),
    Recipe("DCAE", "AutoEncoder", settings=dict(batch_size=32), quick=dict(epochs=100)),
    Recipe("DSEBM-e", "DSEBM", preset="arrhythmia", settings=dict(variant="energy")),
    Recipe("DSEBM-r", "DSEBM", preset="arrhythmia", settings=dict(variant="recon")),
    Recipe("DeepSVDD", "DeepSVDD", settings=dict(batch_size=32), quick=dict(epochs=100, pretrain_epochs=100)),
    Recipe("EGBAD-sigma", "EGBAD", settings=dict(batch_size=32, variant="sigma"), quick=dict(epochs=100)),
    Recipe("FenceGAN", "FenceGAN", settings=dict(batch_size=32), quick=dict(epochs=1000), note=CHANGED.format(".309")),
    Recipe("GANomaly", "GANomaly", settings=dict(batch_size=32), quick=dict(epochs=100)),
    Recipe("IGMMGAN", "IGMMGAN", settings=dict(batch_size=32), quick=dict(epochs=100, sweeps=200)),
    Recipe("OCNN", "OCNN", settings=dict(batch_size=32), quick=dict(epochs=100, pretrain_epochs=100)),
    Recipe("RDA", "RobustAutoEncoder", settings=dict(batch_size=32)),
    Recipe("VAE", "VAE", settings=dict(batch_size=32), quick=dict(epochs=100)),
)
FRAUD = (
    Recipe("OCAN", "OCAN", paper="credit-card"),
    Recipe("MMOCGAN", "MMOCGAN"),
    Recipe("RGAN", "RGAN", quick=dict(epochs=1000), paper="credit-card", note=CHANGED.format(".631")),
    Recipe("FenceGAN", "FenceGAN", quick=dict(epochs=1000), note=CHANGED.format(".087")),
    Recipe("DCAE", "AutoEncoder", quick=dict(epochs=50)),
    Recipe("OCNN", "OCNN"),
    Recipe("VAE", "VAE"),
    Recipe("OCNNNeighbor", "NearestNeighbor", is_baseline=True),
)
TABLE_PLAIN = (
    Recipe("KDE", "KDE", settings=dict(n_components=20), is_baseline=True),
    Recipe("OCSVM", "OneClassSVM", settings=dict(reducer="none"), is_baseline=True),
    Recipe("GMM", "GMM", settings=dict(n_components=20), is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", settings=dict(reducer="none"), is_baseline=True),
    Recipe("1-NN", "NearestNeighbor", settings=dict(k=1, variant="kth"), is_baseline=True),
    Recipe("LOF", "LOF", is_baseline=True),
    Recipe("PCA residual", "PCAResidual", settings=dict(n_components=10), is_baseline=True),
    *trivial(),
)

LINE = (
    Recipe("MMOCGAN-cat", "MMOCGAN", settings=dict(injection="cat"), quick=dict(epochs=50), paper="production"),
    Recipe("MMOCGAN-mix", "MMOCGAN", settings=dict(injection="mix"), quick=dict(epochs=50), paper="production-mix"),
    Recipe("OCAN", "OCAN", quick=dict(epochs=50)),
    Recipe("RGAN", "RGAN", quick=dict(epochs=50)),
    Recipe("AnoGAN", "AnoGAN", quick=dict(epochs=50) | search(50), note=CHANGED.format(".355")),
    Recipe("DAGMM", "DAGMM"),
    Recipe("OCNN", "OCNN"),
    Recipe("RDA", "RobustAutoEncoder"),
    Recipe("OCNNNeighbor", "NearestNeighbor", is_baseline=True),
)

PLANE = (  # the published 30,000 iterations are 1,875 passes over 1,600 points
    Recipe("FenceGAN", "FenceGAN", preset="rings", settings=dict(epochs=1875), quick=dict(epochs=400)),
    Recipe(
        "FenceGAN, printed log",
        "FenceGAN",
        preset="rings",
        settings=dict(epochs=1875, encirclement="log"),
        quick=dict(epochs=400),
    ),
    Recipe(
        "RGAN",
        "FenceGAN",
        preset="rings",
        settings=dict(epochs=1875, alpha=1.0, beta=0.0, gamma=1.0, pretrain_epochs=0),
        quick=dict(epochs=400),
    ),
    Recipe("1-NN", "NearestNeighbor", settings=dict(k=1, variant="kth"), is_baseline=True),
    Recipe("IsolationForest", "IsolationForest", settings=dict(reducer="none"), is_baseline=True),
    *trivial(),
)
