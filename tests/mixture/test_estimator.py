"""The estimator: structure found, densities, distances, bad input, interruption, plain arrays."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.metrics import adjusted_rand_score

from ganad.errors import InputError
from ganad.mixture import InfiniteGaussianMixture, gibbs, niw

SHORT = dict(n_sweeps=30, burn_in=20, thin=5, random_state=0)
UNIT = dict(psi_scale="inverse-wishart-mean", s=1.0)  # E[Σ] = I, the blobs' own: with few points the prior decides


def blobs(n=600, d=10, k=4, spread=2.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    return (spread * rng.normal(size=(k, d)))[labels] + rng.normal(size=(n, d)), labels


@pytest.fixture(scope="module")
def fitted():
    x, _ = blobs(spread=5.0)
    return InfiniteGaussianMixture(**SHORT, **UNIT).fit(x), x


@pytest.mark.parametrize("sampler", ["collapsed", "subcluster"])
@pytest.mark.parametrize("init", ["one", "auto"])
def test_finds_nine_gaussians(sampler, init):
    x, labels = blobs(n=2700, d=12, k=9)
    model = InfiniteGaussianMixture(sampler=sampler, init=init, n_sweeps=90, burn_in=75, thin=5, random_state=1).fit(x)
    assert adjusted_rand_score(labels, model.labels_) >= 0.99
    assert model.n_clusters_trace_.shape == model.log_joint_.shape == (90,)
    assert model.label_samples_.shape == (3, 2700)
    assert (init == "auto") == (model.start_ != "one")


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["collapsed", "subcluster"])
@pytest.mark.parametrize("seed", range(5))
def test_finds_nine_gaussians_from_one_cluster_in_50_dimensions(sampler, seed):
    x, labels = blobs(n=30_000, d=50, k=9, seed=seed)
    model = InfiniteGaussianMixture(
        sampler=sampler, init="one", n_sweeps=150, burn_in=100, thin=10, random_state=seed
    ).fit(x)
    score = adjusted_rand_score(labels, model.labels_)
    assert score >= 0.99


def test_without_split_merge_one_cluster_stays_one():
    """The failure that split-merge moves are for; it also shows that ``init="one"`` is honest."""
    x, _ = blobs(n=900, d=30, k=3)
    still = InfiniteGaussianMixture(sampler="collapsed", init="one", split_merge=False, **SHORT, **UNIT).fit(x)
    moving = InfiniteGaussianMixture(sampler="collapsed", init="one", **SHORT, **UNIT).fit(x)
    assert still.n_clusters_trace_.max() == 1
    assert len(moving.counts_) > 1


@pytest.mark.parametrize("drop", [0, 250])
def test_density_integrates_to_one(drop):
    x = np.concatenate([np.random.default_rng(0).normal(c, w, 200) for c, w in ((-6, 1), (0, 0.5), (5, 2))])
    model = InfiniteGaussianMixture(min_cluster_size=drop, m=5, s=1.0, **SHORT).fit(x[:, None])
    grid = np.sinh(np.linspace(-16, 16, 400_001))  # the prior predictive has heavy tails
    assert np.trapezoid(np.exp(model.score_samples(grid[:, None])), grid) == pytest.approx(1.0, abs=1e-4)


def test_score_is_the_dirichlet_process_predictive(fitted):
    model, x = fitted
    new = x[:5] + 0.3
    prior = niw.NIW(model.kappa0_, model.m_, model.mu0_, model.psi0_)
    labels = model.labels_
    extended = [
        np.logaddexp.reduce(
            [niw.log_joint(np.vstack([x, row]), np.append(labels, k), prior, 1.0) for k in range(labels.max() + 2)]
        )
        for row in new
    ]
    if len(model.counts_) == labels.max() + 1:
        np.testing.assert_allclose(
            model.score_samples(new), np.array(extended) - niw.log_joint(x, labels, prior, 1.0), rtol=1e-9
        )
    assert len(model.counts_) == labels.max() + 1


def test_mahalanobis_is_scipys(fitted):
    model, x = fitted
    each = model.mahalanobis(x[:20], per_cluster=True)
    expected = [
        [mahalanobis(row, m, np.linalg.inv(c)) for m, c in zip(model.means_, model.covariances_)] for row in x[:20]
    ]
    np.testing.assert_allclose(each, expected, rtol=1e-9)
    np.testing.assert_array_equal(model.mahalanobis(x[:20]), each.min(axis=1))
    np.testing.assert_allclose(model.mahalanobis(x[:20], squared=True), each.min(axis=1) ** 2)


def test_fitted_arrays_fit_together(fitted):
    model, x = fitted
    k, d = model.means_.shape
    assert model.counts_.sum() == len(x) and k == 4
    p = model.precisions_cholesky_
    np.testing.assert_allclose(p @ p.transpose(0, 2, 1) @ model.covariances_, np.tile(np.eye(d), (k, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1)
    assert (model.predict(x) == model.labels_).mean() > 0.99
    assert model.weights_.sum() == pytest.approx(len(x) / (len(x) + 1.0))


def test_clusters_of_51_points_in_100_dimensions_have_a_distance():
    x, _ = blobs(n=153, d=100, k=3, spread=5.0)
    model = InfiniteGaussianMixture(**SHORT).fit(x)
    assert np.isfinite(model.mahalanobis(x)).all() and (np.linalg.eigvalsh(model.covariances_)[:, 0] > 0).all()


def test_samples_come_from_the_density(fitted):
    model, _ = fitted
    x, labels = model.sample(20_000)
    share = np.bincount(labels[labels >= 0], minlength=4) / 20_000
    np.testing.assert_allclose(share, model.weights_, atol=0.02)
    for k in range(4):
        np.testing.assert_allclose(x[labels == k].mean(axis=0), model.means_[k], atol=0.15)
        np.testing.assert_allclose(np.cov(x[labels == k], rowvar=False), model.covariances_[k], atol=0.25)
    np.testing.assert_array_equal(model.sample(5)[0], model.sample(5)[0])


@pytest.mark.parametrize("sampler", ["collapsed", "subcluster"])
def test_same_seed_same_fit(sampler):
    x, _ = blobs(300)
    a, b = (InfiniteGaussianMixture(sampler=sampler, **SHORT).fit(x) for _ in range(2))
    np.testing.assert_array_equal(a.log_joint_, b.log_joint_)
    np.testing.assert_array_equal(a.labels_, b.labels_)


def test_shift_of_the_data_changes_nothing():
    x, _ = blobs(300)
    x = np.round(x, 3)
    a, b = (InfiniteGaussianMixture(**SHORT).fit(data) for data in (x, x + 1024.0))
    np.testing.assert_array_equal(a.labels_, b.labels_)
    np.testing.assert_allclose(a.mahalanobis(x), b.mahalanobis(x + 1024.0), rtol=1e-6)


def test_arrays_bring_the_model_back(fitted):
    model, x = fitted
    arrays = model.to_arrays()
    assert all(isinstance(a, np.ndarray) and a.dtype.kind in "fi" for a in arrays.values())
    back = InfiniteGaussianMixture.from_arrays(arrays, **SHORT)
    for method in ("score_samples", "predict", "mahalanobis", "predict_proba"):
        np.testing.assert_array_equal(getattr(back, method)(x), getattr(model, method)(x))
    np.testing.assert_array_equal(back.sample(9)[0], model.sample(9)[0])
    del arrays["means"]
    with pytest.raises(InputError, match="means"):
        InfiniteGaussianMixture.from_arrays(arrays)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("identity", 7.0),
        ("inverse-wishart-mean", 19 * 7.0),
        ("inverse-wishart-precision", 19 / 7.0),
    ],
)
def test_readings_of_the_prior_scale(scale, expected):
    x, _ = blobs(60, d=3)
    model = InfiniteGaussianMixture(psi_scale=scale, **SHORT).fit(x)
    np.testing.assert_allclose(model.psi0_, expected * np.eye(3))
    assert model.m_ == 23
    model.set_params(psi_scale="covariance").fit(x)
    np.testing.assert_allclose(model.psi0_, 19 / 7 * np.cov(x, rowvar=False))


def test_alpha_is_sampled_under_a_gamma_prior():
    x, _ = blobs(300)
    model = InfiniteGaussianMixture(alpha_prior=(1.0, 1.0), **SHORT).fit(x)
    assert len(np.unique(model.alpha_trace_)) > 10
    assert model.alpha_ == model.alpha_trace_[-1]


@pytest.mark.parametrize("raise_at", [1, 8, 25])
@pytest.mark.parametrize("sampler", ["collapsed", "subcluster"])
def test_interrupt_keeps_the_best_state(sampler, raise_at):
    seen = []

    def stop(info):
        seen.append(info["log_joint"])
        if len(seen) == raise_at:
            raise KeyboardInterrupt

    x, _ = blobs(300)
    model = InfiniteGaussianMixture(sampler=sampler, progress=stop, **SHORT)
    with pytest.warns(UserWarning, match="interrupted after"):
        model.fit(x)
    assert model.best_log_joint_ == max(seen)
    prior = niw.NIW(model.kappa0_, model.m_, model.mu0_, model.psi0_)
    assert niw.log_joint(x, model.labels_, prior, 1.0) == pytest.approx(max(seen))
    assert np.isfinite(model.mahalanobis(x)).all()


def test_progress_and_best_consensus():
    calls, (x, _) = [], blobs(200)
    model = InfiniteGaussianMixture(progress=calls.append, consensus="best", init="kmeans", **SHORT).fit(x)
    assert [c["sweep"] for c in calls] == list(range(1, 31)) and calls[0]["start"] == "kmeans"
    prior = niw.NIW(model.kappa0_, model.m_, model.mu0_, model.psi0_)
    assert niw.log_joint(x, model.labels_, prior, 1.0) == pytest.approx(max(model.log_joint_))


WELL_SHAPED = {
    "one point": np.array([[1.0, 2.0]]),
    "two points": np.array([[1.0, 2.0], [3.0, 1.0]]),
    "fewer points than features": np.random.default_rng(0).normal(size=(5, 40)),
    "constant column": np.column_stack([np.random.default_rng(0).normal(size=60), np.ones(60)]),
    "all constant": np.full((30, 3), 5.0),
    "duplicates": np.repeat(np.random.default_rng(0).normal(size=(3, 4)), 20, axis=0),
    "wide scales": np.random.default_rng(0).normal(size=(80, 3)) * [1e-9, 1.0, 1e9],
    "far outlier": np.vstack([np.random.default_rng(0).normal(size=(80, 3)), [[1e12, 0, 0]]]),
    "integers": np.arange(40).reshape(20, 2),
}


@pytest.mark.parametrize("sampler", ["collapsed", "subcluster"])
@pytest.mark.parametrize("name", WELL_SHAPED)
def test_odd_data_get_finite_answers(name, sampler):
    x = WELL_SHAPED[name]
    model = InfiniteGaussianMixture(sampler=sampler, **SHORT).fit(x)
    for values in (model.score_samples(x), model.mahalanobis(x), model.log_joint_):
        assert np.isfinite(values).all()
    assert len(model.counts_) >= 1 and len(model.labels_) == len(x)


@pytest.mark.skipif(gibbs.kernels is None, reason="the fallback is what runs anyway")
@pytest.mark.parametrize("name", WELL_SHAPED)
def test_odd_data_without_numba(name, monkeypatch):
    monkeypatch.setattr(gibbs, "kernels", None)
    x = WELL_SHAPED[name]
    model = InfiniteGaussianMixture(sampler="collapsed", n_sweeps=6, burn_in=3, thin=3, random_state=0).fit(x)
    assert np.isfinite(model.mahalanobis(x)).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(m=2.0), "m > d - 1"),
        (dict(m=4.0, psi_scale="inverse-wishart-mean"), "m > d"),
        (dict(s=0.0), "s must be greater than 0"),
        (dict(s=-1), "s must be greater than 0"),
        (dict(kappa0=0), "kappa0"),
        (dict(alpha=float("nan")), "alpha"),
        (dict(alpha_prior=(1.0,)), "alpha_prior"),
        (dict(alpha_prior=(1.0, -1.0)), "alpha_prior rate"),
        (dict(mu0=[0.0, 0.0]), "mu0"),
        (dict(n_sweeps=300), "n_sweeps"),
        (dict(thin=0), "thin"),
        (dict(sampler="gibbs"), "sampler"),
        (dict(init="random"), "init"),
        (dict(psi_scale="unit"), "psi_scale"),
        (dict(consensus="median"), "consensus"),
        (dict(split_merge=-1), "split_merge"),
        (dict(n_jobs=0), "n_jobs"),
        (dict(sampler="collapsed", device="cpu"), "device"),
        (dict(device="nonsense"), "device"),
    ],
)
def test_bad_settings_are_refused_in_one_sentence(settings, words):
    x = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(InputError, match=words) as error:
        InfiniteGaussianMixture(**settings).fit(x)
    assert "\n" not in str(error.value)


def test_bad_data_are_refused_in_one_sentence():
    x = np.random.default_rng(0).normal(size=(30, 3))
    bad, inf = x.copy(), x.copy()
    bad[3, 1], inf[3, 1] = np.nan, np.inf
    constant = np.column_stack([x, np.ones(30)])
    cases = [
        ({}, bad, "NaN"),
        ({}, inf, "infinity"),
        ({}, x * 1e200, "overflow"),
        ({}, x[:0], "0 sample"),
        ({}, x[0], "2D"),
        (dict(psi_scale="covariance"), x[:3], "n_samples"),
        (dict(psi_scale="covariance"), constant, "constant columns: \\[3\\]"),
        (dict(psi_scale="covariance"), np.column_stack([x, x.sum(axis=1)]), "combination"),
    ]
    for settings, data, words in cases:
        with pytest.raises(InputError, match=words) as error:
            InfiniteGaussianMixture(**settings, **SHORT).fit(data)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="features"):
        InfiniteGaussianMixture(**SHORT).fit(x).mahalanobis(x[:, :2])


def test_small_clusters_of_few_points_count():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(at, 0.1, (40, 2)) for at in ((0, 0), (3, 0), (0, 3))])
    model = InfiniteGaussianMixture(n_sweeps=60, burn_in=30, thin=10, random_state=0).fit(x)
    assert len(model.weights_) == 3 and (model.mahalanobis(x) < 6).all()
