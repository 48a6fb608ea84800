"""Input scaling, and arrays that are larger than the memory they may take."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from ganad import InputError
from ganad.arrays import DiskRows, chunks, is_on_disk, release
from ganad.detector.scaling import CLIP, Scaling


def applied(scaling, x):
    return scaling.apply(torch.as_tensor(x)).numpy()


def test_tables_are_standardised_as_scikit_learn_does():
    x = np.random.default_rng(0).normal(3, 7, size=(500, 4)).astype(np.float32)
    expected = StandardScaler().fit(x).transform(x)
    assert np.allclose(applied(Scaling.fit(x, "auto"), x), expected, atol=1e-4)


def test_images_span_minus_one_to_one_by_their_type_or_their_range():
    ramp = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    assert np.allclose(applied(Scaling.fit(ramp[:1], "auto"), ramp).ravel()[[0, -1]], [-1, 1])
    unit = ramp.astype(np.float32) / 255
    assert np.allclose(applied(Scaling.fit(unit, "auto"), unit), applied(Scaling.fit(ramp, "auto"), ramp), atol=1e-6)
    deep = (ramp.astype(np.uint16) << 8) + 255
    assert np.isclose(applied(Scaling.fit(deep, "auto"), deep.astype(np.float32)).max(), 1)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_constant_columns_keep_their_unit_and_no_cell_overflows(kind):
    x = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    x[:, 1] = 0.1  # whose mean in float32 is not exactly itself
    scaling = Scaling.fit(x, kind)
    moved = x[:1].copy()
    moved[0, 1] += 0.001
    assert np.abs(applied(scaling, moved) - applied(scaling, x[:1])).max() < 0.002
    assert applied(scaling, np.full((1, 3), 3e38, np.float32)).max() == CLIP


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.sampled_from(["standard", "minmax", "none"]), st.integers(0, 1000))
def test_invert_undoes_apply(n, kind, seed):
    x = np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)
    scaling = Scaling.fit(x, kind)
    assert np.allclose(scaling.invert(scaling.apply(torch.tensor(x))).numpy(), x, atol=1e-4)


def test_unknown_scaling_is_refused():
    with pytest.raises(InputError, match="'robust' is not one of"):
        Scaling.fit(np.zeros((3, 2)), "robust")


def test_statistics_by_chunks_equal_those_of_the_whole(monkeypatch):
    x = np.random.default_rng(0).normal(5, 2, size=(1000, 4)).astype(np.float32)
    whole = Scaling.fit(x, "standard")
    monkeypatch.setattr("ganad.arrays._CHUNK_BYTES", 16 * 37)
    parts = Scaling.fit(x, "standard")
    assert np.allclose(parts.shift, whole.shift, atol=1e-6)
    assert np.allclose(parts.scale, whole.scale, atol=1e-6)


def test_disk_rows_come_in_the_order_asked_for_and_survive_giving_pages_back(tmp_path):
    x = np.arange(1000, dtype=np.float32).reshape(100, 10)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert is_on_disk(mapped)
    assert is_on_disk(np.asarray(mapped)[5:])
    assert not is_on_disk(x)
    rows = DiskRows(mapped, budget=1)  # gives pages back after every draw
    index = np.random.default_rng(0).permutation(100)[:17]
    assert np.array_equal(rows[index], x[index])
    assert np.array_equal(np.concatenate(list(chunks(mapped, 33))), x)
    release(mapped)
    assert np.array_equal(mapped, x)


def test_changes_to_a_private_map_are_not_dropped(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 2)))
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[1] = 7
    release(private)
    assert private[1].tolist() == [7, 7]
