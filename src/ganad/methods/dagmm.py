"""DAGMM, deep autoencoding Gaussian mixture model.

B. Zong et al., "Deep autoencoding Gaussian mixture model for unsupervised anomaly detection", ICLR 2018. No official
code; known ports are danieltan07/dagmm (PyTorch), tnakae/DAGMM and the one in the ALAD repository (TensorFlow).

An autoencoder compresses a sample to a few numbers. Two measures of its error join them as features. A small network
guesses which component of a Gaussian mixture the features belong to, and the mixture follows from the guesses in closed
form. Everything is trained together. The score is the energy under the mixture.

    z = [E(x), ||x - x'|| / ||x||, cos(x, x')], x' = G(E(x)); gamma = softmax(M(z))
    phi_k    mean of gamma_k          mu_k, Sigma_k: mean and covariance of z weighted by gamma_k
    energy   -log sum_k phi_k N(z; mu_k, Sigma_k)
    loss     mean ||x - x'||^2 + w_energy mean energy(z) + w_diag sum_k sum_j 1 / Sigma_k,jj
    score    energy(z) under the mixture of the whole training set, computed once after training

Differs from the paper:
- Covariances get ``jitter`` times (1 + their mean variance) on the diagonal. Without it the mixture can be singular.
- ||x|| has a floor of a hundredth per column, for rows that equal the mean of the data and so become zero by scaling.
- Gradients are clipped at 5, as in danieltan07's port, because a component that shrinks to a point has huge gradients.
- Images use the convolutions of the geometric transformations authors. The preset "cifar10" has their port's settings.
- The paper does not say how inputs are scaled. The default scales to [-1, 1]; the presets standardise tables.
Differs from the ports:
- Weights, densities and their sum stay in logarithms and in float64. In the ports densities underflow and get 1e-12
  added, so every far sample scores 27.6. The determinant is that of Sigma (one port has its root).
- The mixture is that of all training samples, without dropout. Ports keep the last batch's, or average batches.

Scaling matters more than the length of training. Arrhythmia has 190 standardised rows of 274 columns, and a code of two
numbers redraws little of them (a squared error of 250 after one epoch, 181 after 4,000). Dividing the error by ||x||
hides the anomalies: ||x - x'|| has AUROC .79 to .80, the ratio .23 to .56. The AUROC of the energy falls from .70 after
one epoch to .63 after 1,000, .60 after 4,000 and .50 after the preset's 10,000, whose F1 is .11 where the paper prints
.50 (preset "arrhythmia", mean of three seeds, nothing chosen by it). With ``scaling="minmax"`` it is .75 to .77. The
development tables agree (.89 instead of .74 on 9 columns, .68 instead of .54 on 57), so this is the default. A likely
reason, not tested by itself: standardised rows lie around zero, so ||x|| is small for the most normal rows and their
relative error is large.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ..detector import Batches, NetworkDetector, Updates
from ..losses import per_sample
from ..nets import Reshape, SameConv2d, SameDeconv2d, mlp, pyramid
from ..settings import Count
from ..training import TrainingSet

_FLOOR = 1e-4  # of a sample's mean square


class DAGMM(NetworkDetector):
    """A Gaussian mixture of an autoencoder's code and its errors, trained together; the energy is the score."""

    n_components: Count = 4  #: components of the mixture
    w_energy: float = 0.1  #: weight of the energy
    w_diag: float = 0.005  #: weight of the inverse variances
    jitter: float = 1e-6  #: added to covariances, relative to one plus their mean variance
    latent_dim: Count = 2  #: size of the code
    hidden: tuple[int, ...] = (60, 30, 10)  #: widths of the encoder's layers (tables)
    width: Count = 64  #: channels at half the image's size
    estimation_hidden: tuple[int, ...] = (10,)  #: widths of the layers that guess the component
    dropout: float = 0.5  #: share of these layers' units dropped in training
    clip_norm: float | None = 5.0  #: largest norm of the gradient
    lr: float = 1e-3  #: step size of Adam
    betas: tuple[float, float] = (0.9, 0.999)  #: decay rates of Adam's two moments
    batch_size: int = 256  #: samples a training step draws
    scaling: Literal["auto", "minmax", "standard", "none"] = "minmax"  #: of the input
    updates: Count = 500  #: batches that a fit trains on where ``epochs`` is None

    LEAST_EPOCHS = (5, 100)
    PRESETS = {
        "kddcup99": dict(scaling="auto", latent_dim=1, lr=1e-4, batch_size=1024, epochs=200),
        "thyroid": dict(
            scaling="auto", latent_dim=1, hidden=(12, 4), n_components=2, lr=1e-4, batch_size=1024, epochs=20_000
        ),
        "arrhythmia": dict(
            scaling="auto", latent_dim=2, hidden=(10,), n_components=2, lr=1e-4, batch_size=128, epochs=10_000
        ),
        "cifar10": dict(
            latent_dim=5, n_components=3, estimation_hidden=(64, 10), w_energy=0.01, w_diag=0.0005, epochs=200
        ),
    }
    LEARNS = {
        "log_phi_": "torch.float64[n_components]",
        "location_": "torch.float64[n_components, d]",
        "whitener_": "torch.float64[n_components, d, d]",
    }

    def build_table(self, d: int) -> dict[str, nn.Module]:
        widths = (d, *self.hidden, self.latent_dim)
        return self._model(mlp(*widths, activation=nn.Tanh), mlp(*widths[::-1], activation=nn.Tanh))

    def build_image(self, shape: tuple[int, int, int]) -> dict[str, nn.Module]:
        return self._model(*convolutional(shape, self.width, self.latent_dim))

    def _model(self, encoder: nn.Module, decoder: nn.Module) -> dict[str, nn.Module]:
        sizes = (self.latent_dim + 2, *self.estimation_hidden, self.n_components)
        estimator = mlp(*sizes, activation=nn.Tanh, dropout=self.dropout)
        return dict(model=nn.ModuleDict(dict(encoder=encoder, decoder=decoder, estimator=estimator)))

    def train(self, x: TrainingSet) -> None:
        self.run(self.training_step, x)
        outputs = self.map_batches(lambda batch: torch.cat(self.features(batch)[:2], 1), x)
        z, logit = torch.split(outputs, [self.latent_dim + 2, self.n_components], 1)
        log_phi, mu, sigma = mixture(z, logit, self.jitter)
        self.log_phi_, self.location_, self.whitener_ = log_phi.cpu(), mu.cpu(), whitener(sigma).cpu()

    def training_step(self, batches: Batches) -> Updates:
        loss, sigma = self.losses(next(batches))
        inverse = (1 / sigma.diagonal(dim1=1, dim2=2)).sum()
        yield "model", {k: v.mean() for k, v in loss.items()} | dict(diag=self.w_diag * inverse)

    def losses(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Terms of the loss ``(n,)`` under the mixture of these samples, and its covariances."""
        z, logit, x_hat = self.features(x)
        log_phi, mu, sigma = mixture(z, logit, self.jitter)
        terms = dict(
            reconstruction=per_sample((x - x_hat).square()),
            energy=self.w_energy * energy(z, log_phi, mu, whitener(sigma)),
        )
        return terms, sigma

    def features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Code and errors ``(n, latent_dim + 2)`` in float64, logits of the components, reconstruction."""
        code = self.nets_.model["encoder"](x)
        x_hat = self.nets_.model["decoder"](code).float()
        a, b = x.flatten(1).double(), x_hat.flatten(1).double()
        size = (a.square().mean(1) + _FLOOR).sqrt()
        error = ((a - b).square().mean(1) + 1e-12).sqrt()
        cosine = (a * b).mean(1) / (size * (b.square().mean(1) + _FLOOR).sqrt())
        z = torch.cat([code.double(), (error / size)[:, None], cosine[:, None]], 1)
        return z, self.nets_.model["estimator"](z.float()), x_hat

    def score_batch(self, x: Tensor) -> Tensor:
        z, _, _ = self.features(x)
        value = energy(z, self.log_phi_.to(x.device), self.location_.to(x.device), self.whitener_.to(x.device))
        return value.float()  # the last digits in float64 are rounding errors

    def validation_batch(self, x: Tensor) -> Tensor:
        """Loss ``(n,)`` under the mixture of these samples, because the final mixture exists only after training."""
        return sum(self.losses(x)[0].values(), torch.zeros(len(x), device=x.device))

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return self.features(x)[2]


def mixture(z: Tensor, logit: Tensor, jitter: float) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of the weights ``(K,)``, means ``(K, d)`` and covariances ``(K, d, d)`` of features, in float64.

    z: ``(n, d)``; logit: ``(n, K)`` of the memberships. A component that has lost all its samples stays finite.
    """
    z, log_gamma = z.double(), logit.double().log_softmax(1)
    weight = log_gamma.softmax(0)  # gamma_ik / sum_i gamma_ik
    mu = weight.T @ z
    centred = (z - mu[:, None]).transpose(0, 1)  # (n, K, d)
    sigma = torch.einsum("nki,nkj->kij", weight[..., None] * centred, centred)
    scale = 1 + sigma.diagonal(dim1=1, dim2=2).mean(1)
    sigma = sigma + jitter * scale[:, None, None] * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return log_gamma.logsumexp(0) - math.log(len(z)), mu, sigma


def whitener(sigma: Tensor) -> Tensor:
    """Inverses of the covariances' Cholesky factors, ``(K, d, d)``."""
    identity = torch.eye(sigma.shape[-1], dtype=sigma.dtype, device=sigma.device).expand_as(sigma)
    inverse: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky(sigma), identity, upper=False)
    return inverse


def energy(z: Tensor, log_phi: Tensor, mu: Tensor, root: Tensor) -> Tensor:
    """-log density ``(n,)`` of features ``(n, d)`` in float64; root: ``whitener`` of the covariances."""
    # without a matrix product, because its bits depend on the row's place in the batch
    white = (root * (z.double()[:, None] - mu)[:, :, None]).sum(3)  # (n, K, d)
    log_det = root.diagonal(dim1=1, dim2=2).log().sum(1)  # of the precision's root
    log_density = log_det - white.square().sum(2) / 2 - z.shape[1] * math.log(2 * math.pi) / 2
    return -(log_phi + log_density).logsumexp(1)


def convolutional(shape: tuple[int, ...], width: int, latent_dim: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder: 3 x 3 convolutions of stride 2 with batch norm and 1, 2 and 4 times ``width`` channels."""
    channels, *size = shape
    sizes = pyramid((size[0], size[1]), until=4, levels=3)
    widths = [channels, *(width * min(2**i, 4) for i in range(len(sizes) - 1))]
    flat = widths[-1] * sizes[-1][0] * sizes[-1][1]
    down: list[nn.Module] = []
    up: list[nn.Module] = [nn.Linear(latent_dim, flat), nn.BatchNorm1d(flat), nn.ReLU(), Reshape(widths[-1], sizes[-1])]
    for a, b in zip(widths, widths[1:]):
        down += [SameConv2d(a, b, 3, 2), nn.BatchNorm2d(b), nn.ReLU()]
    for a, b, target in zip(widths[:1:-1], widths[-2:0:-1], sizes[-2:0:-1]):
        up += [SameDeconv2d(a, b, 3, 2, target), nn.BatchNorm2d(b), nn.ReLU()]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, latent_dim))
    return encoder, nn.Sequential(*up, SameDeconv2d(widths[1], channels, 3, 2, sizes[0]), nn.Tanh())
