"""Planted defects, and the self-test of a detector of photos that uses them."""

import numpy as np
import pytest

import ganad
from ganad import NearestNeighbor, PCAResidual, Trivial, selftest
from ganad.errors import UntrustedFit
from ganad.photos import Regions, Tiles
from ganad.photos.part import part_of
from ganad.photos.planted import KINDS, NOISE, Spoilt, planted, unit_of

from .samples import plates

QUIET = dict(verbose=0, threads=1, random_state=0)


def colours(height: int = 120, width: int = 160) -> np.ndarray:
    return np.random.default_rng(0).integers(40, 200, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_defect_changes_a_part_of_the_photo_and_nothing_else(kind, channels):
    photo = colours() if channels == 3 else colours()[..., 0]
    found = planted(photo, kind, np.random.default_rng(1))
    assert found.shape == photo.shape and found.dtype == np.uint8
    changed = (found != photo).reshape(*photo.shape[:2], -1).any(-1).mean()
    assert 0 < changed < (1 if kind == "uneven" else 0.6)
    assert np.array_equal(found, planted(photo, kind, np.random.default_rng(1)))
    assert not np.array_equal(found, planted(photo, kind, np.random.default_rng(2)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_lies_in_the_part_that_is_looked_at(kind):
    inside = np.zeros((120, 160), bool)
    inside[70:90, 100:130] = True
    photo = colours()[..., 0]
    for seed in range(8):
        found = planted(photo, kind, np.random.default_rng(seed), inside=inside)
        assert (found != photo)[70:90, 100:130].any(), seed


def test_defects_of_large_photos_are_larger():
    assert unit_of((100, 900)) == unit_of((250, 300, 3)) == 1
    assert unit_of((1000, 1200)) == pytest.approx(2)
    dark = np.full((2000, 2000), 120, np.uint8)
    areas = [
        np.count_nonzero(planted(dark, "spot", np.random.default_rng(0), unit=unit) != dark) for unit in (1.0, 2.0)
    ]
    assert areas[1] == pytest.approx(4 * areas[0], rel=0.1)


@pytest.mark.parametrize("grey", [0, 20, 128, 235, 255])
@pytest.mark.parametrize("kind", ["scratch", "spot", "uneven"])
def test_defects_show_on_black_and_on_white(kind, grey):
    photo = np.full((120, 160, 3), grey, np.uint8)
    for seed in range(10):
        steps = np.abs(planted(photo, kind, np.random.default_rng(seed)).astype(int) - grey)
        assert steps.max() >= 8 and (kind == "uneven" or steps[steps > 0].mean() >= 8), seed


def test_few_photos_are_spoilt_several_times_and_many_once():
    photos = plates(40)
    assert len(set(Spoilt(photos, "spot", 10, None).numbers)) == len(Spoilt(photos, "spot", 10, None)) == 10
    few = Spoilt(photos[:2], "scratch", 10, None)
    assert len(few) == 6 and not np.array_equal(few[0], few[2])
    assert np.array_equal(few[4], Spoilt(photos[:2], "scratch", 10, None)[4])
    assert np.array_equal(few[1:3][1], few[2])
    noise = Spoilt(photos, NOISE, 10, None)[0]
    original = photos[Spoilt(photos, NOISE, 10, None).numbers[0]]
    assert (noise.min(), noise.max()) == (original.min(), original.max())


def test_a_crop_is_where_photos_are_spoilt():
    photos = plates(6, sides=(100, 130))
    part = part_of("60,50,30,40", None)
    for kind in KINDS:
        spoilt = Spoilt(photos, kind, 6, part)
        for photo, number in zip(spoilt, spoilt.numbers):
            assert (part.cut(photo, 0) != part.cut(photos[number], 0)).any()


@pytest.fixture(scope="module")
def sighted():
    return Regions(PCAResidual(n_components=8), Tiles(16, 8), max_regions=2000, **QUIET).fit(plates(30))


def test_a_model_that_finds_planted_defects_is_trusted(sighted):
    figures = sighted.self_test_
    assert figures.trusted and figures.held_out and figures.n_made == 10 and figures.n == 18
    assert set(figures.auroc) == {NOISE, *KINDS} and figures.auroc["scratch"] > 0.8
    again = sighted.self_test(plates(50, seed=5))
    assert again == sighted.self_test(plates(50, seed=5)) and again.n == 50 and again.trusted


def test_a_model_that_finds_none_is_not():
    blind = Regions(Trivial(variant="random", verbose=0), Tiles(16, 8), max_regions=500, pool="mean", **QUIET)
    with pytest.warns(UntrustedFit, match="tells no planted defect from normal photos"):
        blind.fit(plates(40))
    assert not blind.self_test_.trusted


def test_held_out_photos_are_those_of_the_self_test():
    model = Regions(PCAResidual(n_components=8), Tiles(16, 8), max_regions=2000, **QUIET)
    model.fit(plates(60), hold_out=0.5, false_alarm_rate=0.1)
    assert model.self_test_.held_out and model.self_test_.n == 30
    assert model.self_test_.threshold == model.threshold_


def test_the_file_keeps_the_self_test(sighted, tmp_path):
    sighted.save(tmp_path / "model.safetensors")
    assert ganad.load(tmp_path / "model.safetensors").self_test_ == sighted.self_test_


def test_a_warning_names_the_line_of_the_fit():
    blind = Regions(Trivial(variant="random", verbose=0), Tiles(16, 8), max_regions=500, pool="mean", **QUIET)
    with pytest.warns(UntrustedFit) as said:
        blind.fit(plates(40))
    assert said[0].filename == __file__


def test_some_of_many_learnt_photos_are_not_known_by_heart():
    nearest = NearestNeighbor(k=1, verbose=0)
    model = Regions(nearest, Tiles(16, 8), threshold_fits=0, threshold_samples=20, max_regions=100_000, **QUIET)
    for n in (20, 60):
        with pytest.warns(UntrustedFit):  # of the threshold, which is zero
            model.fit(plates(n))
        assert any("the 20 training samples" in found for found in model.self_test_.findings) == (n == 20)


def test_only_rounding_apart_is_one_score_of_photos():
    scores = 1 + 2e-7 * np.random.default_rng(0).normal(size=40)
    made = dict.fromkeys((NOISE, *KINDS), scores[:10])
    given = dict(threshold=1.0, held_out=True, is_trained=False)
    x = np.arange(40)[:, None]
    assert "up to rounding" in selftest.examine(x, scores.astype(np.float32), made, **given).findings[0]


@pytest.mark.parametrize("counts", [dict(n=0), dict(n_made=0), dict(n_made=-3)])
def test_counts_that_no_self_test_has_are_refused(counts):
    figures = dict(distinct=1.0, spread=1.0, threshold=0.0, flagged=0.0, auroc={}, distance=None, variety=None)
    with pytest.raises(ValueError, match="one sample or more"):
        selftest.SelfTest(**dict(n=9, held_out=True, **figures) | counts)
    assert "9 held-out" in str(selftest.SelfTest(n=9, held_out=True, n_made=3, **figures))


def test_what_cannot_be_planted_says_why():
    with pytest.raises(ganad.InputError, match="'dent' is not a defect"):
        planted(colours(), "dent", np.random.default_rng(0))
    with pytest.raises(ganad.InputError, match="no pixel is inside"):
        planted(colours(), "spot", np.random.default_rng(0), inside=np.zeros((120, 160), bool))


def test_verdicts_need_enough_defects_and_all_kinds():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=40)
    given = dict(threshold=3.0, held_out=True, is_trained=False)
    x = np.arange(40)[:, None]
    made = {NOISE: rng.normal(9, 1, 10), **{kind: rng.normal(size=10) for kind in KINDS}}
    (finding,) = selftest.examine(x, scores, made, **given).findings
    assert "no planted defect" in finding
    one = made | {"spot": rng.normal(3, 1, 10)}
    assert selftest.examine(x, scores, one, **given).trusted
    few = {kind: values[:6] for kind, values in made.items()}
    assert selftest.examine(x, scores, few, **given).trusted
    upside_down = made | {"scratch": rng.normal(-4, 1, 10)}
    assert "a scratch for more normal" in selftest.examine(x, scores, upside_down, **given).findings[0]
