"""Photos of one's own in ``ganad bench``: regions, kinds of defect and masks in its rows."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ganad import InputError, bench, registry
from ganad.bench import OwnData, Recipe, Suite, Task, own_data, tables
from ganad.bench.rows import current, is_current
from ganad.bench.suites.photos import AUTO
from ganad.bench.trial import trial
from ganad.cli.main import build_app
from ganad.photos import Regions, choice, regions_of

from .samples import plates, scratched

PCA = Recipe("PCA", "PCAResidual", settings=dict(n_components=5), regions=dict(tiles="32/16", max_regions=300))


def write(folder, some):
    folder.mkdir(parents=True)
    for i, photo in enumerate(some):
        Image.fromarray(photo).save(folder / f"{i}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("plates")
    normal, bad = (
        plates(12, sides=(140, 150)),
        [scratched(p, i) for i, p in enumerate(plates(4, seed=2, sides=(140, 150)))],
    )
    write(root / "photos" / "normal", normal)
    write(root / "photos" / "scratch", [photo for photo, _ in bad])
    write(root / "laid" / "train" / "good", normal)
    write(root / "laid" / "test" / "good", plates(4, seed=1, sides=(140, 150)))
    write(root / "laid" / "test" / "scratch", [photo for photo, _ in bad])
    for place in ("masks", "laid/ground_truth"):
        write(root / place / "scratch", [mask.astype(np.uint8) * 255 for _, mask in bad])
    return root


def suite_of(own):
    made = own_data.suite(own, own.read())
    return Suite(made.name, made.protocol, (PCA,), own=made.own)


def test_masks_and_kinds_are_in_the_rows_of_photos(folder):
    suite = suite_of(OwnData(str(folder / "photos"), masks=str(folder / "masks")))
    row = trial(Task(suite, "PCA", "normal"))
    assert "error" not in row, row
    figures = row["metrics"]
    assert row["n_train"] == 9 and figures["n"] == 7 and figures["pixel_auroc"] > 0.9
    assert {"aupro", "pointing", "auroc_mean_region"} <= set(figures)
    assert [line["kind"] for line in row["by_kind"]] == ["scratch", "all"]
    assert row["by_kind"][-1]["auroc"] == pytest.approx(figures["auroc"], abs=1e-6)
    assert row["parameters"]["regions"]["pool"] == "ranked"
    again = json.loads(json.dumps(row))
    assert current(suite, [again]) == [again]
    other = Recipe("PCA", "PCAResidual", settings=PCA.settings, regions=dict(PCA.regions) | dict(pool="max"))
    assert not current(Suite(suite.name, suite.protocol, (other,), own=suite.own), [again])


def test_folders_that_say_what_trains_are_taken_as_they_are(folder):
    own = OwnData(str(folder / "laid"))
    suite = suite_of(own)
    assert suite.protocol == "user-folders"
    page = tables.write(folder / "none", folder / "page", suite)[0].read_text("utf-8")
    assert "folders say what trains" in page and "A fifth" not in page
    row = trial(Task(suite, "PCA"))
    assert row["n_train"] == 12 and row["metrics"]["n"] == 8 and "pixel_auroc" in row["metrics"]
    samples = own.read()
    assert samples.hash() == OwnData(own.path, normal=("good",)).read().hash()
    assert samples.hash() == own.read().hash() != samples.subset(np.arange(5)).hash()


def test_photos_with_a_defect_and_without_a_mask_are_counted(folder):
    for own in (OwnData(str(folder / "laid")), OwnData(str(folder / "photos"), masks=str(folder / "masks"))):
        samples = own.read()
        assert own_data.without_masks(samples) == []
        samples.masks[-1] = None
        [said] = own_data.without_masks(samples)
        assert said.startswith("1 of 4 photos of kind scratch has no mask")


def test_masks_that_cannot_be_used_are_refused_before_any_trial(folder, tmp_path):
    own, small = OwnData(str(folder / "laid")), tmp_path / "small.png"
    Image.fromarray(np.uint8([[255]])).save(small)
    samples = own.read()
    samples.masks[-1] = small
    with pytest.raises(InputError, match="small.png: a mask of 1 x 1 pixels"):
        own_data.suite(own, samples)


def test_the_command_measures_photos_and_prints_their_tables(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_data, "_photos", lambda: (PCA, AUTO[1]))
    words = ["bench", str(folder / "photos"), "--masks", str(folder / "masks"), "--seeds", "1", "--workers", "1"]
    done = CliRunner().invoke(build_app(words), words)
    assert done.exit_code == 0, done.output
    assert "PCA" in done.output and "auto" in done.output
    text = (tmp_path / "photos-bench" / "TABLES.md").read_text()
    assert "pixel_auroc" in text and "aupro" in text


def test_masks_of_small_images_are_refused(folder, tmp_path):
    write(tmp_path / "normal", plates(3, sides=(60, 64)))
    with pytest.raises(InputError, match="more than 64 pixels"):
        OwnData(str(tmp_path), masks=str(folder / "masks")).read()


def test_large_photos_have_no_columns(folder):
    with pytest.raises(InputError, match="photos have no columns; leave --label"):
        OwnData(str(folder / "photos"), label="class").read()


def test_the_line_auto_is_what_fit_takes():
    for recipe, taken in zip(AUTO, (choice.PLACES, choice.FILTERS, choice.SMALLER), strict=True):
        assert (recipe.detector, recipe.regions) == (taken.method, taken.options)
        made = regions_of(registry.get(recipe.detector)(**recipe.settings), **recipe.regions)
        assert isinstance(made, Regions)
    suite = bench.SUITES["tiles"]
    assert suite.recipe("auto") == AUTO[0] and suite.has_todays_defaults
    row = {"preset": None, "settings": {}, "detector": "VAE"}
    assert is_current(row, row)
