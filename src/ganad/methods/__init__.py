"""Every detector, one file a paper, and one file a baseline. Adding one is a file here and a line below."""

from ..detector import Detector
from .adgan import ADGAN
from .alad import ALAD
from .anogan import AnoGAN
from .autoencoder import AutoEncoder
from .baselines.gmm import GMM
from .baselines.isolation_forest import IsolationForest
from .baselines.kde import KDE
from .baselines.lof import LOF
from .baselines.nearest_neighbor import NearestNeighbor
from .baselines.one_class_svm import OneClassSVM
from .baselines.pca_residual import PCAResidual
from .baselines.trivial import Trivial
from .dagmm import DAGMM
from .deep_svdd import DeepSVDD
from .dsebm import DSEBM
from .egbad import EGBAD
from .f_anogan import FAnoGAN
from .fence_gan import FenceGAN
from .ganomaly import GANomaly
from .igmm_gan import IGMMGAN
from .mmoc_gan import MMOCGAN
from .oc_nn import OCNN
from .ocan import OCAN
from .ocgan import OCGAN
from .rda import RobustAutoEncoder
from .rgan import RGAN
from .skip_ganomaly import SkipGANomaly
from .vae import VAE

#: The only registry: every detector class imported above.
DETECTORS: tuple[type[Detector], ...] = tuple(
    value
    for value in list(globals().values())
    if isinstance(value, type) and issubclass(value, Detector) and value is not Detector
)

__all__ = ["DETECTORS", *(detector.__name__ for detector in DETECTORS)]
