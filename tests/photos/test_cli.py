"""From a folder of photos to scores and a report on the command line."""

import csv
import dataclasses
import json

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganad
from ganad import InputError, NearestNeighbor
from ganad.cli.main import build_app
from ganad.cli.photos import PhotoOptions
from ganad.data import load_photos
from ganad.photos import Backbone, Regions, Tiles, choice

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


def test_photos_of_quite_another_size_are_told(photos):
    fit = ("fit", photos / "normal", "-o", photos / "m.ganad", "--backbone", "filters", "--cells", 2, "--verbose", 0)
    assert run(*fit).exit_code == 0
    for name, factor in (("small", 0.25), ("like", 0.9), ("large", 4)):
        photo = Image.open(photos / "test/good/0.png")
        photo.resize((int(photo.width * factor), int(photo.height * factor))).save(photos / f"test/good/{name}.png")
    scored = run("score", photos / "m.ganad", photos / "test", "-o", photos / "s.csv")
    assert "2 photos are less than half or more than twice as large as those learnt" in scored.stderr, scored.output


def test_a_photo_that_is_too_small_stops_neither_fit_nor_score(photos):
    photo = Image.open(photos / "normal" / "0.png")
    photo.resize((5, 5)).save(photos / "normal" / "tiny.png")
    photo.resize((59, 39)).save(photos / "test" / "good" / "less.png")
    made = run(
        *("fit", photos / "normal", "-o", photos / "m.ganad", "--tiles", "16/8", "--method", "pca-residual"),
        *("--n-components", 3, "--max-regions", 100, "--crop", "10,0,40,40", "--verbose", 0),
    )
    assert made.exit_code == 3 and "tiny.png: 5 x 5 pixels, too few: at least 50 x 40" in made.stderr, made.output
    scored = run("score", photos / "m.ganad", photos / "test", "-o", photos / "s.csv")
    assert scored.exit_code == 3 and "good/less.png: 59 x 39 pixels, too few" in scored.stderr, scored.output
    assert len((photos / "s.csv").read_text().splitlines()) == 7


def test_a_view_of_photos_is_refused_for_a_table(photos):
    (photos / "t.csv").write_text("a,b\n1,2\n3,4\n")
    for view in (("--tiles", "64/32"), ("--backbone", "filters")):
        refused = run("fit", photos / "t.csv", "-o", photos / "m.ganad", *view)
        said = " ".join(refused.output.split())
        assert refused.exit_code == 2 and f"t.csv: {view[0]} is for photos, and this is a table" in said


def test_a_backbone_of_the_users_own(photos, tmp_path):
    made = run(
        *("fit", photos / "normal", "-o", photos / "m.ganad", "--backbone", f"resnet18:{weights(tmp_path)}"),
        *("--method", "nearest-neighbor", "--max-regions", 50, "--false-alarm-rate", 0.4),
    )
    assert made.exit_code == 0, made.output
    assert "calibrated on 2 held-out" in made.output
    assert "few       2 held-out samples are few" in made.output and "SmallCalibrationSet" not in made.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tiles", "32", "--backbone", "resnet18:x"], "give one of them"),
        (["--tiles", "big"], "such as 64/32"),
        (["--pool", "max"], "--pool is for regions of photos"),
        (["--tiles", "32", "--size", "64"], "not for photos that keep their size"),
        (["--backbone", "resnet18:missing.pth"], "missing.pth: no such file"),
        (["--backbone", "vgg"], "name='vgg'"),
        (["--tiles", "32", "--whole"], "--whole is for --backbone"),
        (["--whole"], "--whole is for regions"),
        (["--crop", "0,0,20,20"], "--crop is for regions of photos"),
        (["--mask-out", "x.png"], "--mask-out is for regions of photos"),
        (["--tiles", "32", "--crop", "0,0,20"], "such as 100,50,800,600"),
        (["--tiles", "32", "--augment", "zoom"], "'zoom' is not one of"),
        (["--tiles", "32", "--mask-out", "x.png"], "cannot be read"),
    ],
)
def test_options_that_cannot_work_are_one_sentence(photos, options, words):
    made = run("fit", photos / "normal", "-o", photos / "m.ganad", "--method", "pca-residual", *options)
    assert made.exit_code == 2
    assert words in made.output and "Traceback" not in made.output
    assert not (photos / "m.ganad").exists()


@pytest.fixture
def laid_out(tmp_path):
    """A folder like MVTec's, with masks."""
    for kind, some in (("train/good", plates(10)), ("test/good", plates(3, seed=1))):
        (tmp_path / kind).mkdir(parents=True)
        for i, photo in enumerate(some):
            Image.fromarray(photo).save(tmp_path / kind / f"{i:03}.png")
    for kind, seed in (("scratch", 2), ("dent", 3)):
        (tmp_path / "test" / kind).mkdir()
        (tmp_path / "ground_truth" / kind).mkdir(parents=True)
        for i, photo in enumerate(plates(2, seed=seed)):
            bad, mask = scratched(photo, i)
            Image.fromarray(bad).save(tmp_path / "test" / kind / f"{i:03}.png")
            Image.fromarray(np.uint8(255 * mask)).save(tmp_path / "ground_truth" / kind / f"{i:03}_mask.png")
    return tmp_path


def test_a_benchmarks_folder_is_known_by_its_layout_and_masks_give_figures_by_kind(laid_out):
    made = run(
        *("fit", laid_out, "-o", laid_out / "m.ganad", "--tiles", "16/8", "--pool", "max", "--crop", "0,0,60,60"),
        *("--method", "pca-residual", "--n-components", 5, "--random-state", 0, "--max-regions", 200),
        *("--augment", "flip", "--verbose", 0),
    )
    assert made.exit_code == 0 and "learning train/good" in made.output, made.output
    model = ganad.load(laid_out / "m.ganad", device="cpu")
    assert model.crop == "0,0,60,60" and model.augment == "flip"
    scored = run(*("score", laid_out / "m.ganad", laid_out, "-o", laid_out / "s.csv", "--report", laid_out / "r.html"))
    assert scored.exit_code == 0, scored.output
    assert "of which good is normal, masks of ground_truth" in scored.output
    lines = {words[0]: words[1:] for line in scored.output.splitlines() if len(words := line.split()) == 8}
    assert lines["dent"][0] == lines["scratch"][0] == "2" and lines["all"][0] == "4"
    assert all(0 <= float(value) <= 1 for value in lines["all"][1:])
    rows = list(csv.DictReader((laid_out / "s.csv").open()))
    assert [row["label"] for row in rows] == ["1", "1", "0", "0", "0", "1", "1"]
    found = [json.loads(row["regions"]) for row in rows]
    assert all(box.keys() == {"x", "y", "width", "height", "area", "score"} for boxes in found for box in boxes)
    assert [len(boxes) for boxes in found] == [len(model.regions(photo)) for photo in load_photos(laid_out / "test").x]
    page = (laid_out / "r.html").read_text()
    assert page.count('"mask"') == 4 and page.count('"boxes"') == 7 and 'id="places"' in page
    again = run("score", laid_out / "m.ganad", laid_out / "test", "-o", laid_out / "s.parquet", "--normal", "good")
    assert again.exit_code == 0 and "AUROC" in again.output, again.output
    table = pyarrow.parquet.read_table(laid_out / "s.parquet")
    assert table["regions"].to_pylist() == found


def test_classes_that_are_named_leave_masks_and_learnt_photos_of_a_benchmarks_folder_out(laid_out):
    made = run(
        *("fit", laid_out, "-o", laid_out / "m.ganad", "--tiles", "16/8", "--max-regions", 200, "--normal", "good"),
        *("--method", "pca-residual", "--n-components", 5, "--verbose", 0),
    )
    assert made.exit_code == 0 and "10 normal samples" in made.output, made.output
    for named, labels in ((("--normal", "good"), "1100011"), (("--anomaly", "dent"), "1100000")):
        scored = run("score", laid_out / "m.ganad", laid_out, "-o", laid_out / "s.csv", *named)
        assert scored.exit_code == 0 and "masks of ground_truth" in scored.output, scored.output
        assert [row["label"] for row in csv.DictReader((laid_out / "s.csv").open())] == list(labels)


def test_masks_alone_say_which_photos_have_a_defect(laid_out):
    made = run(
        *("fit", laid_out / "train", "-o", laid_out / "m.ganad", "--size", 32, "--method", "pca-residual"),
        *("--n-components", 3, "--verbose", 0),
    )
    assert made.exit_code == 0, made.output
    (laid_out / "ground_truth" / "good").mkdir()  # a black mask is as good as none
    shape = np.asarray(Image.open(laid_out / "test" / "good" / "001.png")).shape
    Image.fromarray(np.zeros(shape, np.uint8)).save(laid_out / "ground_truth" / "good" / "001.png")
    scored = run(
        *("score", laid_out / "m.ganad", laid_out / "test", "-o", laid_out / "s.csv"),
        *("--masks", laid_out / "ground_truth"),
    )
    assert scored.exit_code == 0, scored.output
    assert "pixel auroc" in scored.output and "regions" not in (laid_out / "s.csv").read_text()
    assert [row["label"] for row in csv.DictReader((laid_out / "s.csv").open())] == list("1100011")


def test_photos_of_a_kind_of_defect_without_a_mask_are_counted_once(laid_out):
    made = run(
        *("fit", laid_out / "train", "-o", laid_out / "m.ganad", "--size", 32, "--method", "pca-residual"),
        *("--n-components", 3, "--verbose", 0),
    )
    assert made.exit_code == 0, made.output
    score = ("score", laid_out / "m.ganad", laid_out / "test", "-o", laid_out / "s.csv")
    score += ("--masks", laid_out / "ground_truth", "--normal", "good")
    assert "no mask" not in run(*score).output
    (laid_out / "ground_truth" / "dent" / "001_mask.png").unlink()
    said = run(*score).stderr
    assert said.count("no mask") == 1 and "ganad: 1 of 2 photos of kind dent has no mask" in said


def test_masks_that_cannot_be_used_are_named_before_anything_is_scored(laid_out, monkeypatch):
    made = run(
        *("fit", laid_out, "-o", laid_out / "m.ganad", "--tiles", "16/8", "--max-regions", 200),
        *("--method", "pca-residual", "--n-components", 5, "--verbose", 0),
    )
    assert made.exit_code == 0, made.output
    for kind in ("dent", "scratch"):
        Image.fromarray(np.uint8([[255]])).save(laid_out / "ground_truth" / kind / "001_mask.png")
    monkeypatch.setattr(Regions, "inspect", lambda *_: pytest.fail("something was scored"))
    refused = run("score", laid_out / "m.ganad", laid_out, "-o", laid_out / "s.csv")
    said = "".join(refused.output.split())
    assert refused.exit_code == 2 and "2maskscannotbeused" in said and "scratch/001_mask.png" in said, refused.output


def test_masks_of_one_kind_are_found_by_its_name_and_missing_figures_are_explained(laid_out):
    made = run(
        *("fit", laid_out / "train", "-o", laid_out / "m.ganad", "--size", 32, "--method", "pca-residual"),
        *("--n-components", 3, "--verbose", 0),
    )
    assert made.exit_code == 0, made.output
    truth = laid_out / "ground_truth"
    for masks in (truth, truth / "dent"):
        scored = run(
            *("score", laid_out / "m.ganad", laid_out / "test" / "dent", "-o", laid_out / "s.csv", "--masks", masks)
        )
        assert scored.exit_code == 0, scored.output
        assert "no figures: by mask or class no sample is normal, so there is nothing" in scored.output
        assert (f"masks of {truth / 'dent'}" in scored.output.replace("\n", "")) == (masks == truth)


def test_masks_that_are_not_there_or_are_for_a_table_are_one_sentence(laid_out):
    (laid_out / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{i % 3}" for i in range(20)))
    assert run("fit", laid_out / "t.csv", "-o", laid_out / "t.ganad", "--method", "kde", "--verbose", 0).exit_code == 0
    for data, masks, words in ((laid_out / "t.csv", laid_out, "a table"), (laid_out / "t.csv", "none", "a table")):
        refused = run("score", laid_out / "t.ganad", data, "-o", laid_out / "s.csv", "--masks", masks)
        assert refused.exit_code == 2 and words in refused.output and "Traceback" not in refused.output


def test_one_vector_a_photo_and_the_weights_in_the_file(photos, tmp_path):
    made = run(
        *("fit", photos / "normal", "-o", photos / "m.ganad", "--backbone", f"resnet18:{weights(tmp_path)}", "--whole"),
        *("--method", "nearest-neighbor", "--embed-backbone"),
    )
    assert made.exit_code == 0, made.output
    (tmp_path / "resnet18.pth").unlink()
    model = ganad.load(photos / "m.ganad", device="cpu")
    assert model.view.cells == 1 and len(model.inner_.samples_) == 12


def test_layers_of_a_backbone(photos, tmp_path):
    start = ("fit", photos / "normal", "-o", photos / "m.ganad", "--method", "gaussian")
    network = ("--backbone", f"resnet18:{weights(tmp_path)}", "--cells", 2)
    made = run(*start, *network, "--layers", "0,3")
    assert made.exit_code == 0, made.output
    assert ganad.load(photos / "m.ganad", device="cpu").view.layers == (0, 3)
    wrong = ((*network, "--layers", "0;3"), (*network, "--layers", "3,9"), ("--tiles", "64/32", "--layers", "3"))
    for given, words in zip(wrong, ("such as 0,3", "in rising order", "--layers is for --backbone"), strict=True):
        refused = run(*start, *given)
        assert refused.exit_code == 2 and words in " ".join(refused.output.split()), refused.output
    refused = run(*start, "--layers", "3")
    assert refused.exit_code == 2 and "--layers is for regions" in " ".join(refused.output.split())


@pytest.mark.parametrize("installed", [True, False])
def test_auto_on_large_photos_keeps_their_size_and_says_what_it_takes(tmp_path, monkeypatch, installed):
    monkeypatch.setattr(choice, "weights_installed", lambda backbone: installed)
    options = choice.PLACES.options | {"backbone": f"resnet18:{weights(tmp_path)}", "cells": 2}
    taken = dataclasses.replace(choice.PLACES, options=options)
    monkeypatch.setattr(choice, "PLACES", taken)  # the real one may not be installed here
    (tmp_path / "normal").mkdir()
    for i, photo in enumerate(plates(4, sides=(140, 150))):
        Image.fromarray(photo).save(tmp_path / "normal" / f"{i}.png")
    made = run(
        *("fit", tmp_path / "normal", "-o", tmp_path / "m.ganad", "--random-state", 3, "--max-regions", 5000),
        *("--verbose", 0, "--pool", "top5"),
    )
    assert made.exit_code == 0, made.output
    model = ganad.load(tmp_path / "m.ganad", device="cpu")
    assert ("pip install 'ganad[backbone]'" in made.output) == (not installed)
    assert (model.view == Backbone("filters", cells=32)) == (not installed) and model.pool == "top5"
    assert not installed or model.view.layers == (0, 3)
    assert model.inner_.apart and model.max_regions == 5000 and model.random_state == 3


@pytest.mark.parametrize("taken", [choice.PLACES, choice.FILTERS], ids=["places", "filters"])
def test_what_auto_says_is_what_it_takes(taken):
    """The command line in its words has its options and settings, and no others."""
    words = taken.words[taken.words.index("(--") + 1 : -1].split()
    said = {}
    for word in words:
        if word.startswith("--"):
            said[name := word.removeprefix("--").replace("-", "_")] = "True"
        else:
            said[name] = word
    assert said.pop("method") == taken.method
    assert said == {name: str(value) for name, value in (taken.options | taken.settings).items()}


@pytest.mark.parametrize(
    ("options", "layers", "cells", "pool", "words"),
    [
        (dict(backbone="resnet18:r.pth"), "0,3", 24, "max", "24 x 24 places on resnet18, edges and lines (--b"),
        (dict(backbone="resnet18:r.pth", layers="3", cells=8), "3", 8, "max", "each of 8 x 8 places on resnet18 (--b"),
        (dict(backbone="filters", pool="mean"), None, 32, "mean", "32 x 32 places on edges and lines (--backbone fi"),
        (dict(backbone="onnx:n.onnx"), None, 24, "max", "24 x 24 places on onnx (--backbone onnx:n.onnx --cells 24"),
    ],
)
def test_what_a_named_backbone_leaves_open_is_as_auto_has_it(options, layers, cells, pool, words, capsys):
    method, settings, found = PhotoOptions(**options).chosen("photos", False)
    said = capsys.readouterr().out
    assert words in said and "leaves open is as auto has it" in said
    assert (method, settings) == ("gaussian", {"apart": "True"}) and found.backbone == options["backbone"]
    assert (found.layers, found.cells, found.pool) == (layers, cells, pool)
    for own in (PhotoOptions(backbone="resnet18:r.pth", whole=True), PhotoOptions(tiles="64/32")):
        assert own.chosen("photos", False) == ("auto", {}, own)


def test_a_fit_that_names_a_backbone_alone(photos):
    fit = ("fit", photos / "normal", "-o", photos / "m.ganad", "--verbose", 0)
    made = run(*fit, "--backbone", "filters", "--cells", 2)
    assert made.exit_code == 0, made.output
    model = ganad.load(photos / "m.ganad", device="cpu")
    assert model.view == Backbone("filters", cells=2) and model.inner_.apart and model.pool == "max"


def test_what_auto_has_no_use_for_is_said(tmp_path, monkeypatch):
    (tmp_path / "normal").mkdir()
    for i, photo in enumerate(plates(4, sides=(140, 150))):
        Image.fromarray(photo).save(tmp_path / "normal" / f"{i}.png")
    monkeypatch.setattr(choice, "weights_installed", lambda backbone: False)
    with pytest.raises(InputError, match="--layers are those of a network"):
        PhotoOptions(layers="3").chosen(str(tmp_path / "normal"), False)
    assert PhotoOptions(choose="coreset").chosen(str(tmp_path / "normal"), False)[2].max_regions is None
    with pytest.raises(InputError, match="--cells is for regions"):
        PhotoOptions(cells=0).of_photos(NearestNeighbor())
    with pytest.raises(InputError, match="--layers is for --backbone"):
        PhotoOptions(tiles="64/32", layers="").of_photos(NearestNeighbor())


def test_large_photos_that_a_method_squeezes_are_said_before_the_fit(tmp_path):
    (tmp_path / "normal").mkdir()
    fit = ("fit", tmp_path / "normal", "-o", tmp_path / "m.ganad", "--method", "pca-residual", "--verbose", 0)
    for size, more, said in (
        ((300, 200), (), "photos of 300 x 200 pixels are squeezed to 128 x 85; --tiles 64/32 or --backbone keeps"),
        ((300, 200), ("--size", 128), None),
        ((256, 200), (), None),
    ):
        for i, photo in enumerate(plates(4, sides=(140, 150))):
            Image.fromarray(photo).resize(size).save(tmp_path / "normal" / f"{i}.png")
        made = run(*fit, *more)
        assert made.exit_code == 0, made.output
        assert said in made.stderr if said else "squeezed" not in made.output


def test_auto_leaves_small_images_and_a_named_size_as_they_were(tmp_path):
    (tmp_path / "normal").mkdir()
    for i, photo in enumerate(plates(4, sides=(140, 150))):
        Image.fromarray(photo).save(tmp_path / "normal" / f"{i}.png")
    given = PhotoOptions()
    assert given.chosen(str(tmp_path / "normal"), False)[0] == "gaussian" or not installed_here()
    for file in (tmp_path / "normal").iterdir():
        Image.open(file).resize((50, 64)).save(file)
    assert given.chosen(str(tmp_path / "normal"), False) == ("auto", {}, given)
    assert given.chosen(str(tmp_path / "missing"), False) == ("auto", {}, given)
    assert given.chosen("mnist", False) == ("auto", {}, given)


def installed_here():
    return choice.choice_here() is choice.PLACES
