"""Folders of images: everything is decoded rightly or listed with its reason, and decoded only once."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import ganad
from ganad import InputError, PCAResidual
from ganad.data import described, load, pixel_cache
from ganad.data.decode import decode_one
from ganad.data.parts import plan
from ganad.serve.bodies import parse
from ganad.serve.limits import Limits
from ganad.watching.reading import Reader

from ..samples import small
from .images import DAMAGED, encoded, picture, write_damaged


def test_a_thousand_images_of_which_two_hundred_are_damaged_in_twenty_ways(tmp_path):
    for i in range(800):
        (tmp_path / f"good-{i}.{('png', 'jpg')[i % 2]}").write_bytes(encoded(("PNG", "JPEG")[i % 2], i % 9))
    for name in DAMAGED:
        for i in range(10):
            write_damaged(tmp_path, name, str(i))
    (tmp_path / "notes.md").write_text("left alone")
    samples = load(tmp_path)
    assert samples.x.shape == (800, 24, 24)
    assert len(samples.names) == 800
    assert len(samples.unreadable) == 200
    assert set(samples.names) | {bad.path for bad in samples.unreadable} == set(os.listdir(tmp_path)) - {"notes.md"}
    assert all(bad.reason and "\n" not in bad.reason for bad in samples.unreadable)
    reasons = {bad.path: bad.reason for bad in samples.unreadable}
    assert reasons["zero-0.png"] == "empty file"
    assert "more than the 64,000,000 pixels allowed" in reasons["bomb-3.png"]
    assert reasons["dangling-1.png"] == "a broken link"
    assert reasons["folder-2.png"] == "a folder, not an image"
    assert "not an image" in reasons["text-4.png"]


def test_pixels_are_those_of_the_file_they_are_named_after(tmp_path):
    for i in range(20):
        (tmp_path / f"{i}.png").write_bytes(encoded("PNG", i))
    (tmp_path / "10.png").write_bytes(b"")
    samples = load(tmp_path)
    for name, x in zip(samples.names, samples.x):
        assert np.array_equal(x, picture(int(name.removesuffix(".png")))), name


def test_second_run_decodes_nothing_and_a_change_is_noticed(tmp_path, monkeypatch):
    for i in range(5):
        (tmp_path / f"{i}.png").write_bytes(encoded("PNG", i))
    first = np.array(load(tmp_path).x)
    decoded = []
    original = pixel_cache.decode

    def noted(file, *rest):
        decoded.append(file.name)
        return original(file, *rest)

    monkeypatch.setattr(pixel_cache, "decode", noted)
    assert np.array_equal(load(tmp_path).x, first)
    assert decoded == []
    (tmp_path / "3.png").write_bytes(encoded("PNG", 77))
    assert np.array_equal(load(tmp_path).x[3], picture(77))
    decoded.clear()
    (tmp_path / "3.png").unlink()
    assert len(load(tmp_path).x) == 4
    assert decoded == []  # what has not changed is copied


def test_an_interrupted_decode_is_not_taken_for_a_complete_one(tmp_path, monkeypatch):
    for i in range(5):
        (tmp_path / f"{i}.png").write_bytes(encoded("PNG", i))
    original = pixel_cache.decode

    def interrupted(file, *rest):
        if file.name == "3.png":
            raise KeyboardInterrupt
        return original(file, *rest)

    monkeypatch.setattr(pixel_cache, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path)
    monkeypatch.setattr(pixel_cache, "decode", original)
    assert len(load(tmp_path).x) == 5


def test_a_cache_with_unreadable_files_is_whole_without_assertions_too(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(encoded("PNG", i) if i else b"")
    code = f"from ganad.data import load; print(load({str(tmp_path)!r}).x.shape)"
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "(2, 24, 24)", done.stderr


def one(tmp_path, image, name="x.png", **options):
    """The single image as ganad reads it."""
    path = tmp_path / name
    image.save(path, **options)
    return load(path).x[0]


def test_sixteen_bit_grey_is_scaled_and_not_saturated(tmp_path):
    deep = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    got = one(tmp_path, Image.fromarray(deep))
    assert np.abs(got.astype(int) - deep / 257).max() <= 1


def test_float_tiff_between_zero_and_one_is_scaled(tmp_path):
    x = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    assert np.abs(one(tmp_path, Image.fromarray(x), "x.tif") - x * 255).max() <= 0.51


def test_transparency_is_laid_on_white(tmp_path):
    hidden = np.zeros((16, 16, 4), np.uint8)
    hidden[:, :8, 3] = 255  # left half opaque black, right half transparent black
    got = one(tmp_path, Image.fromarray(hidden))
    assert (got[:, :8] == 0).all()
    assert (got[:, 8:] == 255).all()


def test_palette_cmyk_and_animated_images_are_read(tmp_path):
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[:8, :, 0] = 200
    assert np.array_equal(one(tmp_path, Image.fromarray(colours).quantize(4)), colours)
    cmyk = one(tmp_path, Image.fromarray(colours).convert("CMYK"), "x.tif")
    assert np.abs(cmyk.astype(int) - colours).max() < 5
    frames = [Image.fromarray(np.full((16, 16), v, np.uint8)) for v in (10, 200)]
    got = one(tmp_path, frames[0], "x.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert (got == 10).all()


def test_exif_orientation_is_applied(tmp_path):
    x = np.zeros((16, 32), np.uint8)
    x[:, :4] = 255  # a bar at the left, which turning by 90 degrees clockwise brings to the top
    exif = Image.Exif()
    exif[0x0112] = 6
    got = one(tmp_path, Image.fromarray(x), "x.jpg", exif=exif, quality=100)
    assert got.shape == (32, 16)
    assert got[:3].mean() > 250
    assert got[8:].mean() < 5


def test_large_jpegs_shrink_to_the_same_picture_as_pngs(tmp_path):
    y, x = np.mgrid[:600, :800] / 100
    smooth = (127 + 100 * np.sin(x) * np.cos(y)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=98)
    Image.fromarray(smooth).save(tmp_path / "b.png")
    samples = load(tmp_path)
    assert samples.x.shape == (2, 96, 128)  # no side above 128, proportions kept
    assert np.abs(samples.x[0].astype(int) - samples.x[1]).max() < 12
    assert load(tmp_path, size=32).x.shape == (2, 32, 32)


def test_subfolders_are_classes_and_new_data_is_read_like_the_training_data(tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        for i in range(3):
            (tmp_path / name / f"{i}.png").write_bytes(encoded("PNG", i))
    samples = load(tmp_path, size=16)
    assert samples.y.tolist() == ["bad"] * 3 + ["good"] * 3
    assert samples.names[0] == "bad/0.png"
    colour = io.BytesIO()
    Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(colour, "PNG")
    (tmp_path / "new.png").write_bytes(colour.getvalue())
    assert load(tmp_path / "new.png", source=samples.source).x.shape == (1, 16, 16)


def test_samples_of_folders_whose_names_are_no_utf8_have_a_hash(tmp_path):
    for name in (b"caf\xe9", b"caf\xe8"):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        with open(os.path.join(folder, b"0.png"), "wb") as file:
            file.write(encoded("PNG", 0))
    first, other = (load(tmp_path).subset(np.array([row])) for row in (0, 1))
    assert first.hash() != other.hash() == other.hash()


def test_folders_without_usable_images_are_refused(tmp_path):
    with pytest.raises(InputError, match="no images in this folder"):
        load(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"none of the 1 images can be read; the first: empty file"):
        load(tmp_path)
    with pytest.raises(InputError, match="of 99999 x 99999 pixels are too large; give a smaller --size"):
        load(tmp_path, size=99999)
    with pytest.raises(InputError, match="--label is for tables: CSV"):
        load(tmp_path, label="state")
    with pytest.raises(InputError, match="no such file or folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "notes.md").write_text("left alone")
    with pytest.raises(InputError, match=r"notes.md: no image \(.*\), nor a table, such as .csv"):
        load(tmp_path / "notes.md")


@pytest.mark.filterwarnings("ignore")
def test_a_photograph_with_any_damaged_bytes_is_decoded_or_refused_in_a_sentence():
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (24, 24, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x011A: 72.0, 0x9003: "2026:01:01 00:00:00"})
    out = io.BytesIO()
    photo.save(out, "JPEG", exif=exif)
    refused = 0
    for _ in range(2000):
        bad = bytearray(out.getvalue())
        for place in rng.integers(0, 220, 3):  # the head, EXIF data included
            bad[place] ^= 1 << rng.integers(8)
        try:
            assert decode_one(bytes(bad), (8, 8), "RGB").shape == (8, 8, 3)
        except InputError:
            refused += 1
    assert refused > 100


def test_one_photograph_with_damaged_metadata_does_not_end_the_reading_of_a_folder(tmp_path):
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x011A: 72.0})
    out = io.BytesIO()
    Image.fromarray(picture(0)).save(out, "JPEG", exif=exif)
    rng, good = np.random.default_rng(0), np.frombuffer(out.getvalue(), np.uint8)
    start = out.getvalue().index(b"Exif")
    for i in range(1000):
        bad = good.copy()
        bad[rng.integers(start, start + 120, 2)] = rng.integers(0, 256, 2)
        (tmp_path / f"{i}.jpg").write_bytes(bad.tobytes())
    samples = load(tmp_path)
    assert len(samples.names) + len(samples.unreadable) == 1000
    # what Pillow raised is neither an OSError nor a ValueError
    assert any(bad.reason.startswith("damaged (") for bad in samples.unreadable)


def test_how_images_were_read_is_told(tmp_path):
    for name in ("good", "crack"):
        (tmp_path / name).mkdir()
    for i in range(12):
        values = np.full((20, 30), 4000 + i, np.uint16)
        Image.fromarray(values).save(tmp_path / ("crack" if i < 2 else "good") / f"{i}.png")
    lines = described(load(tmp_path, cache=tmp_path / "cache").source)
    assert lines[0] == "data      12 images, read as 30 x 20 grey"
    assert lines[1] == "sizes     30 x 20"
    assert "of which the images use 12: of 256 grey levels 16 are left; --depth 12 keeps all" in lines[3]
    assert lines[4] == "classes   crack 2, good 10"


def twelve_bits(folder, n=12):
    """Pictures of a camera that fills 12 bits of 16, and their pixels as 8 bits."""
    values = np.random.default_rng(0).integers(0, 4096, (n, 20, 30)).astype(np.uint16)
    for i, pixels in enumerate(values):
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return (values >> 4).astype(np.uint8)


def test_the_bits_that_a_camera_uses_are_kept_with_the_model_and_used_again(tmp_path):
    x = twelve_bits(tmp_path)
    assert load(tmp_path, cache=tmp_path / "cache").x.max() == 15
    samples = load(tmp_path, depth=12, cache=tmp_path / "cache")
    assert np.array_equal(samples.x, x)
    assert described(samples.source)[3] == "depth     12 bits a pixel of 16, read as 8"
    model = small(PCAResidual).fit(samples)
    model.save(tmp_path / "model")
    model = ganad.load(tmp_path / "model")
    assert np.array_equal(load(tmp_path, source=model.source_, cache=tmp_path / "cache").x, x)
    assert np.array_equal(next(plan(str(tmp_path), model.source_)[0][0].read(model.source_, None)).x, x)
    assert np.array_equal(Reader(model).picture(tmp_path / "03.png", tmp_path), x[3])
    assert np.array_equal(parse((tmp_path / "03.png").read_bytes(), "image/png", model, Limits()).x[0], x[3])
    assert load(tmp_path, source=model.source_, depth=13, cache=tmp_path / "cache").x.max() == 127
    photos = load(tmp_path, own_size=True, depth=12)
    assert np.array_equal(photos.x[3], x[3]) and np.array_equal(load(tmp_path, source=photos.source).x[4], x[4])


def test_what_is_beyond_the_bits_that_were_named_is_listed(tmp_path):
    twelve_bits(tmp_path)
    Image.fromarray(np.full((20, 30), 4096, np.uint16)).save(tmp_path / "bright.png")
    samples = load(tmp_path, depth=12, cache=tmp_path / "cache")
    assert len(samples.x) == 12
    assert [(bad.path, bad.reason) for bad in samples.unreadable] == [
        ("bright.png", "pixels up to 4,096, and 12 bits (--depth) end at 4,095")
    ]


def test_a_depth_that_means_nothing(tmp_path):
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    for place, depth, words in ((tmp_path, 7, "8 to 16"), (tmp_path / "t.csv", 12, "--depth is for images")):
        with pytest.raises(InputError, match=words):
            load(place, depth=depth, cache=tmp_path / "cache")
    assert "--depth 12 changes nothing: none has 16 bits" in " ".join(
        described(load(tmp_path / "a.png", depth=12, cache=tmp_path / "cache").source)
    )
