"""The infinite Gaussian mixture as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, softmax
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ..errors import InputError
from ..progress import Bar
from . import align, chain, gibbs, niw, settings
from .starts import STARTS
from .subcluster import SubclusterSampler
from .sweeps import CollapsedSampler

if TYPE_CHECKING:

    class _Estimator:
        """The methods that scikit-learn adds, with types. Without them the base would be Any, which hides typos."""

        n_features_in_: int

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...

else:
    from sklearn.base import BaseEstimator, DensityMixin

    class _Estimator(DensityMixin, BaseEstimator):
        """scikit-learn's density estimator."""


_MOVES = {"collapsed": 5, "subcluster": 5}  # split-merge proposals per sweep
#: what to_arrays writes: attribute and type
_ARRAYS = {
    "counts_": np.int64,
    "means_": np.float64,
    "scale_cholesky_": np.float64,
    "weights_": np.float64,
    "mu0_": np.float64,
    "psi0_": np.float64,
    "labels_": np.int64,
    "label_samples_": np.int64,
    "log_joint_": np.float64,
    "n_clusters_trace_": np.int64,
    "alpha_trace_": np.float64,
}


class InfiniteGaussianMixture(_Estimator):
    """Dirichlet-process mixture of Gaussians under a normal-inverse-Wishart prior, fitted by Markov chain Monte Carlo.

    C. E. Rasmussen, NeurIPS 1999, as used by IGMM-GAN (Gray et al., 2018). After ``fit`` the cluster of each training
    point is ``labels_`` (0 is the largest); clusters of more than ``min_cluster_size`` points are kept for scoring,
    and if there is none, the largest.

    Scores use posterior quantities, never sample covariances, because a cluster of 51 points in 100 dimensions has a
    singular one. Every method that takes X needs (n, d) finite numbers and raises InputError otherwise.

    Parameters
    ----------
    alpha : concentration of the Chinese restaurant process; its first value if ``alpha_prior`` is given.
    alpha_prior : None, or (shape, rate) of a Gamma prior on alpha, then sampled as in Escobar and West (1995).
    kappa0, m, s : prior strength of the mean, degrees of freedom (None: d + 20), scale.
    psi_scale : the prior scale matrix Ψ0. ``"identity"``: s I, as the paper prints it;
        ``"inverse-wishart-mean"``: (m - d - 1) s I, so that E[Σ] = s I; ``"inverse-wishart-precision"``:
        (m - d - 1) I / s, E[Σ] = I / s; ``"covariance"``: (m - d - 1) cov(X) / s.
    mu0 : prior mean (d,); None: the mean of the data.
    n_sweeps, burn_in, thin : length of the chain, sweeps before the first sample, sweeps between label samples.
    min_cluster_size : clusters of this many points or fewer are left out of scoring; None: n / 80, but 10 to 50.
    sampler : ``"collapsed"`` (exact Gibbs, one point at a time), ``"subcluster"`` (parallel, for many points) or
        ``"auto"``. Both have the same stationary distribution.
    init : ``"kmeans"`` (30 centres), ``"sequential"``, ``"one"`` cluster, or ``"auto"``: k-means and sequential each
        make a pilot run, and the one with the higher log joint goes on.
    split_merge : split-merge proposals per sweep; True uses the default number, False makes none. ``"subcluster"``
        needs them: without them its number of clusters stays that of the start.
    consensus : ``"mode"``, each point's most frequent aligned label, or ``"best"``, the labelling of the highest
        log joint.
    random_state : seed.
    verbose : 1 shows a progress bar on a terminal, else a line every half minute.
    progress : called after each sweep with a dict (start, sweep, n_sweeps, n_clusters, log_joint).
    n_jobs : threads of the parallel sampler (None: 1).
    device : a torch device for the parallel sampler, such as ``"cuda"``; None: NumPy.

    Attributes
    ----------
    weights_ (K,) n_k / (N + alpha) of the kept clusters; the rest to 1 is the weight of the prior predictive;
    means_ (K, d) and covariances_ (K, d, d), posterior means; precisions_cholesky_ (K, d, d) upper triangular P with
    PP' = Σ⁻¹; counts_ (K,); scale_cholesky_ (K, d, d) lower factors of Ψ_n; labels_ (N,), values K and above being
    dropped clusters; label_samples_ (S, N), aligned; log_joint_, n_clusters_trace_, alpha_trace_ (n_sweeps,);
    best_log_joint_; alpha_; sampler_; start_; mu0_ (d,); psi0_ (d, d); kappa0_; m_; n_samples_; n_features_in_.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        alpha_prior: tuple[float, float] | None = None,
        kappa0: float = 0.1,
        m: float | None = None,
        s: float = 7.0,
        psi_scale: Literal["identity", "inverse-wishart-mean", "inverse-wishart-precision", "covariance"] = "identity",
        mu0: np.ndarray | None = None,
        n_sweeps: int = 500,
        burn_in: int = 300,
        thin: int = 50,
        min_cluster_size: int | None = None,
        sampler: Literal["auto", "collapsed", "subcluster"] = "auto",
        init: Literal["auto", "kmeans", "sequential", "one"] = "auto",
        split_merge: bool | int = True,
        consensus: Literal["mode", "best"] = "mode",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        progress: Callable[[dict[str, Any]], object] | None = None,
        n_jobs: int | None = None,
        device: str | None = None,
    ):
        self.alpha = alpha
        self.alpha_prior = alpha_prior
        self.kappa0 = kappa0
        self.m = m
        self.s = s
        self.psi_scale = psi_scale
        self.mu0 = mu0
        self.n_sweeps = n_sweeps
        self.burn_in = burn_in
        self.thin = thin
        self.min_cluster_size = min_cluster_size
        self.sampler = sampler
        self.init = init
        self.split_merge = split_merge
        self.consensus = consensus
        self.random_state = random_state
        self.verbose = verbose
        self.progress = progress
        self.n_jobs = n_jobs
        self.device = device

    def fit(self, X: np.ndarray, y: object = None) -> InfiniteGaussianMixture:
        """Sample the posterior of the labels of X (N, d). Ctrl-C ends with a warning and the best state so far."""
        values = self.get_params()
        settings.check(values)
        x = self._table(X, reset=True)
        prior = settings.prior_for(x, values)
        centred = x - prior.mu
        with threadpool_limits(1):  # threads of BLAS and k-means would wait for each other and for n_jobs
            history = self._sample(centred, replace(prior, mu=np.zeros_like(prior.mu)), values)
        best = history.best_labels
        assert best is not None
        if history.samples and not history.interrupted:
            self.label_samples_, consensus = align.align(np.stack(history.samples))
        else:
            self.label_samples_, consensus = np.empty((0, len(x)), dtype=np.int64), best
        self.alpha_ = float(history.alpha[-1]) if history.alpha else float(self.alpha)
        if self.consensus == "best" or not len(self.label_samples_):
            consensus, self.alpha_ = best, float(history.best_alpha)
        self.log_joint_ = np.array(history.log_joint)
        self.n_clusters_trace_ = np.array(history.n_clusters, dtype=np.int64)
        self.alpha_trace_ = np.array(history.alpha)
        self.best_log_joint_, self.start_ = history.best_log_joint, history.start
        self.interrupted_ = history.interrupted
        self._set_clusters(x, prior, consensus)
        if history.interrupted:
            warnings.warn(
                f"the fit was interrupted after {len(self.log_joint_)} of {self.n_sweeps} sweeps; "
                "it keeps the labelling of the highest log joint so far",
                UserWarning,
                stacklevel=2,
            )
        return self

    def _sample(self, x: np.ndarray, prior: niw.NIW, values: dict[str, Any]) -> chain.History:
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        has_numba = gibbs.kernels is not None
        self.sampler_ = settings.choose_sampler(values, *x.shape, has_numba=has_numba)
        moves = _MOVES[self.sampler_] if self.split_merge is True else int(self.split_merge)
        alpha = float(self.alpha)

        def make(labels: np.ndarray) -> chain.Sampler:
            if self.sampler_ == "collapsed":
                return CollapsedSampler(x, prior, alpha, labels, moves=moves)
            return SubclusterSampler(x, prior, alpha, labels, moves=moves, n_jobs=self.n_jobs or 1, device=self.device)

        names = [self.init] if self.init != "auto" else ["kmeans", "sequential"]
        if self.init == "auto" and self.sampler_ == "subcluster" and not has_numba:
            names = ["kmeans", "one"]  # inserting many points one by one takes hours without Numba
        starts = [(name, lambda start=STARTS[name]: start(x, prior, alpha, rng)) for name in names]
        schedule = chain.Schedule(self.n_sweeps, self.burn_in, self.thin, self.alpha_prior, self.progress)
        if not self.verbose:
            return chain.run(starts, make, schedule, rng)
        with Bar("mixture") as bar:

            def report(info: dict[str, Any]) -> None:
                bar.update(info["sweep"], info["n_sweeps"], f"{info['n_clusters']} clusters, {info['log_joint']:.1f}")
                if self.progress is not None:
                    self.progress(info)

            schedule.progress = report
            return chain.run(starts, make, schedule, rng)

    def _set_clusters(self, x: np.ndarray, prior: niw.NIW, labels: np.ndarray) -> None:
        self.labels_ = align.compact(labels)
        counts = np.bincount(self.labels_)
        fewest = max(10, min(50, len(x) // 80)) if self.min_cluster_size is None else self.min_cluster_size
        kept = max(1, int((counts > fewest).sum()))
        self.counts_ = counts[:kept]
        self.kappa0_, self.m_, self.mu0_, self.psi0_ = prior.kappa, prior.m, prior.mu, prior.psi
        self.n_samples_ = len(x)
        # around μ0, as in the sampler, so that a common shift of the data costs no digits
        centred = replace(prior, mu=np.zeros_like(prior.mu))
        posteriors = [centred.posterior(niw.moments(x[self.labels_ == k] - prior.mu)) for k in range(kept)]
        self.means_ = np.stack([mean for mean, _ in posteriors]) + prior.mu
        self.scale_cholesky_ = np.stack([niw.cholesky(psi) for _, psi in posteriors])
        self.weights_ = self.counts_ / (self.n_samples_ + self.alpha_)
        self._derive()

    def _derive(self) -> None:
        """Covariances Ψ_n/(m_n - d - 1), or the mode Ψ_n/(m_n + d + 1) if that mean does not exist."""
        d = self.means_.shape[1]
        left = self.m_ + self.counts_ - d - 1
        dof = np.where(left > 0, left, self.m_ + self.counts_ + d + 1)
        factors = self.scale_cholesky_ / np.sqrt(dof)[:, None, None]
        self.covariances_ = factors @ factors.transpose(0, 2, 1)
        eye = np.eye(d)
        self.precisions_cholesky_ = np.stack(
            [solve_triangular(f, eye, lower=True, check_finite=False).T for f in factors]
        )

    def _table(self, X: np.ndarray, *, reset: bool) -> np.ndarray:
        try:
            table: np.ndarray = validate_data(self, X, reset=reset, dtype=np.float64)
        except ValueError as error:
            text = str(error)
            is_value = "NaN" in text or "infinity" in text  # the rest of that message recommends other estimators
            raise InputError(text.split("\n")[0] if is_value else " ".join(text.split())) from error
        return table

    def _log_terms(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log n_k/(N + α) + log t_k(x) of the kept clusters (n, K), and the prior predictive's term (n,)."""
        check_is_fitted(self)
        x = self._table(X, reset=False)
        prior = niw.NIW(self.kappa0_, self.m_, self.mu0_, self.psi0_)
        terms = np.empty((len(x), len(self.counts_)))
        for k, n in enumerate(self.counts_):
            terms[:, k] = niw.log_student_t(x, prior, int(n), self.means_[k], self.scale_cholesky_[k])
        rest = np.log1p(-self.weights_.sum())
        base = rest + niw.log_student_t(x, prior, 0, self.mu0_, niw.cholesky(self.psi0_))
        return terms + np.log(self.weights_), base

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log predictive density (n,): Σ_k n_k/(N + α) t_k(x) + the rest of the weight times t_0(x).

        The rest, (α + points of dropped clusters)/(N + α), goes to the prior predictive, so that the density
        integrates to one. If no cluster is dropped, it is the Dirichlet process's own predictive.
        """
        terms, base = self._log_terms(X)
        density: np.ndarray = logsumexp(np.column_stack([terms, base]), axis=1)
        return density

    def score(self, X: np.ndarray, y: object = None) -> float:
        """Mean log predictive density."""
        return float(self.score_samples(X).mean())

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probability of each kept cluster (n, K), given that the point belongs to one of them."""
        share: np.ndarray = softmax(self._log_terms(X)[0], axis=1)
        return share

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Most probable kept cluster (n,)."""
        cluster: np.ndarray = self._log_terms(X)[0].argmax(axis=1)
        return cluster

    def fit_predict(self, X: np.ndarray, y: object = None) -> np.ndarray:
        """``labels_`` after ``fit``; points of dropped clusters have labels from K on."""
        return self.fit(X).labels_

    def mahalanobis(self, X: np.ndarray, *, squared: bool = False, per_cluster: bool = False) -> np.ndarray:
        """Distance sqrt((x - μ_k)'Σ_k⁻¹(x - μ_k)) to the nearest kept cluster (n,), or to each one (n, K).

        ``squared`` omits the square root. IGMM-GAN's anomaly score is the call with defaults.
        """
        check_is_fitted(self)
        x = self._table(X, reset=False)
        out = np.empty((len(x), len(self.counts_)))
        for k, (mean, p) in enumerate(zip(self.means_, self.precisions_cholesky_)):
            y = (x - mean) @ p
            out[:, k] = np.einsum("nd,nd->n", y, y)
        if not per_cluster:
            out = out.min(axis=1)
        return out if squared else np.sqrt(out)

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draws from the predictive density (n, d) and the cluster of each (n,), -1 for the prior predictive."""
        check_is_fitted(self)
        if n_samples < 1:
            raise InputError(f"n_samples must be at least 1, not {n_samples!r}.")
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        d, k = self.means_.shape[1], len(self.counts_)
        labels = rng.choice(k + 1, size=n_samples, p=np.append(self.weights_, 1 - self.weights_.sum()))
        means = np.vstack([self.means_, self.mu0_])
        factors = np.concatenate([self.scale_cholesky_, niw.cholesky(self.psi0_)[None]])
        kappa, m = self.kappa0_ + np.append(self.counts_, 0), self.m_ + np.append(self.counts_, 0)
        nu = m - d + 1
        scale = np.sqrt((kappa + 1) / (kappa * nu))
        out = np.empty((n_samples, d))
        for c in np.unique(labels):
            at = np.flatnonzero(labels == c)
            normal = rng.standard_normal((len(at), d)) @ factors[c].T * scale[c]
            out[at] = means[c] + normal / np.sqrt(rng.chisquare(nu[c], (len(at), 1)) / nu[c])
        labels[labels == k] = -1
        return out, labels

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted model as plain arrays, without pickles; ``from_arrays`` reads them."""
        check_is_fitted(self)
        arrays = {name.rstrip("_"): np.asarray(getattr(self, name), dtype=kind) for name, kind in _ARRAYS.items()}
        arrays["scalars"] = np.array([self.kappa0_, self.m_, self.alpha_, self.n_samples_, self.best_log_joint_])
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], **params: Any) -> InfiniteGaussianMixture:
        """A fitted model from ``to_arrays``; ``params``: of the constructor. InputError if an array is missing."""
        model = cls(**params)
        missing = [key for key in [*(n.rstrip("_") for n in _ARRAYS), "scalars"] if key not in arrays]
        if missing:
            raise InputError(f"the arrays of a mixture lack {', '.join(missing)}.")
        for name, kind in _ARRAYS.items():
            setattr(model, name, np.array(arrays[name.rstrip("_")], dtype=kind))
        if not (model.counts_ > 0).all() or model.counts_.sum() > len(model.labels_):
            raise InputError("the arrays of a mixture have clusters of no points, or of more than there are.")
        kappa, m, alpha, n, best = (float(v) for v in arrays["scalars"])
        model.kappa0_, model.m_, model.alpha_ = kappa, m, alpha
        model.n_samples_, model.best_log_joint_ = int(n), best
        model.n_features_in_ = model.means_.shape[1]
        model._derive()
        return model
