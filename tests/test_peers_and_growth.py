"""Benchmarks beside PyOD, of growth and of speed, at sizes that take a second: equal networks, true tables, a plot."""

import importlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch, capsys):
    """The module of a benchmark, and what its command prints last."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def load(name):
        module = importlib.import_module(name)

        def said(*arguments):
            monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
            module.main()
            return json.loads(capsys.readouterr().out.splitlines()[-1])

        return module, said

    yield load
    for name in (
        "peers",
        "peers_pairs",
        "growth",
        "fresh",
        "tables",
        "mixture",
        "pages",
        "speed",
        "startup",
        "starts",
        "captured",
        "small",
    ):
        sys.modules.pop(name, None)


def test_a_pair_has_networks_of_one_size_and_the_command_measures_both(script, tmp_path):
    pytest.importorskip("pyod", reason="ganad[bench] is not installed")
    pytest.importorskip("tqdm", reason="tqdm is not installed, which PyOD's autoencoders import")
    peers, said = script("peers")
    x = peers.random_rows(130)
    allowed = {"VAE": 1, "ALAD": 400}  # a learnt deviation; the joint critic's width is rounded
    for name in ("ALAD", "AnoGAN", "VAE", "AutoEncoder"):
        pair = peers.PAIRS[name]
        sizes = {}
        for key, side in peers.SIDES.items():
            model = side(pair, peers.Data(*x.shape, 1), 0, **peers.shortest(side, pair))
            model.fit(x)  # at least a batch, because PyOD drops an incomplete one
            sizes[key] = model.parameters()
        if name == "AnoGAN":  # a dense layer before PyOD's generator in the search
            code = pair.settings(peers.Data(*x.shape, 1))[0]["latent_dim"]
            sizes["pyod"] -= code * (code + 1)
        assert abs(sizes["ganad"] - sizes["pyod"]) <= allowed.get(name, 0), (name, sizes)
    digits = load_digits()
    np.savez(tmp_path / f"{peers.TABLE}.npz", X=digits.data[:300], y=digits.target[:300] == 9)
    how = ["--rounds", 1, "--rows", 128, "--passes", 4, "--seeds", 1, "--data", tmp_path]
    row = said("--part", "together", "AutoEncoder", *how)
    assert row["rounds"] == 1 and row["ganad_train"] > 0 and row["pyod_train"] > 0
    assert math.isclose(row["score_ratio"], row["ganad_score"] / row["pyod_score"], rel_tol=0.05, abs_tol=0.01)
    assert all(0 < row[f"{key}_auroc"] <= 1 for key in peers.SIDES)


def test_the_tables_of_the_pages_are_those_of_the_rows(script):
    peers, _ = script("peers")
    rows = json.loads(peers.RESULTS.read_text("utf-8"))
    assert {r["name"] for r in rows} >= {"ALAD", "VAE", "AutoEncoder"}
    for path, text in peers.pages(rows).items():
        assert path.read_text("utf-8") == text
    first = rows[0] | {"ganad_auroc": 0.125, "plain_ratio": 7.0, "ganad_plain": 70, "pyod_plain": 10}
    assert "| 0.125 / " in peers.short_table([first]) and "0.125 / " in peers.full_table([first])
    assert "ALAD, no search | - | - | - | 70 / 10 | 7.0 |" in peers.full_table([first])


def test_a_fit_is_measured_by_size_and_drawn(script, tmp_path):
    growth, said = script("growth")
    row = said("--one", "rows", "NearestNeighbor", 300)
    assert row["size"] == 300 and row["seconds"] > 0 and row["mb"] >= 0
    rows = [row, row | {"size": 3000, "seconds": 1.0}, said("--one", "mixture", "collapsed", 200)]
    pytest.importorskip("matplotlib", reason="ganad[figures] is not installed")
    growth.plot(rows, tmp_path / "a.svg")
    growth.plot(rows, tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert (tmp_path / "b.svg").read_text("utf-8") == text and "NearestNeighbor" in text and "a sweep" in text


def test_every_row_of_growth_is_of_a_line_and_in_the_plot(script):
    growth, _ = script("growth")
    rows = json.loads(growth.RESULTS.read_text("utf-8"))
    found = {(r["panel"], r["line"]) for r in rows}
    assert found and found <= {(k, line) for k, panel in growth.PANELS.items() for line in panel.lines}
    plot = growth.PLOT.read_text("utf-8")
    assert all(f"<!-- {line}" in plot for _, line in found)


def test_an_update_has_the_parts_that_it_says(script, monkeypatch):
    speed, _ = script("speed")
    monkeypatch.setattr(speed, "TURNS", 1)
    monkeypatch.setattr(speed, "STEPS", 1)
    _, run = speed.captured(speed_method("AutoEncoder"), np.random.default_rng(0).normal(size=(60, 5)))
    products, others = speed.recorded(run.iterate)
    assert len(products) == 4 + 4 + 3  # forward, and backward to weights and to what is below the first layer
    assert any("_fused_adam_" in str(call.func) for call in others)
    row = speed.tables_row("FenceGAN", 5, 1)
    assert row["updates"] == 2 and row["stage"] != "pretraining" and row["total"] > row["products"] > 0
    said = speed.tables_table([row | {"loop": 3.0}, row | {"loop": 40.0}])
    assert "1 of 2 rows are within 25" in said


def speed_method(name):
    import ganad

    return getattr(ganad, name)


def test_every_method_with_networks_has_rows_of_speed_and_the_pages_say_them(script):
    speed, _ = script("speed")
    rows = json.loads(speed.RESULTS.read_text("utf-8"))
    found = {r["method"] for r in rows if r["kind"] == "tables"} | {r["method"] for r in rows if r["kind"] == "images"}
    assert found == set(speed.trained())
    for name in ("speed", "startup", "starts"):
        module, _ = script(name)
        rows = json.loads(module.RESULTS.read_text("utf-8"))
        assert module.PAGE.read_text("utf-8") == module.page(rows), name


def test_a_share_below_its_target_is_named(script):
    speed, _ = script("speed")
    rows = [r for r in json.loads(speed.RESULTS.read_text("utf-8")) if r["kind"] == "images"][:1]
    slow = [rows[0] | {"precision": "fp32", "train_share": {"median": 0.795, "best": 0.9}}]
    assert "**train fp32, 0.80:** 0 of 1" in speed.images_table(slow)  # as it is printed
    slow[0]["train_share"]["median"] = 0.7
    assert f"**train fp32, 0.80:** 1 of 1: {rows[0]['method']} 0.70" in speed.images_table(slow)
