"""Model files of earlier versions: each loads and gives the answers that its own version gave.

``scripts/golden.py`` wrote tests/golden, a folder for each minor version. Answers are held to a relative 1e-5, which is
the promise between machines; on one machine they are the same to the bit (tests/test_contract.py).
"""

import importlib.util
import json
import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow
import pytest

import ganad
from ganad.data import load_table

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "golden.py"
VERSIONS = sorted(path.parent for path in (ROOT / "tests" / "golden").glob("*/scores.json"))
SCORES = {folder.name: json.loads((folder / "scores.json").read_text("utf-8")) for folder in VERSIONS}
FILES = [folder / file for folder in VERSIONS for file in SCORES[folder.name]["models"]]


def load(path):
    """The model; that another minor version wrote it is a warning that this test knows of."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*version", category=UserWarning)
        return ganad.load(path, device="cpu")


def known(path) -> tuple[dict, np.ndarray]:
    """What the version that wrote the file answered, and to which samples."""
    scores = SCORES[path.parent.name]
    said = scores["models"][path.name]
    kind = np.uint8 if said["inputs"] in ("images", "colour") else np.float32
    return said, np.array(scores["inputs"][said["inputs"]], kind)


def close(a, b) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_earlier_file_gives_the_answers_of_its_own_version(path):
    model = load(path)
    said, x = known(path)
    if names := said.get("feature_names_in_"):
        assert model.feature_names_in_.tolist() == names
        x = pyarrow.table(dict(zip(names, x.T)))
    assert type(model).__name__ == said["class"]
    assert close(model.threshold_, math.inf if said["threshold"] is None else said["threshold"])
    assert close(model.anomaly_score(x), said["scores"])
    assert model.predict(x).tolist() == said["predictions"]
    for name, ask in (("p_values", "p_values"), ("reconstructions", "reconstruct"), ("codes", "encode")):
        if name in said:
            answer = getattr(model, ask)(x if name == "p_values" else x[:1])
            assert close(answer, said[name]), name
    for variant, scores in said["variants"].items():
        assert close(model.set_params(variant=variant).anomaly_score(x), scores), variant


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_earlier_file_keeps_its_settings_and_is_written_again_without_loss(path, tmp_path):
    model = load(path)
    model.save(tmp_path / "again.safetensors")
    again = ganad.load(tmp_path / "again.safetensors", device="cpu")
    assert again.get_params() == model.get_params()
    assert again.threshold_ == model.threshold_
    assert again.nets_.state_dict().keys() == model.nets_.state_dict().keys()


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
def test_a_table_of_text_is_read_by_an_earlier_recipe(folder, tmp_path):
    scores = SCORES[folder.name]
    (file,) = [f for f, said in scores["models"].items() if said["inputs"] == "text"]
    model = load(folder / file)
    assert model.source_ == scores["models"][file]["source_"]
    assert model.columns_ == scores["models"][file]["columns_"]
    (tmp_path / "new.csv").write_text(scores["csv"], encoding="utf-8")
    assert np.array_equal(load_table(tmp_path / "new.csv", source=model.source_).x, scores["inputs"]["text"])


def test_every_version_has_its_files_and_no_others():
    assert VERSIONS
    for folder in VERSIONS:
        assert {path.name for path in folder.iterdir()} == {*SCORES[folder.name]["models"], "scores.json"}
        assert SCORES[folder.name]["version"].startswith(f"{folder.name}.")


@pytest.fixture(scope="module")
def golden():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("golden", SCRIPT)
    module = sys.modules["golden"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["golden"]


def test_the_script_has_a_case_for_every_detector(golden):
    assert {case.detector for case in golden.CASES} == {detector.__name__ for detector in ganad.DETECTORS}


@pytest.mark.parametrize("file", ["vae-table", "kde-named-table", "autoencoder-text-table", "adgan-from-vae-table"])
def test_the_script_still_writes_files_that_load(golden, file, tmp_path):
    (case,) = [case for case in golden.CASES if case.file == f"{file}.safetensors"]
    said = golden.write(case, tmp_path)
    model = ganad.load(tmp_path / case.file, device="cpu")
    assert golden.answers(model, golden.inputs()[said["inputs"]]).items() <= said.items()


def test_the_script_never_writes_into_the_folder_of_a_version_that_is_there(tmp_path):
    folder = tmp_path / ".".join(ganad.__version__.split(".")[:2])
    folder.mkdir()
    (folder / "scores.json").write_text("kept")
    done = subprocess.run([sys.executable, SCRIPT, "--output", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and "is there already" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == [folder.name, "scores.json"]
    assert (folder / "scores.json").read_text() == "kept"
