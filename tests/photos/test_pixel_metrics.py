"""Figures of merit of maps, against cases that can be worked out by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ganad import InputError
from ganad.metrics import aupro, pixel_auroc, pointing_accuracy

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
