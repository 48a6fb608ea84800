"""Anomaly detection with generative adversarial networks: the published methods behind one interface."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from . import registry
from ._version import __version__ as __version__

if TYPE_CHECKING:
    from .detector import BidirectionalDetector as BidirectionalDetector
    from .detector import Detector as Detector
    from .detector import GenerativeDetector as GenerativeDetector
    from .detector import NetworkDetector as NetworkDetector
    from .ensemble import Auto as Auto
    from .ensemble import Ensemble as Ensemble
    from .ensemble import Snapshots as Snapshots
    from .errors import InputError as InputError
    from .errors import NotSupported as NotSupported
    from .loading import load as load
    from .methods.adgan import ADGAN as ADGAN
    from .methods.alad import ALAD as ALAD
    from .methods.anogan import AnoGAN as AnoGAN
    from .methods.autoencoder import AutoEncoder as AutoEncoder
    from .methods.baselines.gaussian import Gaussian as Gaussian
    from .methods.baselines.gmm import GMM as GMM
    from .methods.baselines.isolation_forest import IsolationForest as IsolationForest
    from .methods.baselines.kde import KDE as KDE
    from .methods.baselines.lof import LOF as LOF
    from .methods.baselines.nearest_neighbor import NearestNeighbor as NearestNeighbor
    from .methods.baselines.one_class_svm import OneClassSVM as OneClassSVM
    from .methods.baselines.pca_residual import PCAResidual as PCAResidual
    from .methods.baselines.trivial import Trivial as Trivial
    from .methods.dagmm import DAGMM as DAGMM
    from .methods.deep_svdd import DeepSVDD as DeepSVDD
    from .methods.dsebm import DSEBM as DSEBM
    from .methods.egbad import EGBAD as EGBAD
    from .methods.f_anogan import FAnoGAN as FAnoGAN
    from .methods.fence_gan import FenceGAN as FenceGAN
    from .methods.ganomaly import GANomaly as GANomaly
    from .methods.igmm_gan import IGMMGAN as IGMMGAN
    from .methods.mmoc_gan import MMOCGAN as MMOCGAN
    from .methods.oc_nn import OCNN as OCNN
    from .methods.ocan import OCAN as OCAN
    from .methods.ocgan import OCGAN as OCGAN
    from .methods.rda import RobustAutoEncoder as RobustAutoEncoder
    from .methods.rgan import RGAN as RGAN
    from .methods.skip_ganomaly import SkipGANomaly as SkipGANomaly
    from .methods.vae import VAE as VAE
    from .reporting import report as report

    DETECTORS: tuple[type[Detector], ...]

__all__ = [
    "ADGAN",
    "ALAD",
    "DAGMM",
    "DETECTORS",
    "DSEBM",
    "EGBAD",
    "GMM",
    "IGMMGAN",
    "KDE",
    "LOF",
    "MMOCGAN",
    "OCAN",
    "OCGAN",
    "OCNN",
    "RGAN",
    "VAE",
    "AnoGAN",
    "Auto",
    "AutoEncoder",
    "BidirectionalDetector",
    "DeepSVDD",
    "Detector",
    "Ensemble",
    "FAnoGAN",
    "FenceGAN",
    "GANomaly",
    "Gaussian",
    "GenerativeDetector",
    "InputError",
    "IsolationForest",
    "NearestNeighbor",
    "NetworkDetector",
    "NotSupported",
    "OneClassSVM",
    "PCAResidual",
    "RobustAutoEncoder",
    "SkipGANomaly",
    "Snapshots",
    "Trivial",
    "load",
    "report",
]

if not TYPE_CHECKING:
    #: Modules of the public names other than the built-in detectors.
    _HOMES = {
        "Auto": "ensemble",
        "BidirectionalDetector": "detector",
        "Detector": "detector",
        "GenerativeDetector": "detector",
        "NetworkDetector": "detector",
        "Ensemble": "ensemble",
        "InputError": "errors",
        "NotSupported": "errors",
        "Snapshots": "ensemble",
        "load": "loading",
        "report": "reporting",
    }

    def __getattr__(name):
        """A public name; torch is imported with the first one that needs it, not before."""
        if name == "DETECTORS":
            return tuple(map(registry.get, registry.BUILT_IN))
        target = next((t for t in registry.BUILT_IN.values() if t.partition(":")[2] == name), None)
        if target is None and name not in _HOMES:
            raise AttributeError(f"module 'ganad' has no attribute {name!r}")
        module = target.partition(":")[0] if target else f"{__name__}.{_HOMES[name]}"
        return getattr(importlib.import_module(module), name)

    def __dir__():
        return sorted({*__all__, *globals()})
