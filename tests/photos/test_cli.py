"""From a folder of photos to scores and a report on the command line."""

import csv

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganad
from ganad.cli.main import build_app
from ganad.data import load_photos
from ganad.photos import Tiles

from .samples import plates, scratched, weights


def run(*arguments):
    words = [str(a) for a in arguments]
    return CliRunner().invoke(build_app(words), words)


@pytest.fixture
def photos(tmp_path):
    for kind, some in (
        ("normal", plates(12)),
        ("test/good", plates(3, seed=1)),
        ("test/scratch", [scratched(photo, 0)[0] for photo in plates(3, seed=2)]),
    ):
        (tmp_path / kind).mkdir(parents=True)
        for i, photo in enumerate(some):
            Image.fromarray(photo).save(tmp_path / kind / f"{i}.png")
    return tmp_path


def test_from_a_folder_to_scores_and_a_report(photos):
    made = run(
        *("fit", photos / "normal", "-o", photos / "m.ganad", "--tiles", "32/16", "--pool", "max"),
        *("--method", "pca-residual", "--n-components", 5, "--random-state", 0, "--max-regions", 300),
    )
    assert made.exit_code == 0, made.output
    assert "12 normal samples" in made.output
    model = ganad.load(photos / "m.ganad", device="cpu")
    assert model.view == Tiles(32, 16) and model.pool == "max" and model.inner_.n_components == 5
    scored = run(
        *("score", photos / "m.ganad", photos / "test", "-o", photos / "s.csv"),
        *("--normal", "good", "--report", photos / "r.html"),
    )
    assert scored.exit_code == 0, scored.output
    rows = list(csv.DictReader((photos / "s.csv").open()))
    assert [row["name"] for row in rows][:1] == ["good/0.png"] and len(rows) == 6
    given = np.array([float(row["score"]) for row in rows])
    assert given.tolist() == pytest.approx(model.anomaly_score(load_photos(photos / "test").x).tolist())
    assert (photos / "r.html").read_text().count('"heat"') == 6


def test_a_backbone_of_the_users_own(photos, tmp_path):
    made = run(
        *("fit", photos / "normal", "-o", photos / "m.ganad", "--backbone", f"resnet18:{weights(tmp_path)}"),
        *("--method", "nearest-neighbor", "--max-regions", 50, "--false-alarm-rate", 0.4),
    )
    assert made.exit_code == 0, made.output
    assert "calibrated on 2 held-out" in made.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tiles", "32", "--backbone", "resnet18:x"], "give one of them"),
        (["--tiles", "big"], "such as 64/32"),
        (["--pool", "max"], "--pool is for regions of photos"),
        (["--tiles", "32", "--size", "64"], "not for photos that keep their size"),
        (["--backbone", "resnet18:missing.pth"], "missing.pth: no such file"),
        (["--backbone", "vgg"], "name='vgg'"),
    ],
)
def test_options_that_cannot_work_are_one_sentence(photos, options, words):
    made = run("fit", photos / "normal", "-o", photos / "m.ganad", "--method", "pca-residual", *options)
    assert made.exit_code == 2
    assert words in made.output and "Traceback" not in made.output
    assert not (photos / "m.ganad").exists()
