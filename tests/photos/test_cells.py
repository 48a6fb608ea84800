"""Cells: means of equal parts of a photo, whatever its size, and the map of the positions in them."""

import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

from ganad import Gaussian, InputError, IsolationForest, NearestNeighbor, load
from ganad.photos import Backbone, Regions, Tiles
from ganad.photos.cells import Cells

from .samples import plates, weights

QUIET = dict(random_state=0, device="cpu", threads=1, verbose=0)


@pytest.mark.parametrize("shape", [(6, 9), (7, 5), (2, 3)])
def test_means_are_those_of_adaptive_pooling(shape):
    vectors = np.random.default_rng(0).normal(size=(*shape, 4)).astype(np.float32)
    n = shape[0] * shape[1]
    found = Cells(3, shape, np.ones(n, bool)).means(vectors.reshape(n, 4))
    theirs = adaptive_avg_pool2d(torch.from_numpy(vectors).permute(2, 0, 1), 3).permute(1, 2, 0).reshape(9, 4)
    np.testing.assert_allclose(found, theirs, rtol=1e-5, atol=1e-6)


def test_positions_that_do_not_count_change_nothing():
    vectors = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    counts = np.arange(24) % 6 < 3  # the left half
    cells = Cells(2, (4, 6), counts)
    assert cells.there.tolist() == [0, 2]
    changed = np.where(counts[:, None], vectors, 99)
    np.testing.assert_array_equal(cells.means(vectors), cells.means(changed))


@pytest.mark.parametrize("detector", [Gaussian(), NearestNeighbor(k=1)], ids=repr)
def test_scores_of_positions_have_the_mean_of_their_cell_and_peak_at_the_cause(detector):
    rng = np.random.default_rng(0)
    model = detector.set_params(device="cpu", verbose=0).fit(rng.normal(size=(300, 4)).astype(np.float32))
    vectors = rng.normal(size=(64, 4)).astype(np.float32)
    vectors[[9, 10]] += 30
    cells = Cells(2, (8, 8), np.ones(64, bool))
    scores, found = cells.scores(model, vectors)
    np.testing.assert_array_equal(scores, model.anomaly_score(cells.means(vectors)))
    means = found.reshape(2, 4, 2, 4).mean((1, 3)).ravel()
    np.testing.assert_allclose(means, scores, rtol=1e-4)
    assert set(np.argsort(found.ravel())[-2:]) == {9, 10}


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return Backbone("resnet18", layers=(1,), weights=weights(tmp_path_factory.mktemp("weights")), cells=4)


@pytest.fixture(scope="module")
def fitted(view):
    return Regions(Gaussian(apart=True), view, max_regions=1000, **QUIET).fit(plates(12, sides=(100, 140)))


def test_every_place_learns_the_same_photos(view, caplog):
    with caplog.at_level("INFO", "ganad"):
        model = Regions(Gaussian(apart=True), view, max_regions=16 * 5 + 3, **QUIET).fit(plates(12))
    assert "5 of 12 photos are learnt" in caplog.text
    numbers = model._training_regions(plates(12), 0)[:, 0]
    np.testing.assert_array_equal(numbers, np.tile(np.arange(16), 5))


def test_photos_of_any_size_have_as_many_regions(fitted):
    for photo in plates(3, seed=1, sides=(90, 171)):
        [(grid, scores)] = fitted.region_scores([photo])
        assert grid.shape == scores.shape == (4, 4)


def test_a_look_and_a_score_agree_and_the_map_is_finer_than_the_cells(fitted):
    photo = plates(1, seed=1, sides=(100, 141))[0]
    photo[60:66, 80:86] = 255
    [finding] = fitted.inspect([photo])
    assert finding.score == fitted.anomaly_score([photo])[0]
    row, column = np.unravel_index(finding.heat.argmax(), finding.heat.shape)
    assert abs(row - 63) < 8 and abs(column - 83) < 8  # a cell is 25 x 35


def test_a_score_without_a_gradient_gives_the_map_of_the_cells(view):
    model = Regions(IsolationForest(), view, **QUIET).fit(plates(6))
    photo = plates(1, seed=1)[0]
    [(_, scores)] = model.region_scores([photo])
    heat = next(model.inspect([photo])).heat
    assert heat.max() == pytest.approx(scores.max(), rel=1e-6)


def test_the_file_keeps_places(fitted, tmp_path):
    fitted.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors", device="cpu")
    photos = plates(3, seed=2)
    assert again.view.cells == 4 and again.inner_.apart
    np.testing.assert_array_equal(again.anomaly_score(photos), fitted.anomaly_score(photos))


def test_what_cannot_be_is_refused(view):
    with pytest.raises(InputError, match="the same in every photo"):
        Regions(Gaussian(apart=True), Tiles(32)).fit(plates(4))
    with pytest.raises(InputError, match="cells=0 must be a whole number, 1 to 64"):
        Regions(Gaussian(), Backbone(cells=0)).fit(plates(4))
    with pytest.raises(InputError, match="regions=False is one vector a photo"):
        Regions(Gaussian(), Backbone(regions=False, cells=3)).fit(plates(4))
