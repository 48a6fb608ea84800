"""Only a part of each photo counts; and variants of few photos."""

import warnings

import numpy as np
import pytest
from PIL import Image

import ganad
from ganad import InputError, NearestNeighbor, PCAResidual
from ganad.calibrate import SmallCalibrationSet
from ganad.data import load_photos
from ganad.metrics import auroc
from ganad.photos import Backbone, Regions, Tiles, augment
from ganad.photos.part import Part, crop_of, part_of

from .samples import plates, scratched, weights

QUIET = dict(random_state=0, device="cpu", threads=1, verbose=0, max_regions=200)
SIDES = (90, 91)


def same_size(n, seed=0):
    return plates(n, seed, SIDES)


@pytest.fixture
def drawn(tmp_path):
    """An image of a part: a disc in photos of 90 x 90."""
    y, x = np.mgrid[:90, :90]
    Image.fromarray(np.uint8(255 * (np.hypot(y - 45, x - 50) < 30))).save(tmp_path / "part.png")
    return str(tmp_path / "part.png")


@pytest.mark.parametrize("how", ["crop", "part", "both"])
def test_what_lies_outside_the_part_changes_no_score(how, drawn, tmp_path):
    given = dict(crop="30,20,40,50") if how != "part" else {}
    given |= dict(part=drawn) if how != "crop" else {}
    model = Regions(PCAResidual(n_components=5, verbose=0), Tiles(16, 8), **QUIET, **given).fit(same_size(4))
    photo = same_size(1, seed=1)[0]
    outside = np.full(photo.shape, how != "part")
    outside[20:70, 30:70] = False
    if how != "crop":
        outside |= np.asarray(Image.open(drawn)) < 128
    other = np.where(outside, 255 - photo, photo)
    before, after = (next(model.inspect([x])) for x in (photo, other))
    assert before.score == after.score and (before.heat == after.heat).all()
    assert (before.heat[outside] == before.heat.min()).all() and before.heat[~outside].max() > before.heat.min()
    inside = np.where(outside, photo, 255 - photo)
    assert model.anomaly_score([inside])[0] != before.score
    model.save(tmp_path / "m.ganad")
    (tmp_path / "part.png").unlink(missing_ok=True)
    assert ganad.load(tmp_path / "m.ganad", device="cpu").anomaly_score([other])[0] == after.score


def test_boxes_are_in_the_pixels_of_the_whole_photo():
    model = Regions(PCAResidual(n_components=5, verbose=0), Tiles(16, 4), pool="max", crop="30,20,50,60", **QUIET)
    model.fit(same_size(8))
    photo = same_size(1, seed=3)[0]
    photo[50:56, 60:66] = 255
    best = model.regions(photo)[0]
    assert best.x <= 63 <= best.x + best.width and best.y <= 53 <= best.y + best.height
    assert 0 < best.area <= best.width * best.height
    assert best.score == pytest.approx(model.anomaly_score([photo])[0], rel=0.1)


@pytest.mark.parametrize(
    ("crop", "words"),
    [("1,2,3", "such as 100,50"), ("0,0,7,90", "sides of 8"), ("a,b,c,d", "such as"), ("80,0,20,20", "too few for")],
)
def test_a_crop_that_cannot_work_is_refused_in_words(crop, words):
    with pytest.raises(InputError, match=words):
        Regions(PCAResidual(), Tiles(16, 8), crop=crop, **QUIET).fit(same_size(2))


def test_a_photo_of_a_folder_that_is_too_small_is_named(tmp_path):
    model = Regions(PCAResidual(n_components=5, verbose=0), Tiles(16, 8), crop="30,20,40,50", **QUIET)
    model.fit(same_size(4))
    for name, photo in (("a", same_size(1)[0]), ("b", same_size(1)[0][:50])):
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    for look in (model.anomaly_score, model.fit):
        with pytest.raises(InputError, match=r"^b\.png: photo 1 has 90 x 50 pixels, too few for the crop"):
            look(load_photos(tmp_path).x)


def test_images_of_the_part_that_cannot_work_are_refused_in_words(tmp_path):
    black, small, text = (tmp_path / f"{name}.png" for name in ("black", "small", "text"))
    Image.fromarray(np.zeros((90, 90), np.uint8)).save(black)
    Image.fromarray(np.full((50, 90), 255, np.uint8)).save(small)
    text.write_text("no image")
    for file, words in (
        (black, "leaves nothing"),
        (small, "as large"),
        (text, "cannot be read"),
        ("x.png", "not a regular file"),
    ):
        with pytest.raises(InputError, match=words):
            Regions(PCAResidual(), Tiles(16, 8), part=str(file), **QUIET).fit(same_size(2))


def test_a_part_between_the_regions_is_refused():
    shape = np.zeros((90, 90), bool)
    shape[0, 0] = True
    model = Regions(PCAResidual(), Tiles(32, 32), **QUIET)
    model.take_part(shape, part_of(None, shape))
    with pytest.raises(InputError, match="no region of Tiles"):
        model._there(*model._seen(same_size(1)[0], 0))


def test_one_vector_a_photo_is_there_even_of_a_part_between_the_regions(tmp_path):
    shape = np.zeros((90, 90), np.uint8)
    shape[0, 0] = 255
    Image.fromarray(shape).save(tmp_path / "part.png")
    view = Backbone("resnet18", layers=(4,), weights=weights(tmp_path), regions=False)
    model = Regions(PCAResidual(), view, part=str(tmp_path / "part.png"), **QUIET).fit(same_size(4))
    assert np.isfinite(model.anomaly_score(same_size(2))).all()


def test_a_part_is_cut_to_its_bounds():
    shape = np.zeros((50, 60), bool)
    shape[10:30, 20:50] = True
    part = part_of("0,0,40,50", shape)
    assert (part.left, part.top, part.width, part.height) == (20, 10, 20, 20)
    assert part_of(None, None) is None and crop_of("1, 2,8,9") == (1, 2, 8, 9)
    assert isinstance(part, Part) and part.inside.all()


def test_one_vector_a_photo(tmp_path):
    view = Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path), regions=False)
    photos = plates(5)
    model = Regions(NearestNeighbor(k=1, verbose=0), view, **QUIET).fit(photos)
    assert model.inner_.samples_.shape == (5, 64 + 128)
    assert np.ptp(model.explain(photos[:1])) == 0
    positions = Regions(NearestNeighbor(verbose=0), Backbone("resnet18", (1, 2), view.weights), **QUIET).fit(photos)
    vectors = np.concatenate([z for _, z in positions._all_blocks(photos[0])])
    [(_, mean)] = model._blocks(photos[0], None)
    np.testing.assert_allclose(mean[0], vectors.mean(0), rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "m.ganad")
    assert ganad.load(tmp_path / "m.ganad", device="cpu").anomaly_score(photos).tolist() == (
        model.anomaly_score(photos).tolist()
    )


def test_variants_move_the_part_with_the_photo():
    photo = np.arange(40 * 30).reshape(40, 30).astype(np.uint8)
    made = list(augment.variants(photo, photo > 100, "flip,rotate90,shift", [0, 1]))
    assert len(made) == augment.count("flip,rotate90,shift") == 8
    for seen, inside in made:
        assert ((seen > 100) == inside).all()
    bright = list(augment.variants(photo, None, "brightness", [0, 1]))
    assert bright[1][0].mean() < photo.mean() < bright[2][0].mean()
    with pytest.raises(InputError, match="'zoom' is not one of flip"):
        augment.names("flip,zoom")


@pytest.mark.parametrize("how", ["tiles", "backbone"])
def test_variants_are_learnt_alike_with_the_same_seed(how, tmp_path):
    view = Tiles(16, 16) if how == "tiles" else Backbone("resnet18", layers=(2,), weights=weights(tmp_path))
    photos = plates(3, sides=(60, 80))
    quiet = QUIET | dict(max_regions=10_000)
    models = [
        Regions(NearestNeighbor(k=1, verbose=0), view, augment=ways, **quiet).fit(photos)
        for ways in ("", "flip", "flip", "shift,brightness")
    ]
    turned = [photo[:, ::-1].copy() for photo in photos]
    scores = [model.anomaly_score(turned).tolist() for model in models]
    assert scores[1] == scores[2] and scores[1] != scores[0] != scores[3]
    assert max(scores[1]) < min(scores[0])
    assert len(models[3].inner_.samples_) > 4 * len(models[0].inner_.samples_)


def test_thirty_photos_and_their_variants_find_a_scratch_and_say_what_is_promised():
    sides, ways = (100, 140), "flip,shift,brightness"
    model = Regions(
        PCAResidual(n_components=20), Tiles(32, 16), pool="max", augment=ways, **QUIET | dict(max_regions=800)
    )
    with pytest.warns(SmallCalibrationSet, match="6 held-out samples .* 1 in 7; .* at most 0.15 .* 0.4% and 46%"):
        model.fit(plates(30, sides=sides), hold_out=0.2, false_alarm_rate=0.15)
    good = plates(20, 1, sides)
    bad = [scratched(photo, i)[0] for i, photo in enumerate(plates(20, 2, sides))]
    scores = np.r_[model.anomaly_score(good), model.anomaly_score(bad)]
    assert auroc(np.repeat([0, 1], 20), scores) > 0.95
    with pytest.warns(SmallCalibrationSet, match="no p-value is below 1 in 7. Give more"):
        model.fit(plates(30, sides=sides), hold_out=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(plates(40, sides=(40, 41)), hold_out=0.5, false_alarm_rate=0.15)
