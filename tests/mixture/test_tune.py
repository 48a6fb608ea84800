"""Tuning: criteria, resume, parallel processes."""

import json

import numpy as np
import pytest

from ganad.errors import InputError
from ganad.mixture import InfiniteGaussianMixture, table_ii, tune
from ganad.mixture.tune import clustering_f1

from .test_estimator import blobs

BASE = InfiniteGaussianMixture(
    n_sweeps=60, burn_in=56, thin=4, init="kmeans", min_cluster_size=0, psi_scale="inverse-wishart-mean", m=10
)
GRID = dict(kappa0=[0.1, 1.0], s=[1e-6, 1.0])


def test_published_grid():
    grid = table_ii(100)
    assert grid["m"] == [110, 115, 120, 500, 1000, 10_000] and 0.1 in grid["kappa0"] and 7 in grid["s"]
    assert np.prod([len(values) for values in grid.values()]) == 150


def test_density_prefers_a_sane_scale_and_ignores_labels(recwarn):
    x, _ = blobs(200, d=3)
    result = tune(x, grid=GRID, mixture=BASE)
    assert result.best["s"] == 1.0 and result.criterion == "held-out log density"
    assert [row["settings"] for row in result.rows] == [dict(kappa0=k, s=s) for k in GRID["kappa0"] for s in GRID["s"]]
    assert not [w for w in recwarn if "leak" in str(w.message)]


def test_labels_are_said_to_leak():
    x, y = blobs(200, d=3, spread=5.0)
    with pytest.warns(UserWarning, match="labels leak"):
        result = tune(x, y.astype(str), grid=GRID, mixture=BASE)
    assert result.criterion == "macro-f1" and max(row["score"] for row in result.rows) > 0.9


def test_macro_f1_matches_one_to_one():
    y = np.array([0, 0, 0, 1, 1, 1])
    assert clustering_f1(1 - y, y) == 1.0
    assert clustering_f1(np.zeros(6, dtype=int), y) == pytest.approx((2 * 3 / 9) / 2)
    assert clustering_f1(np.arange(6), y) == pytest.approx(2 * 1 / 4)


def test_goes_on_where_it_was_stopped(tmp_path):
    x, _ = blobs(120, d=2)
    path, seen = tmp_path / "triples.jsonl", []
    unbroken = tune(x, grid=GRID, mixture=BASE)

    def stop(row):
        seen.append(row)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(x, grid=GRID, mixture=BASE, results=path, progress=stop)
    path.write_text(path.read_text() + '{"settings": {"kap')  # killed while writing
    again = []
    resumed = tune(x, grid=GRID, mixture=BASE, results=path, progress=again.append)
    assert len(again) == 2 and again[-1]["done"] == again[-1]["total"] == 4
    assert [row["score"] for row in resumed.rows] == [row["score"] for row in unbroken.rows]
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 4
    with pytest.raises(InputError, match="other data or settings"):
        tune(x + 1, grid=GRID, mixture=BASE, results=path)
    path.write_text("not json\n")
    with pytest.raises(InputError, match="line 1"):
        tune(x, grid=GRID, mixture=BASE, results=path)


@pytest.mark.slow
def test_parallel_processes_give_the_same_rows():
    x, _ = blobs(200, d=3)
    one, two = (tune(x, grid=GRID, mixture=BASE, n_jobs=n) for n in (1, 2))
    assert [row["score"] for row in one.rows] == [row["score"] for row in two.rows]


def test_bad_input():
    x, y = blobs(50, d=2)
    for arguments in (dict(X=x[0]), dict(X=x, y=y[:-1]), dict(X=x, grid=dict(sigma=[1]))):
        with pytest.raises(InputError):
            tune(**arguments)
