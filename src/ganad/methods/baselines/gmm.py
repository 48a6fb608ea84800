"""GMM, Gaussian mixture: minus the log density of a sample under a few Gaussians.

The Gaussians are fitted by expectation maximisation. Their number follows G. Schwarz, "Estimating the dimension of a
model", Annals of Statistics 6, 1978. A baseline of the ADGAN paper.

    score   -log sum_k w_k N(z; mu_k, Sigma_k), z: the features; full covariances
    K       the number of components with the lowest Bayesian information criterion

Differs from the ADGAN paper: there the number of principal components was chosen on held-out data with anomalies. Here
it is a setting.

Up to ``choose_samples`` training samples, every K in ``components`` is tried on all of them. Of more, a part of m is
drawn, and K rises on that part until three in a row are no better. The criterion is then the one expected of all n:

    BIC     -2 n L + p (log n + n / m - 1), L: mean log density of the part, p: parameters; n / m - 1 for its optimism

A maximum on m samples is too high by p / (2 m) in the mean, one on n by p / (2 n). All samples are then fitted twice,
from the mixture found and from new centres, and the likelier fit is kept.

The mixture is fitted to ``max_samples`` training samples, drawn once by the seed. Fitting 50,000 samples of 121 columns
or 40 components takes at most 143 s on one thread (docs/speed.md).

Measured rows at full size differ from another implementation's by up to .055 of AUROC on one digit, because every
random start ends elsewhere (tests/test_reference.py). A published figure on KDD99 could not be reproduced from its
description: a mixture of four on ten directions is printed with an F1 of .921 and has .893 in scikit-learn itself, with
any seed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn import mixture
from torch import Tensor

from ...errors import InputError
from ...migrations import Change
from ...nets import row_linear
from ...settings import Count
from .features import OnFeatures

_ENOUGH = 3  # numbers of components in a row that are no better, after which a search on a part ends


class GMM(OnFeatures):
    """Gaussian mixture; the Bayesian information criterion chooses the number of components."""

    components: tuple[int, ...] = tuple(range(2, 21))  #: numbers of components to choose from
    jitter: float = 1e-4  #: added to the variances
    max_samples: Count = 20_000  #: training samples that it is fitted to, at most
    choose_samples: Count | None = 5_000  #: training samples, at most, on which K is chosen; None: all it is fitted to

    CHANGES = (Change("0.2", added=dict(choose_samples=None)),)
    PRESETS = {"mnist": dict(n_components=40), "cifar10": dict(n_components=60)}
    LEARNS = {"log_weights_": "float64[k]", "means_": "float64[k, d]", "precisions_": "float64[k, d, d]"}

    def learn(self, z: np.ndarray) -> None:
        z = self.some(z, self.max_samples, "fitted")
        part = z if self.choose_samples is None else self.some(z, self.choose_samples, "components chosen")
        best = self.best_of(part, len(z))
        if len(part) < len(z):
            start = dict(weights_init=best.weights_, means_init=best.means_, precisions_init=best.precisions_)
            rivals = [self.unfitted(best.n_components, **how).fit(z) for how in (start, {})]
            best = max(rivals, key=lambda model: model.lower_bound_)
        self.log_weights_, self.means_ = np.log(best.weights_), best.means_
        self.precisions_ = best.precisions_cholesky_

    def chosen(self) -> dict[str, Any]:
        return dict(components=(len(self.log_weights_),))

    def unfitted(self, k: int, **start: Any) -> mixture.GaussianMixture:
        """A mixture of ``k``, to be fitted from ``start`` or from random centres."""
        return mixture.GaussianMixture(k, reg_covar=self.jitter, random_state=self.seed_, **start)

    def best_of(self, part: np.ndarray, n: int) -> mixture.GaussianMixture:
        """The best mixture of ``part``, rows ``(m, d)`` of the ``n`` that the mixture is for."""
        m, d = part.shape
        best, lowest, worse = None, math.inf, 0
        most = min(m, max(len(np.unique(part, axis=0)), min(self.components)))  # of copies no more can be told apart
        for k in sorted(k for k in self.components if k <= most):
            model = self.unfitted(k).fit(part)
            parameters = k * (d + 1) * (d + 2) // 2 - 1
            bic = -2 * n * model.score(part) + parameters * (math.log(n) + n / m - 1)
            if bic < lowest:
                best, lowest, worse = model, bic, 0
            else:
                worse += 1
            if m < n and worse == _ENOUGH:
                break
        if best is None:
            raise InputError(f"GMM: no number of components in {self.components} suits {m} training samples")
        return best

    def rate(self, z: Tensor) -> Tensor:
        log_w, mean, p = (self.on(a, z) for a in (self.log_weights_, self.means_, self.precisions_))
        k, d, _ = p.shape
        white = row_linear(z, p.transpose(1, 2).reshape(k * d, d)).reshape(-1, k, d) - (p * mean[:, :, None]).sum(1)
        log_det = p.diagonal(dim1=1, dim2=2).log().sum(1)
        return -(log_w + log_det - white.square().sum(2) / 2 - d * math.log(2 * math.pi) / 2).logsumexp(1)
