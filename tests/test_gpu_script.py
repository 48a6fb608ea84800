"""The prepared run on a GPU does the same on a CPU at ``smoke``: checks of every method, then rows, and it goes on."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ganad
from ganad import load
from ganad.bench.rows import read

ROOT = Path(__file__).resolve().parent.parent


def gpu(folder, **variables):
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / "gpu.sh")],
        env=os.environ | dict(PYTHON=sys.executable, RESULTS=str(folder), DEVICE="cpu", TABLES="digits") | variables,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("timeout"), reason="needs coreutils")
def test_the_script_for_a_gpu_runs_without_one_and_goes_on(tmp_path):
    done = gpu(tmp_path, MINUTES="30")
    assert done.returncode == 0, done.stdout + done.stderr
    checked = json.loads((tmp_path / "device.json").read_text())["methods"]
    assert set(checked) == {cls.__name__ for cls in ganad.DETECTORS} and all(found["ok"] for found in checked.values())
    rows = read(tmp_path / "digits.jsonl")
    assert len(rows) == 20 and not any("error" in row for row in rows) and {r["budget"] for r in rows} == {"smoke"}
    again = gpu(tmp_path, MINUTES="30")
    assert again.returncode == 0 and read(tmp_path / "digits.jsonl") == rows


def test_a_model_that_scores_otherwise_elsewhere_is_found(monkeypatch):
    checks = runpy.run_path(str(ROOT / "scripts" / "device_checks.py"))
    honest = checks["check"](ganad.KDE, "cpu")
    assert honest["kind"] == "images" and honest["difference"] == 0

    def shifted(path, device):
        model = load(path, device)
        monkeypatch.setattr(type(model), "score_batch", lambda self, x: x.flatten(1).sum(1))
        return model

    monkeypatch.setattr(checks["check"].__globals__["ganad"], "load", shifted)
    assert checks["check"](ganad.Trivial, "cpu")["difference"] > checks["MOST"]


def test_without_a_gpu_graphs_are_said_not_to_have_run():
    checks = runpy.run_path(str(ROOT / "scripts" / "device_checks.py"))
    assert checks["graphs"](torch.device("cpu")) == {"not_run": "no CUDA device"}
