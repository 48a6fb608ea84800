"""whiten="all" and "place": a backbone's vectors with equal spread in all directions, before a detector sees them."""

import dataclasses
import tracemalloc

import numpy as np
import onnxruntime
import pytest
import torch

from ganad import AutoEncoder, Gaussian, InputError, NearestNeighbor, files, load
from ganad.cli.photos import PhotoOptions
from ganad.detector.covariance import shrunk_covariance
from ganad.errors import ModelFileError
from ganad.export import export_onnx
from ganad.photos import Backbone, Regions, Tiles
from ganad.photos.whitening import Whitening

from .samples import plates, weights

QUIET = dict(random_state=0, device="cpu", threads=1, verbose=0, max_regions=1000)
SHAPE = (70, 90)


def correlated(n, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ (np.eye(d) + np.eye(d, k=1) / 2) * 100 + 1e4).astype(np.float32)


def test_white_vectors_have_the_identity_as_covariance():
    x = correlated(5000)
    white = Whitening.of(x, None).apply(x, np.zeros(len(x)))
    np.testing.assert_allclose(np.cov(white.T), np.eye(6), atol=0.02)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-3)


def test_each_place_is_compared_with_itself():
    x, numbers = np.concatenate([correlated(5000), 3 * correlated(5000) - 7]), np.repeat([4, 9], 5000)
    whitening = Whitening.of(x, numbers)
    white = whitening.apply(x, numbers)
    for number in (4, 9):
        np.testing.assert_allclose(np.cov(white[numbers == number].T), np.eye(6), atol=0.1)
    alone = whitening.apply(x[7000:7001], numbers[7000:7001])
    np.testing.assert_allclose(alone, white[7000:7001], rtol=1e-4, atol=1e-4)


def test_a_place_that_training_lacked_is_like_the_nearest_and_many_vectors_need_no_table_of_distances():
    x, numbers = correlated(3000), np.repeat([2, 5, 9], 1000)
    whitening = Whitening.of(x, numbers)
    new = np.array([0, 2, 3, 4, 6, 7, 8, 12])
    nearest = np.array([2, 2, 2, 5, 5, 5, 9, 9])  # 7 lies between 5 and 9
    np.testing.assert_array_equal(whitening.apply(x[:8], new), whitening.apply(x[:8], nearest))
    tracemalloc.start()
    whitening._at(np.tile(new, 100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 8 * 800_000  # not a number for each vector and place


def test_fewer_vectors_than_columns_and_constant_columns_give_numbers_of_a_sane_size():
    x = correlated(12, d=30)
    x[:, 3] = 5
    whitening = Whitening.of(x, None)
    other = correlated(12, d=30, seed=1)
    other[:, 3] = 5
    white = whitening.apply(other, np.zeros(12))
    assert white.shape == (12, 6) and np.abs(white).max() < 50
    with pytest.raises(InputError, match="1 vector of a place has no spread"):
        Whitening.of(x, np.arange(12))


def test_gradients_come_back_to_the_vectors():
    x, numbers = correlated(200), np.arange(200) % 2
    whitening = Whitening.of(x, numbers)
    slopes, step = np.random.default_rng(0).normal(size=(2, 6)), np.full((1, 6), 3, np.float32)
    moved = whitening.apply(x[:2] + step, numbers[:2]) - whitening.apply(x[:2], numbers[:2])
    np.testing.assert_allclose((whitening.back(slopes, numbers[:2]) * step).sum(1), (slopes * moved).sum(1), rtol=1e-3)


def photos(n, seed=0):
    return [photo[: SHAPE[0], : SHAPE[1]] for photo in plates(n, seed, (90, 91))]


CASES = {"all": (None, "all"), "all-cells": (3, "all"), "place": (3, "place")}
PARAMS = ["all", pytest.param("all-cells", marks=pytest.mark.slow), "place"]


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return Backbone("resnet18", layers=(1,), weights=weights(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module", params=PARAMS)
def model(request, view):
    cells, whiten = CASES[request.param]
    inner = AutoEncoder(epochs=1, batch_size=32)
    return Regions(inner, dataclasses.replace(view, cells=cells), whiten=whiten, **QUIET).fit(photos(8))


def test_file_graph_and_other_photos_change_no_score(model, tmp_path):
    probes = photos(3, seed=1)
    scores = model.anomaly_score(probes)
    assert [model.anomaly_score([photo])[0] for photo in probes] == scores.tolist()
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "m.safetensors", device="cpu").anomaly_score(probes), scores)
    export_onnx(model, tmp_path / "m.onnx", photo_shape=SHAPE)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    found = [session.run(["score"], {"x": photo[None].astype(np.float32)})[0][0] for photo in probes]
    np.testing.assert_allclose(found, scores, rtol=1e-5)


def test_the_map_of_white_cells_has_their_scores_as_means_and_peaks_at_the_cause(view):
    settings = QUIET | dict(max_regions=5000)
    model = Regions(Gaussian(), dataclasses.replace(view, cells=4), whiten="place", **settings).fit(photos(12))
    photo = photos(1, seed=1)[0].copy()
    photo[40:46, 60:66] = 255
    [finding] = model.inspect([photo])
    row, column = np.unravel_index(finding.heat.argmax(), finding.heat.shape)
    assert abs(row - 43) < 8 and abs(column - 63) < 8
    assert finding.heat.mean() == pytest.approx(finding.region_scores.mean(), rel=0.2)


def test_the_command_line_passes_it_on(view):
    options = PhotoOptions(backbone=f"resnet18:{view.weights}", cells=2, whiten="place")
    assert options.of_photos(NearestNeighbor()).whiten == "place"
    with pytest.raises(InputError, match="--whiten is for regions of photos"):
        PhotoOptions(whiten="all").of_photos(NearestNeighbor())


def test_what_cannot_be_whitened_says_why(view):
    with pytest.raises(InputError, match='whiten="all" is for vectors of a Backbone; leave it out with Tiles'):
        Regions(NearestNeighbor(), Tiles(32), whiten="all").fit(plates(4))
    with pytest.raises(InputError, match='whiten="place", which keeps places apart needs places that are the same'):
        Regions(NearestNeighbor(), view, whiten="place").fit(plates(4))


@pytest.fixture(scope="module")
def written(view, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "m.safetensors"
    cells = dataclasses.replace(view, cells=2)
    Regions(NearestNeighbor(), cells, whiten="place", **QUIET).fit(photos(6)).save(path)
    return files.read(path, "model")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {"means": found["means"][:, :-1]},
        lambda found: {"matrices": found["matrices"].double()},
        lambda found: {"places": torch.full_like(found["places"], torch.nan)},
        lambda found: {name: value[:0] for name, value in found.items()},
    ],
    ids=["shape", "type", "NaN", "no place"],
)
def test_a_file_whose_whitening_does_not_fit_is_refused(written, tmp_path, change):
    tensors, header = written
    found = {name.removeprefix("whitening/"): v for name, v in tensors.items() if name.startswith("whitening/")}
    changed = {f"whitening/{name}": value for name, value in change(found).items()}
    header = {k: v for k, v in header.items() if k not in ("kind", "sha256")}
    files.write(tmp_path / "m.safetensors", "model", tensors | changed, header)
    with pytest.raises(ModelFileError, match="the whitening of its vectors does not fit its settings"):
        load(tmp_path / "m.safetensors", device="cpu")


def test_the_covariance_of_white_rows_is_no_matter_of_rounding():
    for seed in range(20):  # about a third of them had a shrinkage of -1e14
        x = np.random.default_rng(seed).normal(size=(96, 6))
        x -= x.mean(0)
        white = np.linalg.solve(np.linalg.cholesky(x.T @ x / 96), x.T).T
        np.testing.assert_allclose(shrunk_covariance(white)[1], np.eye(6), atol=1e-5)
