"""Photos at their own size, and the masks beside them."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ganad import InputError
from ganad.data import Samples
from ganad.data import load as load_data
from ganad.data.layouts import layout_of
from ganad.data.photos import Photos, check_masks, find_masks, load_photos, read_mask, without_mask
from ganad.photos.part import read_shape
from ganad.watching.reading import Reader


@pytest.fixture
def folder(tmp_path):
    """Two good photos of different size, a damaged file, and one turned by its EXIF orientation."""
    rng = np.random.default_rng(0)
    (tmp_path / "good").mkdir()
    for name, shape in (("a", (30, 50)), ("b", (41, 23))):
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / "good" / f"{name}.png")
    (tmp_path / "good" / "c.png").write_bytes(b"\x89PNG nothing")
    (tmp_path / "turned").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((20, 60), np.uint8)).save(tmp_path / "turned" / "d.jpg", exif=exif)
    return tmp_path


def test_photos_keep_their_size_and_the_unreadable_are_listed(folder):
    samples = load_photos(folder)
    assert isinstance(samples, Samples)
    assert [x.shape for x in samples.x] == [(30, 50), (41, 23), (60, 20)]
    assert all(x.dtype == np.uint8 for x in samples.x)
    assert samples.names == ["good/a.png", "good/b.png", "turned/d.jpg"]
    assert samples.y.tolist() == ["good", "good", "turned"]
    assert [bad.path for bad in samples.unreadable] == ["good/c.png"]
    assert samples.source == {"kind": "photos", "mode": "L"}


def test_photos_that_are_too_small_are_listed_with_the_others_that_cannot_be_used(folder):
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(folder / "good" / "tiny.png")
    for least, small in ((None, ["good/c.png", "good/tiny.png"]), ((40, 20), ["good/a.png", "good/c.png"])):
        samples = load_photos(folder, least=least)
        assert [bad.path for bad in samples.unreadable][:2] == small and samples.source.get("least") == (
            None if least is None else [40, 20]
        )
    assert samples.unreadable[-1].reason == "6 x 5 pixels, too few: at least 20 x 40 are needed"
    assert load_data(folder, source=samples.source).names == ["good/b.png", "turned/d.jpg"]
    watched = Reader(SimpleNamespace(source_=samples.source))
    assert watched.picture(folder / "good" / "b.png", folder).shape == (41, 23)
    with pytest.raises(InputError, match="50 x 30 pixels, too few"):
        watched.picture(folder / "good" / "a.png", folder)


def test_the_account_has_the_sizes_of_photos_as_they_are_turned(folder):
    for form in (dict(own_size=True), dict(size=16)):
        assert load_data(folder, **form).source["read"]["sizes"] == {"50 x 30": 1, "23 x 41": 1, "20 x 60": 1}


def test_photos_are_decoded_when_asked_for(folder):
    photos = load_photos(folder, mode="RGB").x
    assert photos[0].shape == (30, 50, 3)
    part = photos[np.array([False, True, True])]
    assert isinstance(part, Photos) and part.names == ["good/b.png", "turned/d.jpg"]
    photos.files[0].unlink()
    with pytest.raises(InputError, match="no longer readable"):
        photos[0]


def test_sixteen_bits_and_transparency_are_read_as_elsewhere(tmp_path):
    Image.fromarray(np.full((10, 12), 0x8000, np.uint16)).save(tmp_path / "deep.png")
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save(tmp_path / "glass.png")
    deep, glass = load_photos(tmp_path, mode="L").x
    assert (deep == 0x80).all() and (glass == 255).all()


def test_an_empty_folder_and_one_without_a_photo_say_so(tmp_path):
    with pytest.raises(InputError, match="no images"):
        load_photos(tmp_path)
    (tmp_path / "a.png").write_bytes(b"text")
    with pytest.raises(InputError, match="none of the 1 images can be read"):
        load_photos(tmp_path)


def test_masks_are_found_by_name_in_either_layout(tmp_path):
    for file in ("crack/a.png", "hole/b_mask.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        pixels = np.zeros((8, 10), np.uint8)
        pixels[2:4, 5] = 255
        Image.fromarray(pixels).save(tmp_path / file)
    masks = find_masks(tmp_path, ["crack/a.jpg", "hole/b.png", "good/c.jpg"])
    assert [mask and mask.name for mask in masks] == ["a.png", "b_mask.png", None]
    assert read_mask(masks[0], (8, 10)).sum() == 2
    assert read_mask(None, (8, 10, 3)).shape == (8, 10)
    with pytest.raises(InputError, match="10 x 8 pixels for a photo of 9 x 8"):
        read_mask(masks[0], (8, 9))
    with pytest.raises(InputError, match="no mask for any"):
        find_masks(tmp_path, ["other/a.jpg"])


@pytest.mark.parametrize("name", ["a.PNG", "a_mask.Jpg", "a.jpeg", "a_mask.TIFF", "a.bmp", "a.webp"])
def test_masks_are_found_with_any_ending_of_images(tmp_path, name):
    (tmp_path / "crack").mkdir()
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "crack" / name)
    assert find_masks(tmp_path, ["crack/a.jpg", "good/a.jpg"]) == [tmp_path / "crack" / name, None]


def test_photos_without_a_mask_among_those_with_one_are_counted(tmp_path):
    kinds, masks = np.array(["good", "bad", "bad", "worse"]), [None, None, tmp_path, None]
    one = "1 of 2 photos of kind bad has no mask; no pixel of them counts as a defect"
    assert list(without_mask(kinds, masks, None)) == [one]
    said = list(without_mask(kinds, masks, np.array([0, 1, 1, 1])))
    assert said[0] == one and said[1].startswith("1 of 1 photos of kind worse")
    assert next(without_mask(None, masks, None)).startswith("3 of 4 photos have no mask")
    assert not list(without_mask(kinds, masks, np.array([0, -1, -1, -1])))


def test_all_masks_that_cannot_be_used_are_named_at_once(folder):
    photos, masks = load_photos(folder).x, [folder / f"{i}.png" for i in range(3)]
    for mask, shape in zip(masks, ((30, 50), (41, 23), (60, 20)), strict=True):  # the last photo is turned
        Image.fromarray(np.full(shape, 255, np.uint8)).save(mask)
    check_masks(masks, photos)
    Image.fromarray(np.full((50, 30), 255, np.uint8)).save(masks[0])
    with pytest.raises(InputError, match=r"^\S+0.png: a mask of 30 x 50 pixels for a photo of 50 x 30"):
        check_masks([*masks[:2], None], photos)
    check_masks(masks, None)
    Image.fromarray(np.ones((60, 20), np.uint8)).save(masks[2])
    with pytest.raises(InputError, match=r"2 masks cannot be used: \S+0.png, \S+2.png; the first: \S+ a mask of 30"):
        check_masks(masks, photos)
    photos.files[0].unlink()
    with pytest.raises(InputError, match="no longer readable"):
        photos.shape(0)


def test_a_mask_in_dark_values_alone_is_refused_and_a_black_one_marks_nothing(tmp_path):
    file, drawn = tmp_path / "a.png", np.zeros((8, 10))
    drawn[2:4, 5] = 1
    for pixels, words in (
        (np.uint8(drawn), "a.png: its brightest value is 1; white .255"),
        (np.uint8(127 * drawn), "127"),
    ):
        Image.fromarray(pixels).save(file)
        with pytest.raises(InputError, match=words):
            read_mask(file, None)
    for value, words in ((1, "value is 1; white .65535"), (255, "is 255; white .65535")):
        Image.fromarray(np.uint16(value * drawn)).save(file)
        with pytest.raises(InputError, match=words):
            read_mask(file, None)
    for pixels in (np.zeros((8, 10), np.uint8), np.zeros((8, 10), np.uint16), np.zeros((8, 10), bool)):
        Image.fromarray(pixels).save(file)
        assert not read_mask(file, None).any()
    for pixels in (np.uint8(128 * drawn), np.uint16(65535 * drawn), drawn > 0):
        Image.fromarray(pixels).save(file)
        assert read_mask(file, None).sum() == 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_in_a_mask_is_no_defect(tmp_path, mode):
    """Whatever colour it hides."""
    drawn = Image.new("RGBA", (10, 8), (255, 255, 255, 0))
    drawn.paste((255, 255, 255, 255), (5, 2, 6, 4))
    if mode == "P":
        drawn = Image.fromarray(np.uint8(np.asarray(drawn)[..., 3] > 0), mode="P")
        drawn.putpalette([255] * 6)
        drawn.info["transparency"] = 0
    drawn.convert(mode).save(tmp_path / "a.png")
    for seen in (read_mask(tmp_path / "a.png", (8, 10)), read_shape(tmp_path / "a.png")):
        assert seen.sum() == 2 and seen[2:4, 5].all()


def test_a_mask_is_found_below_its_kind_and_never_by_a_number_alone(tmp_path):
    (tmp_path / "crack").mkdir()
    for file in ("crack/000_mask.png", "001.png"):
        Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / file)
    masks = find_masks(tmp_path, ["test/crack/000.png", "test/good/001.png", "001.jpg"])
    assert [mask and mask.name for mask in masks] == ["000_mask.png", None, "001.png"]
    assert read_mask(masks[0], None).shape == (8, 8)


@pytest.mark.parametrize(
    ("folders", "train", "masks"),
    [
        (("train/good", "test/good", "test/crack", "ground_truth/crack"), "train/good", "ground_truth"),
        (("train/ok", "test/ok", "test/ko"), "train/ok", None),
        (("normal", "test/good", "test/crack", "masks/crack"), "normal", "masks"),
        (("train/good", "test/crack"), None, None),
        (("good", "crack", "mask"), None, None),
    ],
)
def test_the_layouts_of_benchmarks_are_recognised(tmp_path, folders, train, masks):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    found = layout_of(tmp_path)
    if train is None:
        assert found is None
        return
    assert found.train == tmp_path / train and found.test == tmp_path / "test"
    assert found.masks == (None if masks is None else tmp_path / masks)
