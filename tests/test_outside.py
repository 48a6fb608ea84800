"""A method outside ganad, installed from wheels into an environment of its own, is found wherever a built-in one is."""

import csv
import os
import subprocess
import sys
import sysconfig
import textwrap
import venv
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "ganad-wgan"
FAST = ["--normal", "0", "--epochs", "2", "--width", "8", "--n-critic", "1"]

MINE = """
    from ganad import NetworkDetector
    from ganad.nets import mlp


    class Redraws(NetworkDetector):
        '''Redraws rows; its file lies beside the data.'''

        def build_table(self, d):
            return dict(net=mlp(d, 2, d))

        def training_step(self, batches):
            yield "net", dict(error=self.score_batch(next(batches)).mean())

        def score_batch(self, x):
            return (x - self.nets_.net(x)).square().sum(1)
"""
IMPOSTOR = """
    from ganad.methods.baselines.trivial import Trivial


    class WGAN(Trivial):
        '''Has the name of another package's class.'''
"""


class Place:
    """A folder with an environment of its own, and what runs in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder / "venv")}))

    def run(self, *command, env=None, cwd=None) -> subprocess.CompletedProcess:
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GANAD_PLUGINS")}
        program = [self.bin / command[0], *map(str, command[1:])]
        return subprocess.run(program, capture_output=True, text=True, cwd=cwd or self.folder, env=clean | (env or {}))

    def ganad(self, *arguments, env=None) -> str:
        done = self.run("ganad", *arguments, env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments, env=None) -> str:
        done = self.run("ganad", *arguments, env=env)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def scores(self, *arguments, env=None) -> list[float]:
        self.ganad("score", *arguments, "-o", "scores.csv", env=env)
        with (self.folder / "scores.csv").open() as file:
            return [float(row["score"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """ganad and the example from their wheels; only what they depend on is borrowed from this environment."""
    place = Place(tmp_path_factory.mktemp("outside"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = place.folder / "wheels"
    offline = ["--no-deps", "--no-index"]
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", wheels, ROOT, EXAMPLE], check=True)
    venv.create(place.folder / "venv", symlinks=os.name != "nt")
    interpreter = ["--python", place.bin / "python"]
    subprocess.run([*pip, *interpreter, "install", *offline, *wheels.glob("*.whl")], check=True)
    borrowed = [path for path in sys.path if Path(path).name == "site-packages"]
    (place.site / "borrowed.pth").write_text("\n".join(borrowed))
    (place.folder / "mine.py").write_text(textwrap.dedent(MINE))
    (place.folder / "impostor.py").write_text(textwrap.dedent(IMPOSTOR))
    np.savetxt(place.folder / "rows.csv", np.random.default_rng(0).normal(size=(50, 3)), "%.4f", ",", header="a,b,c")
    return place


@pytest.fixture(scope="module")
def model(place):
    place.ganad("fit", "digits", "--method", "wgan", *FAST, "-o", "zero.safetensors")
    return place.folder / "zero.safetensors"


@pytest.fixture(scope="module")
def mine(place):
    command = ["fit", "rows.csv", "--method", "redraws", "--epochs", "1", "-o", "mine.safetensors"]
    place.ganad("--plugin", "mine", *command)
    return place.folder / "mine.safetensors"


def test_both_packages_come_from_their_wheels(place):
    done = place.run("python", "-c", "import ganad, ganad_wgan; print(ganad.__file__, ganad_wgan.__file__, sep='\\n')")
    assert [Path(line).is_relative_to(place.site) for line in done.stdout.splitlines()] == [True, True], done.stderr
    assert len((EXAMPLE / "src" / "ganad_wgan.py").read_text().splitlines()) < 80


def test_an_installed_method_is_listed_and_described(place):
    (line,) = [line for line in place.ganad("methods").splitlines() if line.startswith("wgan ")]
    assert "how little its critic takes a sample for a real one" in line
    described = place.ganad("methods", "wgan")
    assert "--n-critic" in described and "preset paper" in described


def test_an_installed_method_is_completed(place):
    words = "ganad fit --method wg"
    environment = {"_GANAD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert place.run("ganad", env=environment).stdout.split() == ["wgan"]


def test_an_installed_method_is_fitted_scored_in_a_new_process_and_exported(place, model):
    scores = place.scores(model, "digits")
    assert len(scores) > 100 and np.isfinite(scores).all() and np.ptp(scores) > 0
    place.ganad("export", model, "-o", "zero.onnx")
    assert (place.folder / "zero.onnx").stat().st_size > 1000
    assert "no setting --n-critics; did you mean --n-critic?" in place.refused(
        *["fit", "digits", "--method", "wgan", "--n-critics", "1", "-o", "other.safetensors"]
    )


def test_an_installed_method_is_measured_on_data_of_the_users_own(place):
    rows = np.random.default_rng(0).normal(size=(60, 4))
    rows[50:] += 6
    lines = [",".join([*(f"{v:.3f}" for v in row), "bad" if i >= 50 else "good"]) for i, row in enumerate(rows)]
    (place.folder / "mine.csv").write_text("\n".join(["a,b,c,d,state", *lines]))
    bench = ["bench", "mine.csv", "--label", "state", "--normal", "good", "--methods", "wgan"]
    out = place.ganad(*bench, "--seeds", "1", "--budget", "smoke")
    assert "1/1 WGAN" in out and "AUROC" in out


def test_the_checks_run_on_an_installed_method(place):
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests", "-k", "company or shape"]
    done = place.run("python", *command, cwd=EXAMPLE)
    assert done.returncode == 0 and "10 passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_example_keeps_the_whole_contract(place):
    done = place.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests", cwd=EXAMPLE)
    assert done.returncode == 0, done.stdout


def test_a_module_in_the_current_folder_serves_as_a_plugin(place, mine):
    assert "no method 'redraws'" in place.refused("fit", "rows.csv", "--method", "redraws", "-o", "x.safetensors")
    assert "--plugin MODULE" in place.refused("score", mine, "rows.csv", "-o", "scores.csv")
    assert len(place.scores(mine, "rows.csv", env={"GANAD_PLUGINS": "mine"})) == 50
    assert "redraws " in place.ganad("--plugin", "mine", "methods")
    assert "defines no detector" in place.refused("--plugin", "json", "methods")
    assert "cannot be imported" in place.refused("--plugin", "nowhere", "methods")


def test_a_name_that_two_packages_claim_is_refused(place, tmp_path):
    (tmp_path / "other_wgan.py").write_text(textwrap.dedent(IMPOSTOR))
    info = tmp_path / "other_wgan-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-wgan\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganad.detectors]\nwgan = other_wgan:WGAN\n")
    for command in (["methods"], ["fit", "digits", "--method", "wgan", "-o", "x.safetensors"]):
        words = place.refused(*command, env={"PYTHONPATH": str(tmp_path)})
        assert "two detectors are called 'wgan'" in words and "ganad_wgan:WGAN" in words and "other_wgan:WGAN" in words
    assert "two detectors are called 'wgan'" in place.refused("--plugin", "impostor", "methods")


def test_a_class_of_the_same_name_from_another_module_never_takes_its_place(place, mine, tmp_path):
    (tmp_path / "theirs.py").write_text(textwrap.dedent(MINE))
    command = ["ganad", "--plugin", "theirs", "score", mine, place.folder / "rows.csv", "-o", "scores.csv"]
    done = place.run(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "a model of class 'mine:Redraws', which is not known here" in done.stderr
