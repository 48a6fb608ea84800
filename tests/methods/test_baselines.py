"""The baselines against scikit-learn's own scores, and AlexNet's loader on a checkpoint made here."""

import hashlib
import logging
import warnings

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn import covariance, ensemble, mixture, neighbors, svm
from sklearn.exceptions import ConvergenceWarning
from torch import nn

import ganad
from ganad import GMM, KDE, LOF, Gaussian, InputError, IsolationForest, NearestNeighbor, OneClassSVM, PCAResidual
from ganad.methods.baselines.isolation_forest import average_path
from ganad.methods.baselines.one_class_svm import nearest_gamma
from ganad.nets import alexnet
from ganad.nets.alexnet import AlexNetFeatures

from ..samples import anomalous, normal, small

KINDS = pytest.mark.parametrize("kind", ["table", "images"])


def fit(detector, kind, **settings):
    """A fitted baseline, its training features and those of new samples, and its scores of the new ones."""
    model = detector(random_state=0, threads=1, device="cpu", **settings).fit(normal(kind)[:150])
    new = np.concatenate([normal(kind)[150:], anomalous(kind)])
    z, z_new = (model.map_samples(model.features, x) for x in (normal(kind)[:150], new))
    return model, z, z_new, model.anomaly_score(new)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@KINDS
def test_kde(kind):
    model, z, new, scores = fit(KDE, kind, n_components=5)
    h, d2 = model.bandwidth_, cdist(new, z, "sqeuclidean")
    close(scores, np.log(len(z) * (2 * np.pi * h * h) ** 2.5) - logsumexp(-d2 / (2 * h * h), axis=1))
    theirs = -neighbors.KernelDensity(bandwidth=h).fit(z).score_samples(new)
    plain = d2.min(1) < 50 * h * h  # its tree loses digits where the density underflows
    assert plain.sum() > 80
    close(scores[plain], theirs[plain])


def test_kde_bandwidth_has_the_highest_held_out_likelihood():
    x = np.random.default_rng(0).normal(size=(600, 2)).astype(np.float32)
    model = KDE(reducer="none", scaling="none", bandwidths=(0.01, 0.3, 10.0), random_state=0).fit(x)
    assert model.bandwidth_ == 0.3


def test_pca_residual_of_one_column_is_the_squared_distance_from_its_mean(tmp_path):
    x = np.random.default_rng(0).normal(3, 2, (200, 1))
    model = PCAResidual(scaling="none", n_components=1, random_state=0, device="cpu", verbose=0).fit(x)
    np.testing.assert_allclose(model.anomaly_score(x), (x[:, 0] - x.mean()) ** 2, rtol=1e-4, atol=1e-6)
    model.save(tmp_path / "m.safetensors")
    loaded = ganad.load(tmp_path / "m.safetensors", device="cpu")
    assert loaded.anomaly_score(x).tolist() == model.anomaly_score(x).tolist()


def test_ratios_need_two_distinct_samples():
    copies = np.ones((9, 3))
    with pytest.raises(InputError, match="copies of one"):
        NearestNeighbor(variant="ratio", device="cpu", verbose=0).fit(copies)
    assert NearestNeighbor(device="cpu", verbose=0).fit(copies).anomaly_score(copies).tolist() == [0] * 9


@KINDS
def test_gaussian(kind):
    _, z, new, scores = fit(Gaussian, kind)
    spread = z.std(0)
    theirs = covariance.OAS().fit(z / spread).mahalanobis(new / spread)
    np.testing.assert_allclose(scores, np.sqrt(theirs), rtol=1e-4)  # variances have a floor, and a matrix is float32


def test_gaussian_keeps_places_apart():
    rng = np.random.default_rng(0)
    place = np.repeat([3, 7], 200)
    x = np.column_stack([place, rng.normal(size=(400, 2)) * np.where(place == 3, 1, 9)[:, None]]).astype(np.float32)
    model = Gaussian(apart=True, device="cpu", verbose=0).fit(x)
    odd = np.array([[3, 8, 8], [7, 8, 8]], np.float32)
    of_3, of_7 = model.anomaly_score(odd)
    assert of_3 > 8 and of_7 < 2
    alone = Gaussian(device="cpu", verbose=0).fit(x[:200, 1:])
    np.testing.assert_allclose(of_3, alone.anomaly_score(odd[:1, 1:]), rtol=1e-4)
    with pytest.raises(InputError, match="has no spread"):
        Gaussian(apart=True, device="cpu").fit(np.vstack([x, [[9, 0, 0]]]))
    with pytest.raises(InputError, match="would mix places"):
        Gaussian(apart=True, reducer="pca").fit(x)


def test_a_gaussian_of_many_places_scores_parts_of_them_alike():
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(600.0), 4)[:, None]
    x = np.hstack([places, rng.normal(size=(2400, 5)).astype(np.float32)])
    model = Gaussian(apart=True, device="cpu", verbose=0, threshold_fits=0).fit(x)
    assert model._chunk == 300  # memory for distances to all places grows with a chunk
    one_by_one = [model.anomaly_score(row[None])[0] for row in x[:20]]
    assert np.array_equal(model.anomaly_score(x)[:20], one_by_one)


@KINDS
def test_one_class_svm(kind):
    _, z, new, scores = fit(OneClassSVM, kind)
    close(scores, -svm.OneClassSVM(nu=0.1, gamma=nearest_gamma(z)).fit(z).decision_function(new))


@KINDS
def test_lof(kind):
    _, z, new, scores = fit(LOF, kind)
    close(scores, -neighbors.LocalOutlierFactor(novelty=True).fit(z).score_samples(new))


@KINDS
def test_isolation_forest(kind):
    model, z, new, scores = fit(IsolationForest, kind)
    close(scores, -ensemble.IsolationForest(max_samples=150, random_state=model.seed_).fit(z).score_samples(new))
    assert average_path(np.array([1, 2])).tolist() == [0, 1]


@KINDS
def test_gmm(kind):
    model, z, new, scores = fit(GMM, kind, components=(1, 2, 3), n_components=4)
    fits = [mixture.GaussianMixture(k, reg_covar=1e-4, random_state=model.seed_).fit(z) for k in (1, 2, 3)]
    close(scores, -min(fits, key=lambda m: m.bic(z)).score_samples(new))


def test_a_mixture_of_many_samples_chooses_its_components_on_a_part_and_stops_early():
    rng = np.random.default_rng(0)
    x = (
        rng.normal(size=(1500, 2))
        + 12 * np.eye(5, 2)[rng.integers(0, 4, 1500)] * [[1, 1]]
        + rng.integers(0, 2, (1500, 1)) * 40
    )
    new, tried = x[:500], []

    class Watched(GMM):
        def unfitted(self, k, **start):
            tried.append((k, bool(start)))
            return super().unfitted(k, **start)

    settings = dict(components=tuple(range(1, 13)), random_state=0, scaling="none", reducer="none", threshold_fits=0)
    part = Watched(choose_samples=600, **settings).fit(x)
    steps, k = list(tried), len(part.log_weights_)
    tried.clear()
    whole = Watched(choose_samples=None, **settings).fit(x)
    assert k == len(whole.log_weights_) == 6  # three places, twice
    assert steps == [(i, False) for i in range(1, k + 4)] + [(k, True), (k, False)]  # three too many, then all samples
    assert [k for k, _ in tried] == list(range(1, 13))
    np.testing.assert_allclose(part.anomaly_score(new), whole.anomaly_score(new), rtol=0.02)
    with pytest.raises(InputError, match="no number of components"):
        GMM(components=(50,), random_state=0).fit(x[:20])


@KINDS
@pytest.mark.parametrize("variant", ["mean", "kth"])
def test_nearest_neighbor(kind, variant):
    _, z, new, scores = fit(NearestNeighbor, kind, variant=variant)
    distance = neighbors.NearestNeighbors(n_neighbors=5).fit(np.unique(z, axis=0)).kneighbors(new)[0]
    close(scores, distance.mean(1) if variant == "mean" else distance[:, -1])


@KINDS
def test_nearest_neighbor_ratio(kind):
    _, z, new, scores = fit(NearestNeighbor, kind, variant="ratio", k=4)
    z = np.unique(z, axis=0)
    within, across = cdist(z, z), cdist(new, z)
    np.fill_diagonal(within, np.inf)  # a training sample is no neighbour of its own
    spacing, index = np.sort(within, axis=1)[:, :4].mean(1), np.argsort(across, axis=1)[:, :4]
    close(scores, np.take_along_axis(across, index, 1).mean(1) / spacing[index].mean(1))


def test_pca_residual_is_what_the_other_directions_hold():
    model, *_, scores = fit(PCAResidual, "table", n_components=2)
    x = model.map_samples(model.view, np.concatenate([normal("table")[150:], anomalous("table")])) - model.origin_
    close(scores, np.square(x).sum(1) - np.square(x @ model.axes_.T).sum(1))


def test_subsampling_is_said(caplog):
    with caplog.at_level(logging.INFO, "ganad"):
        OneClassSVM(max_samples=50, random_state=0).fit(normal("table"))
    assert "OneClassSVM: fitted on 50 of 400 training samples" in caplog.text


@pytest.fixture
def small_checkpoint(tmp_path):
    """AlexNet's shape with random weights, named as in torchvision's file, classifier included."""
    torch.manual_seed(0)
    state = {f"features.{k}": v for k, v in AlexNetFeatures().features.state_dict().items()}
    torch.save(state | {"classifier.1.weight": torch.zeros(2, 2)}, tmp_path / "alexnet.pth")
    return tmp_path / "alexnet.pth"


def test_alexnet_features_from_a_file(small_checkpoint, tmp_path):
    model = PCAResidual(reducer="alexnet", weights=str(small_checkpoint), n_components=5, random_state=0)
    model.fit(normal("images")[:20])
    assert model.view(model.input_.to_network(torch.from_numpy(normal("images")[:2]))).shape == (2, 256 * 6 * 6)
    own = {k: v for k, v in torch.load(small_checkpoint).items() if k.startswith("features")}
    assert all(torch.equal(model.nets_["features"].state_dict()[k], v) for k, v in own.items())
    model.save(tmp_path / "model")
    scores = model.anomaly_score(anomalous("images")[:3])
    small_checkpoint.unlink()  # a saved model needs it no more
    np.testing.assert_array_equal(ganad.load(tmp_path / "model").anomaly_score(anomalous("images")[:3]), scores)


def test_published_shape_and_names_of_alexnet():
    features = AlexNetFeatures().features
    assert sum(p.numel() for p in features.parameters()) == 2_469_696
    assert {name.partition(".")[0] for name in features.state_dict()} == {"0", "3", "6", "8", "10"}  # torchvision's


def test_the_public_checkpoint_is_used_only_if_its_digest_is_right(small_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("GANAD_DATA", str(tmp_path))
    (tmp_path / "weights").mkdir()
    public = small_checkpoint.rename(tmp_path / "weights" / "alexnet-owt-7be5be79.pth")
    with pytest.raises(InputError, match=r"alexnet-owt-7be5be79\.pth: its SHA-256 is \w{16}\.\.\., not 7be5be79"):
        PCAResidual(reducer="alexnet").fit(normal("images")[:20])
    monkeypatch.setattr(alexnet, "SHA256_START", hashlib.sha256(public.read_bytes()).hexdigest()[:8])
    model = PCAResidual(reducer="alexnet", n_components=2, random_state=0).fit(normal("images")[:20])
    assert np.isfinite(model.anomaly_score(anomalous("images")[:3])).all()


@pytest.mark.parametrize("content", [b"not a checkpoint", None])
def test_wrong_weights_are_refused_in_one_sentence(content, tmp_path):
    path = tmp_path / "w.pth"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"w\.pth: (not torchvision's|no such file)"):
        PCAResidual(reducer="alexnet", weights=str(path)).fit(normal("images")[:20])
    with pytest.raises(InputError, match="for images"):
        KDE(reducer="alexnet").fit(normal("table"))


def test_features_of_your_own(tmp_path):
    torch.manual_seed(0)
    model = KDE(network=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), random_state=0).fit(normal("images"))
    assert model.anomaly_score(anomalous("images")).mean() > model.anomaly_score(normal("images")).mean()
    with pytest.raises(InputError, match="cannot be saved"):
        model.save(tmp_path / "model")


def test_a_mixture_of_copies_has_no_more_components_than_there_are_different_rows():
    x = np.repeat(np.random.default_rng(0).normal(size=(6, 3)), 20, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = small(GMM).fit(x)
    assert len(model.means_) <= 6
