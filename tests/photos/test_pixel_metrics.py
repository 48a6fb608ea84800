"""Figures of merit of maps, against cases that can be worked out by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ganad import InputError, metrics, pixel_metrics
from ganad.metrics import aupro, pixel_auroc, pointing_accuracy
from ganad.pixel_metrics import PixelFigures

MASK = np.zeros((4, 5), bool)
MASK[1, 1] = MASK[3, 2:5] = True  # a defect of one pixel and one of three


def test_perfect_and_worst_maps():
    good = np.zeros((4, 5), bool)
    assert pixel_auroc([MASK, good], [MASK * 1.0, good * 1.0]) == 1.0
    assert aupro([MASK, good], [MASK * 1.0, good * 1.0]) == pytest.approx(1.0)
    assert pixel_auroc([MASK], [-1.0 * MASK]) == 0.0
    assert aupro([MASK], [-1.0 * MASK]) == 0.0


def test_pixel_auroc_is_scikit_learns_with_ties():
    rng = np.random.default_rng(0)
    masks = [rng.random(shape) < 0.2 for shape in ((9, 7), (5, 12))]
    maps = [rng.integers(0, 6, mask.shape) + 2 * mask for mask in masks]
    flat = [np.concatenate([part.ravel() for part in parts]) for parts in (masks, maps)]
    assert pixel_auroc(masks, maps) == pytest.approx(roc_auc_score(*flat))


def test_a_small_defect_counts_as_much_as_a_large_one():
    """The small defect is found at once and the large one never before the limit: half of the overlap."""
    heat = np.zeros((4, 5))
    heat[1, 1], heat[3, 2:5] = 2.0, -1.0
    assert aupro([MASK], [heat]) == pytest.approx(0.5)
    # all of the large one and none of the small one is half as well, though it has three quarters of the pixels
    heat[1, 1], heat[3, 2:5] = -1.0, 2.0
    assert aupro([MASK], [heat]) == pytest.approx(0.5)


def test_the_limit_cuts_the_curve_by_interpolation():
    """One pixel of defect among four good ones of which the first comes before it."""
    mask = np.array([[False, True, False, False, False]])
    heat = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]])
    # overlap 0 up to a rate of 1/4, then 1
    assert aupro([mask], [heat], limit=0.25) == 0.0
    assert aupro([mask], [heat], limit=0.5) == pytest.approx(0.5)
    assert aupro([mask], [heat], limit=1.0) == pytest.approx(0.75)
    # all equal: the curve is the diagonal
    assert aupro([mask], [np.ones((1, 5))], limit=0.3) == pytest.approx(0.15)


def test_corners_that_touch_are_one_defect():
    mask = np.eye(2, 4, dtype=bool)
    heat = np.zeros((2, 4))
    heat[0, 0], heat[1, 1] = 1.0, -1.0
    assert aupro([mask], [heat]) == pytest.approx(0.5)


def test_pointing_counts_photos_with_a_defect_alone():
    hit, near = np.zeros((4, 5)), np.zeros((4, 5))
    hit[3, 3] = near[0, 2] = 1.0
    good = np.zeros((4, 5), bool)
    assert pointing_accuracy([MASK, MASK, good], [hit, near, hit]) == 0.5
    assert pointing_accuracy([MASK, MASK, good], [hit, near, hit], within=1.5) == 1.0


@pytest.mark.parametrize(
    ("masks", "maps", "words"),
    [
        ([MASK], [], "one map for each mask"),
        ([MASK], [np.zeros((5, 4))], "photo 0"),
        ([np.zeros((2, 2), bool)], [np.zeros((2, 2))], "needs both"),
        ([MASK], [np.full((4, 5), np.nan)], "NaN"),
        ([], [], "needs both"),
    ],
)
@pytest.mark.parametrize("figure", [pixel_auroc, aupro, pointing_accuracy])
def test_what_has_no_figure_says_so(figure, masks, maps, words):
    with pytest.raises(InputError, match=words):
        figure(masks, maps)
    with pytest.raises(InputError, match="limit"):
        aupro([MASK], [np.zeros((4, 5))], limit=0)


def test_some_of_the_good_pixels_say_nearly_what_all_do(monkeypatch):
    rng = np.random.default_rng(0)
    masks = [np.pad(rng.random((6, 6)) < 0.5, ((60, 54), (20, 94))) for _ in range(8)]
    maps = [rng.normal(size=mask.shape) + 1.5 * mask for mask in masks]
    monkeypatch.setattr(pixel_metrics, "_KEPT", 8 * 3000)
    some = PixelFigures(8)
    for mask, heat in zip(masks, maps):
        some.add(mask, heat)
    assert max(len(photo.good) for photo in some._photos) == 3000
    assert some.auroc() == pytest.approx(pixel_auroc(masks, maps), abs=0.01)
    assert some.aupro() == pytest.approx(aupro(masks, maps), abs=0.02)
    assert some.pointing() == pointing_accuracy(masks, maps)


def test_the_highest_f1_of_pixels_is_that_of_all_thresholds():
    rng = np.random.default_rng(1)
    heat = rng.integers(0, 9, MASK.shape) + 3.0 * MASK
    figures = PixelFigures()
    figures.add(MASK, heat)
    f1 = [metrics.rates_above(MASK.ravel(), heat.ravel(), t).f1 for t in np.unique(heat) - 0.5]
    assert figures.f1_max() == pytest.approx(max(f1)) == pytest.approx(metrics.f1_max(MASK.ravel(), heat.ravel()))


def test_figures_by_kind_leave_the_other_kinds_out_and_say_nothing_where_masks_lack():
    kinds, y = ["good", "crack", "hole"], np.array([0, 1, 1])
    figures = PixelFigures()
    for mask in (np.zeros((4, 5), bool), MASK, np.zeros((4, 5), bool)):
        figures.add(mask, 1.0 * mask)
    crack, hole, whole = metrics.by_kind(kinds, y, np.array([0.5, 0.9, 0.1]), figures)
    assert (crack["auroc"], hole["auroc"], whole["auroc"]) == (1.0, 0.0, 0.5)
    assert crack["pixel_auroc"] == crack["pointing"] == 1.0 and hole["pixel_auroc"] is None
    assert whole["photos"] == 2 and whole["aupro"] == pytest.approx(1.0)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.uint16, np.uint64, np.int8, np.float16])
def test_maps_of_any_type_of_number_are_ranked_alike(kind):
    heat = np.arange(20).reshape(4, 5) % (2 if kind is bool else 20)
    for figure in (pixel_auroc, aupro, pointing_accuracy):
        assert figure([MASK], [heat.astype(kind)]) == figure([MASK], [heat.astype(float)])


def test_all_figures_at_once_are_those_one_by_one():
    rng = np.random.default_rng(2)
    figures = PixelFigures(3)
    for mask in (MASK, np.zeros((4, 5), bool), MASK):
        figures.add(mask, rng.normal(size=mask.shape))
    one_by_one = [of(rows=[0, 1]) for of in (figures.auroc, figures.aupro, figures.pointing, figures.f1_max)]
    assert figures.every([0, 1]) == dict(zip(pixel_metrics.FIGURES, one_by_one))
