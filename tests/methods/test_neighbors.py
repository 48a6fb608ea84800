"""Nearest neighbours in two steps: the neighbours and distances of one, and the same bits in any company."""

import pickle

import numpy as np
import onnxruntime
import pytest
import torch

from ganad import LOF, NearestNeighbor
from ganad.export import export_onnx
from ganad.methods.baselines import neighbors
from ganad.methods.baselines.neighbors import Candidates, _lowest

QUIET = dict(random_state=0, device="cpu", threads=1, verbose=0, threshold_fits=0, threshold_samples=20, scaling="none")


def rows(n, seed, d=20, offset=0.0):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(n, 4)) @ np.random.default_rng(9).normal(size=(4, d)) + 0.3 * rng.normal(size=(n, d)) + offset
    )


@pytest.fixture
def one_step(monkeypatch):
    """Scores of a detector without candidates."""

    def scores(model, x):
        with monkeypatch.context() as patch:
            patch.setattr(Candidates, "possible", staticmethod(lambda n, k: False))
            return model.anomaly_score(x)

    return scores


@pytest.fixture
def certain(monkeypatch):
    """Which rows had certain neighbours, a list of chunks."""
    seen, nearest = [], Candidates.nearest

    def watched(self, *given):
        found = nearest(self, *given)
        seen.append(found[2].numpy())
        return found

    monkeypatch.setattr(Candidates, "nearest", watched)
    return seen


@pytest.mark.parametrize("model", [NearestNeighbor(), NearestNeighbor(k=1), NearestNeighbor(variant="ratio"), LOF()])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_the_scores_are_those_of_one_step(model, offset, one_step, certain):
    model.set_params(**QUIET).fit(rows(5000, 0, offset=offset))
    new = np.concatenate([rows(600, 1, offset=offset), rows(20, 2, offset=offset) * 1.5])
    certain.clear()
    scores = model.anomaly_score(new)
    assert np.concatenate(certain)[:600].all(), "else the first step was for nothing"
    np.testing.assert_allclose(scores, one_step(model, new), rtol=1e-8 if offset else 1e-11)


def test_equal_distances_and_samples_far_away_are_left_to_one_step(one_step, certain):
    copied = np.zeros((45, 20))
    model = NearestNeighbor(distinct=False, **QUIET).fit(np.concatenate([rows(5000, 0), copied]))
    new = np.concatenate([copied[:2], np.full((1, 20), 1e12), rows(30, 1)])
    certain.clear()
    scores = model.anomaly_score(new)
    assert not certain[0][:3].any() and certain[0][3 : len(new)].all()
    assert scores[:3].tolist() == one_step(model, new)[:3].tolist() and not scores[:2].any()


def test_samples_with_many_copies_are_left_to_one_step_from_the_start(one_step, certain):
    lattice = np.random.default_rng(0).integers(0, 2, (5000, 4)).astype(float)
    model = LOF(**QUIET).fit(lattice)
    assert model.anomaly_score(lattice[:9] + 0.2).tolist() == one_step(model, lattice[:9] + 0.2).tolist()
    assert not certain


def test_many_neighbours_are_found_in_one_step(one_step):
    x, new = rows(4200, 0), rows(5, 1)
    for model in (NearestNeighbor(k=4200), NearestNeighbor(k=200), LOF(n_neighbors=4199)):
        model.set_params(**QUIET).fit(x)
        assert model.anomaly_score(new).tolist() == one_step(model, new).tolist()


def test_a_score_has_the_same_bits_alone_and_in_company():
    new = rows(100, 1)
    for model in (NearestNeighbor(**QUIET), LOF(**QUIET)):
        scores = model.fit(rows(4500, 0)).anomaly_score(new)
        order = np.random.default_rng(0).permutation(100)
        assert model.anomaly_score(new[order]).tolist() == scores[order].tolist()
        assert [model.anomaly_score(new[i : i + 1])[0] for i in range(5)] == scores[:5].tolist()
        assert pickle.loads(pickle.dumps(model)).anomaly_score(new).tolist() == scores.tolist()  # noqa: S301


def test_it_is_explained_and_exported_as_before(one_step, tmp_path, monkeypatch):
    model = NearestNeighbor(**QUIET).fit(rows(4500, 0))
    new = rows(5, 1)
    explained = model.explain(new)
    export_onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": new.astype(np.float32)})[0], one_step(model, new), rtol=1e-5)
    monkeypatch.setattr(Candidates, "possible", staticmethod(lambda n, k: False))
    np.testing.assert_allclose(explained, model.explain(new), rtol=1e-4, atol=1e-6 * np.abs(explained).max())


def test_products_of_fewer_bits_allow_no_candidates():
    assert Candidates.possible(5000, 5) and not Candidates.possible(neighbors._FEWEST - 1, 5)
    torch.set_float32_matmul_precision("high")
    try:
        assert not Candidates.possible(5000, 5)
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("m", [288, 319, 999, 1024, 5000])
def test_the_lowest_of_each_row(m):
    values = torch.from_numpy(np.random.default_rng(m).normal(size=(7, m)))
    found, numbers = _lowest(values, 9)
    assert torch.equal(found, values.topk(9, largest=False).values) and torch.equal(values.gather(1, numbers), found)
