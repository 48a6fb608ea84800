"""IGMM-GAN: a BiGAN that also reconstructs, and an infinite Gaussian mixture of its codes.

K. Gray, D. Smolyak, S. Badirli, G. Mohler, "Coupled IGMM-GANs for improved generative adversarial anomaly detection",
2018; code dsmolyak/igmm-gan (Keras), with the networks but without the mixture.

Several kinds of normal data make several clouds of codes, which one Gaussian describes badly. After training, the
number of clouds and their shapes are sampled from a Dirichlet-process mixture. The networks learn nothing from it.

    discriminator  H(1, D(x, E(x))), then H(0, D(G(z), z)): two steps, with E and G in inference mode
    coder (E, G)   H(1, D(G(z), z)) + H(0, D(x, E(x))) + w_rec mean (x - G(E(x)))^2
    score          "mixture":  min_k sqrt((E(x) - mu_k)' Sigma_k^-1 (E(x) - mu_k)), over clusters of
                   more than 50 codes, or fewer where there are few samples
                   "gaussian": the same with one Gaussian for all codes, which the mixture has to beat
                   "sigma":    alpha ||x - G(E(x))||_2 - (1 - alpha) log sigma(D(x, E(x))), without a mixture

Differs from the official code:
- The code's cross-entropy score feeds D the reconstruction and mistakes D's probability for a logit, which squeezes the
  term into [.31, .69]. "sigma" is the score that the paper prints.
- ``stride=1``, in the preset "mnist", is the code's discriminator, with 43 million weights in one layer. The default
  halves the image in each convolution, as EGBAD does. The paper's Table I shows another network, for its trajectories.
- D has one Adam, and E and G share one. In the code all share one, which changes only the count of the bias correction.
- Other image sizes are halved until 8 x 8, and tables use EGBAD's KDD99 networks. Neither was published. The code
  of a table has as many dimensions as columns, 32 at most, where the other methods here take half: the mixture fits
  codes of any shape, and what a code leaves out the score cannot see. Over fourteen development tables the mean AUROC
  is .79 so, with steps of 3e-4, and .77 with half and 1e-4; on three narrow ones .76, .85, .97, not .69, .79, .78.
  The reconstruction of a table has a weight of 10: .797 on the same tables, three seeds, where 1 has .786.
- The paper's 50 codes are a thousandth of its images and a sixteenth of 800 rows, where the sampler finds up to fifty
  clusters. So of fewer than 4,000 codes a cluster of an eightieth counts, but of no fewer than 11: on the same tables
  .806, not .798 (one seed).
Differs from the paper:
- Covariances are posterior means, because 51 codes in 100 dimensions have a singular sample covariance.
- The concentration was not published; here it is 1. ``ganad.mixture`` explains the prior's scale, which can be read in
  three ways that disagree.
"""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..detector import Batches, BidirectionalDetector, Updates
from ..errors import InputError, Interrupted
from ..losses import bce, per_sample
from ..mixture import InfiniteGaussianMixture
from ..nets import JointCritic, SameConv2d, keras_norm2d, leaky_fifth, row_linear, xavier_uniform
from ..nets.egbad import dense_generator, halved, kdd_networks
from ..settings import Bound, Count, Positive
from ..training import TrainingSet

_MOST_CODE = 32  # dimensions of a table's code where none are given
_MOMENTUM = 0.2  # of batch norm, one minus the code's decay of .8

_Freedom = Annotated[float, Bound(-1, open_low=True)]
PsiScale = Literal["identity", "inverse-wishart-mean", "inverse-wishart-precision", "covariance"]


class IGMMGAN(BidirectionalDetector):
    """Distance of a BiGAN's code from the nearest cluster of an infinite Gaussian mixture."""

    variant: Literal["mixture", "gaussian", "sigma"] = "mixture"  #: the score
    w_rec: float | None = None  #: weight of the reconstruction error in training; None: 10 for tables, 1 for images
    alpha: float = 0.1  #: weight of the reconstruction error in the score "sigma"
    latent_dim: Count | None = None  #: size of z; None: the number of a table's columns, 2 to 32, and 100 for images
    stride: Literal[1, 2] = 2  #: stride of the discriminator's convolutions (images)
    concentration: Positive = 1.0  #: concentration of the Dirichlet process
    kappa0: Positive = 0.1  #: prior strength of a cluster's mean
    dof: _Freedom = 20.0  #: degrees of freedom of a cluster's covariance beyond the number of dimensions
    prior_scale: Positive = 7.0  #: scale of the prior's scale matrix
    psi_scale: PsiScale = "identity"  #: how the scale matrix follows from prior_scale
    sweeps: Count = 500  #: sweeps of the sampler; three fifths of them are burn-in
    min_cluster_size: int | None = None  #: clusters of so many codes or fewer do not count; None: n / 80, 10 to 50
    lr: float | None = None  #: step size of Adam, shared by both players; None: 3e-4 for tables, 1e-4 for images
    lr_halving: Count | None = None  #: iterations after which the step size is halved, at most four times
    batch_size: int = 128  #: samples a training step draws

    LEAST_EPOCHS = (5, 50)
    STEP_SIZES = (3e-4, 1e-4)
    PRESETS = {
        "mnist": dict(stride=1, lr=1e-5, lr_halving=10_000, epochs=100),
        "kddcup99": dict(w_rec=1.0, latent_dim=32, lr=1e-5, batch_size=50, epochs=50, scaling="minmax"),
    }
    TRANSIENT = ("mixture_", "clusters_")
    LEARNS = {
        "mixture_counts_": "int64[k]",
        "mixture_means_": "float64[k, d]",
        "mixture_scale_cholesky_": "float64[k, d, d]",
        "mixture_weights_": "float64[k]",
        "mixture_mu0_": "float64[d]",
        "mixture_psi0_": "float64[d, d]",
        "mixture_labels_": "int64[n]",
        "mixture_label_samples_": "int64[kept, n]",
        "mixture_log_joint_": "float64[drawn]",
        "mixture_n_clusters_trace_": "int64[drawn]",
        "mixture_alpha_trace_": "float64[drawn]",
        "mixture_scalars_": "float64[5]",
        "codes_mean_": "float64[d]",
        "codes_covariance_": "float64[d, d]",
    }

    def check_settings(self) -> None:
        super().check_settings()
        if self.psi_scale != "identity" and self.dof <= 1:
            raise InputError(f"IGMMGAN: dof={self.dof:g} must be above 1 with psi_scale={self.psi_scale!r}")

    def code_size_for(self, shape: tuple[int, ...]) -> int:
        """As in the base class, but with a dimension for each column of a table: the mixture needs no normal codes."""
        if self.latent_dim is None and len(shape) == 1:
            return max(2, min(_MOST_CODE, shape[0]))
        return super().code_size_for(shape)

    def build_table(self, d: int) -> dict[str, nn.Module]:
        return self._players(kdd_networks(d, self.code_size_for((d,))))

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        return self._players(image_networks(shape, self.code_size_for(shape), self.stride))

    def _players(self, nets: dict[str, nn.Module]) -> dict[str, nn.Module]:
        """Encoder and generator under one optimiser."""
        coder = nn.ModuleDict(dict(encoder=nets["encoder"], generator=nets["generator"]))
        return dict(discriminator=nets["discriminator"], coder=coder)

    def training_step(self, batches: Batches) -> Updates:
        coder, D = self.nets_.coder, self.nets_.discriminator
        E, G = coder["encoder"], coder["generator"]
        w_rec = self.w_rec if self.w_rec is not None else 1.0 if self.input_.is_image else 10.0
        x = next(batches)
        z = self.noise(len(x))
        coder.eval()
        with torch.no_grad():
            z_hat, x_fake = E(x), G(z)
        coder.train()
        yield "discriminator", dict(encoded=bce(D(x, z_hat), 1.0))
        yield "discriminator", dict(generated=bce(D(x_fake, z), 0.0))
        z_hat = E(x)
        yield (
            "coder",
            dict(
                generated=bce(D(G(z), z), 1.0),
                encoded=bce(D(x, z_hat), 0.0),
                reconstruction=w_rec * (x - G(z_hat)).square().mean(),
            ),
        )

    def lr_factor(self, player: str, epoch: float, iteration: int) -> float:
        return 0.5 ** min(iteration // self.lr_halving, 4) if self.lr_halving else 1.0

    def train(self, x: TrainingSet) -> None:
        self.run(self.training_step, x)
        codes = self.map_batches(self.nets_.coder["encoder"], x).double().cpu().numpy()
        d = codes.shape[1]
        thin = max(1, self.sweeps // 10)
        mixture = InfiniteGaussianMixture(
            alpha=self.concentration,
            kappa0=self.kappa0,
            m=d + self.dof,
            s=self.prior_scale,
            psi_scale=self.psi_scale,
            n_sweeps=self.sweeps,
            burn_in=min(3 * self.sweeps // 5, self.sweeps - thin),
            thin=thin,
            min_cluster_size=self.min_cluster_size,
            random_state=torch.initial_seed() % 2**31,
            progress=self._sweep,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "the fit was interrupted")  # it is not kept, as half a training is not
            mixture.fit(codes)
        if mixture.interrupted_:
            raise Interrupted("stopped in the sweeps of the mixture, which a resumed fit repeats")
        for name, array in mixture.to_arrays().items():
            setattr(self, f"mixture_{name}_", array)
        self.codes_mean_ = codes.mean(0)
        self.codes_covariance_ = np.cov(codes, rowvar=False).reshape(d, d)
        self.restored()

    def _sweep(self, info: dict[str, Any]) -> None:
        self.progress(info["sweep"], info["n_sweeps"], f"{info['n_clusters']} clusters", "mixture")

    def restored(self) -> None:
        prefix = "mixture_"
        arrays = {k[len(prefix) : -1]: v for k, v in vars(self).items() if k.startswith(prefix) and k != prefix}
        self.mixture_ = InfiniteGaussianMixture.from_arrays(arrays)
        values, axes = np.linalg.eigh(self.codes_covariance_)
        floor = max(values[-1], np.finfo(np.float64).tiny) * 1e-9  # codes may fill only a subspace
        clusters = dict(
            mixture=(self.mixture_.means_, self.mixture_.precisions_cholesky_),
            gaussian=(self.codes_mean_[None], (axes / np.sqrt(np.maximum(values, floor)))[None]),
        )
        self.clusters_ = {k: tuple(torch.as_tensor(np.ascontiguousarray(a)) for a in v) for k, v in clusters.items()}

    def score_batch(self, x: Tensor) -> Tensor:
        z = self.encode_batch(x)
        if self.variant == "sigma":
            x_hat = self.nets_.coder["generator"](z)
            error = per_sample((x - x_hat).square()).sqrt()
            return self.alpha * error + (1 - self.alpha) * softplus(-self.nets_.discriminator(x, z))
        location, whitener = self.clusters_[self.variant]
        return distance(z.double(), location.to(x.device), whitener.to(x.device)).float()

    def validation_batch(self, x: Tensor) -> Tensor:
        """Squared reconstruction error ``(n,)``, because the mixture exists only after training."""
        return per_sample((x - self.reconstruct_batch(x)).square())

    def codec(self) -> tuple[nn.Module, nn.Module]:
        return self.nets_.coder["encoder"], self.nets_.coder["generator"]


def distance(z: Tensor, location: Tensor, whitener: Tensor) -> Tensor:
    """min_k |P_k'(z - mu_k)| ``(n,)`` of codes ``(n, d)``; whitener ``(K, d, d)`` with P_k P_k' = Sigma_k^-1."""
    k, d, _ = whitener.shape
    rows = whitener.transpose(1, 2).reshape(k * d, d)
    white = row_linear(z, rows).reshape(-1, k, d) - (whitener * location[:, :, None]).sum(1)
    return white.square().sum(2).amin(1).sqrt()


def image_networks(shape: tuple[int, ...], latent_dim: int, stride: int) -> dict[str, nn.Module]:
    """The code's MNIST networks for any size; the encoder pools and the generator doubles once for each halving."""
    players = dict(
        encoder=image_encoder(shape, latent_dim),
        generator=dense_generator(shape, latent_dim, leaky_fifth, _MOMENTUM),
        discriminator=image_critic(shape, latent_dim, stride),
    )
    return {name: net.apply(xavier_uniform) for name, net in players.items()}


def _norm(channels: int) -> nn.Module:
    return keras_norm2d(channels, _MOMENTUM)


def image_encoder(shape: tuple[int, ...], latent_dim: int) -> nn.Module:
    """Convolutions and pooling, then a dense layer."""
    sizes = halved(shape)
    h, w = sizes[-1]
    down: list[nn.Module] = []
    c = shape[0]
    for i in range(len(sizes) - 1):
        wide = 32 * 2 ** min(i, 1)
        down += [SameConv2d(c, wide, 3, 1), _norm(wide), leaky_fifth(), nn.MaxPool2d(2, ceil_mode=True)]
        c = wide
    down += [SameConv2d(c, 128, 3, 1), _norm(128), leaky_fifth(), nn.Flatten(), nn.Linear(128 * h * w, latent_dim)]
    return nn.Sequential(*down)


def image_critic(shape: tuple[int, ...], latent_dim: int, stride: int) -> JointCritic:
    """The code's two convolutions (``stride=1``), or one of stride 2 for every halving."""
    channels, height, width = shape
    sizes = halved(shape)
    branch: list[nn.Module] = []
    if stride == 1:
        branch += [nn.Conv2d(channels, 64, (3, 2)), leaky_fifth(), nn.Dropout(0.5)]
        branch += [nn.Conv2d(64, 64, (3, 1)), _norm(64), leaky_fifth(), nn.Dropout(0.5)]
        flat = 64 * (height - 4) * (width - 1)
    else:
        for i in range(len(sizes) - 1):
            norm = [_norm(64)] if i else []
            branch += [SameConv2d(64 if i else channels, 64, 4, stride), *norm, leaky_fifth(), nn.Dropout(0.5)]
        flat = 64 * sizes[-1][0] * sizes[-1][1]
    return JointCritic(
        x_branch=nn.Sequential(*branch, nn.Flatten()),
        z_branch=nn.Sequential(nn.Linear(latent_dim, 512), leaky_fifth(), nn.Dropout(0.5)),
        joint=nn.Sequential(nn.Linear(flat + 512, 1024), leaky_fifth(), nn.Dropout(0.5)),
        head=nn.Linear(1024, 1),
    )
