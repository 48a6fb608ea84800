"""A planted defect is where the map peaks; a planted odd column ranks first."""

import tracemalloc

import numpy as np
import pytest

from ganad import AutoEncoder, FenceGAN, GANomaly, IsolationForest, PCAResidual, explain

from .samples import anomalous, fitted, normal, small, trained


@pytest.mark.parametrize("detector", [AutoEncoder, GANomaly])
def test_a_planted_defect_is_where_the_map_peaks(detector):
    x = normal("images")
    model = trained(detector).fit(x)
    rng = np.random.default_rng(0)
    damaged, places = x[:50].copy(), rng.integers(0, 7, (50, 2))
    for image, (row, column) in zip(damaged, places):
        image[row : row + 2, column : column + 2] = 255 - image[row : row + 2, column : column + 2]
    maps = model.explain(damaged)
    assert maps.shape == damaged.shape
    peaks = np.array([np.unravel_index(m.argmax(), m.shape) for m in maps])
    hits = ((peaks >= places) & (peaks <= places + 1)).all(1)
    assert hits.mean() > 0.7  # a peak at random would hit 1 in 16


@pytest.mark.parametrize(("detector", "settings"), [(AutoEncoder, dict(hidden=(16, 2, 16))), (FenceGAN, {})])
def test_a_planted_odd_column_ranks_first(detector, settings):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(1000, 6))
    model = trained(detector, epochs=30, **settings).fit(x)
    odd, columns = x[:60].copy(), rng.integers(0, 6, 60)
    odd[np.arange(60), columns] += 8 * rng.choice([-1, 1], 60)
    parts = model.explain(odd)
    assert parts.shape == odd.shape
    assert (parts.argmax(1) == columns).mean() > 0.8


def test_integrated_gradients_add_up_to_the_change_of_the_score():
    x = normal("table")
    model = trained(FenceGAN, epochs=5).fit(x)
    parts = model.explain(x[:20])
    change = model.anomaly_score(x[:20]) - model.anomaly_score(x.mean(0, keepdims=True))
    assert np.allclose(parts.sum(1), change, atol=0.05 * np.abs(change).max())


def test_explanations_do_not_depend_on_the_other_samples():
    model = trained(AutoEncoder, epochs=2).fit(normal("images"))
    maps = model.explain(normal("images"))
    assert np.array_equal(model.explain(normal("images")[5:6])[0], maps[5])


@pytest.mark.parametrize("kind", ["table", "images"])
def test_a_score_in_steps_has_parts_of_zero(kind):
    parts = fitted(IsolationForest, kind).explain(anomalous(kind))
    assert parts.shape == anomalous(kind).shape
    assert not parts.any()


def test_a_projection_that_is_no_image_is_explained_by_the_score():
    class OnCodes(PCAResidual):
        def supports(self, part):
            return part != "reconstruct" and super().supports(part)  # as with AlexNet's features

    model = small(OnCodes).fit(normal("table"))
    change = model.anomaly_score(anomalous("table")) - model.anomaly_score(normal("table").mean(0, keepdims=True))
    assert np.allclose(model.explain(anomalous("table")).sum(1), change, rtol=1e-3)


def test_columns_rank_by_what_they_add_and_a_text_column_counts_once():
    columns = ["width", "colour=red", "colour=blue", "ratio=1", "height"]
    parts = np.array([[1.0, 2, -5, 3, -9], [0, 2, 2, 0, 3], [-1, 0, 0, 0, -2]])
    assert explain.ranked(parts, columns) == [
        [("ratio=1", 3.0), ("width", 1.0)],  # not the height, which lowers the score most
        [("colour", 4.0), ("height", 3.0)],
        [],
    ]


def test_the_recipe_says_which_columns_are_text():
    texts = [{"name": name, "kind": "categorical", "categories": ["u", "v"]} for name in ("a=1", "a=2")]
    numbers = [{"name": name, "kind": "numeric"} for name in ("T=in", "T=out")]
    columns = ["a=1=u", "a=1=v", "a=2=u", "a=2=v", "T=in", "T=out"]
    [row] = explain.ranked(np.arange(1.0, 7)[None], columns, {"columns": [*texts, *numbers]})
    assert row == [("a=2", 7.0), ("T=out", 6.0), ("T=in", 5.0), ("a=1", 3.0)]


def test_ranking_many_columns_takes_little_memory():
    columns = [f"column {i}" for i in range(4000)]
    tracemalloc.start()
    [row] = explain.ranked(np.arange(4000.0)[None], columns)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert row[0] == ("column 3999", 3999.0) and len(row) == 3999  # the first adds nothing
    assert peak < 4e6  # a matrix of columns by columns would take 128 MB
