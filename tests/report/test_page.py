"""The page in a real browser: figures, slider, gallery, dialog, hostile names, export."""

import csv

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score

from ganad import InputError, report
from ganad.data import Unreadable

HOSTILE = [
    '<img src=x onerror="alert(1)">.png',
    "</script><script>alert(2)</script>",
    "=HYPERLINK(1)",
    '"quoted".png',
    "a\u2028b",
]
TERMS = ("adv", "con")
HISTORY = [
    {"stage": "training", "epoch": e, "seconds": 1.0} | {f"generator/{t}": 1 / e for t in TERMS} for e in (1, 2, 3)
]


def residual(x: np.ndarray, normal: np.ndarray) -> np.ndarray:
    pca = PCA(8).fit(x[normal])
    return np.square(x - pca.inverse_transform(pca.transform(x))).sum(1)


@pytest.fixture(scope="module")
def digits():
    """Real digits, the 9 held out, scored by a PCA residual."""
    data = load_digits()
    images = np.rint(data.images * 255 / 16).astype(np.uint8)
    labels = (data.target == 9).astype(int)
    scores = residual(data.data, labels == 0)
    names = [f"digit-{i}.png" for i in range(len(scores))]
    top = np.argsort(-scores)
    for i, name in zip(top, HOSTILE):
        names[i] = name
    threshold = float(np.quantile(scores, 0.9))
    heat = {int(top[0]): np.random.default_rng(0).random((8, 8))}
    return dict(scores=scores, names=names, threshold=threshold, labels=labels, images=images, heatmaps=heat)


def test_figures_are_scikit_learns(open_page, digits):
    page = open_page(report.build(**digits, history=HISTORY, settings={"epochs": 3}, method="PCA"))
    for element, figure in (("auroc", roc_auc_score), ("ap", average_precision_score)):
        shown = float(page.locator(f"#{element}").get_attribute("data-value"))
        assert abs(shown - figure(digits["labels"], digits["scores"])) < 1e-9
    assert page.locator("#roc polyline").count() == 1
    assert page.locator("#panels polyline").count() == 2
    flagged = int((digits["scores"] > digits["threshold"]).sum())
    assert f"1,797 samples, {flagged} flagged" in page.locator("#summary").inner_text()


def test_the_threshold_moves_counts_table_and_gallery_together(open_page, digits):
    page = open_page(report.build(**digits))
    for value in np.quantile(digits["scores"], [0.5, 0.99]):
        page.locator("#number").fill(repr(float(value)))
        page.locator("#number").press("Enter")
        flagged, odd = digits["scores"] > value, digits["labels"] == 1
        expected = [(flagged & odd).sum(), (~flagged & odd).sum(), (flagged & ~odd).sum(), (~flagged & ~odd).sum()]
        assert [int(page.locator(f"#{i}").inner_text().replace(",", "")) for i in ("tp", "fn", "fp", "tn")] == expected
        assert page.locator("#gallery .flagged").count() == min(60, flagged.sum())
    before = page.locator("#cut").get_attribute("x1")
    page.locator("#slider").focus()
    page.keyboard.press("Home")
    assert page.locator("#cut").get_attribute("x1") != before
    assert "1,796 flagged" in page.locator("#summary").inner_text()
    page.locator("#reset").click()
    assert page.locator("#cut").get_attribute("x1") != before


def test_hostile_names_stay_text(open_page, digits):
    page = open_page(report.build(**digits))
    first_five = "items => items.slice(0, 5).map(i => i.querySelector('span').textContent)"
    shown = page.locator("#gallery li").evaluate_all(first_five)
    assert shown == HOSTILE
    assert page.locator("#gallery img[onerror]").count() == 0


def test_sort_filter_search_and_more(open_page, digits):
    page = open_page(report.build(**digits))
    first = page.locator("#gallery button").first
    page.locator("#sort").select_option("low")
    assert first.get_attribute("data-i") == str(int(np.argsort(digits["scores"], kind="stable")[0]))
    page.locator("#filter").select_option("flagged")
    assert "flagged" in first.inner_text()
    page.locator("#filter").select_option("all")
    page.locator("#search").fill("digit-17.png")
    assert page.locator("#gallery li").count() == 1
    page.locator("#search").fill("")
    page.locator("#more").click()
    assert page.locator("#gallery li").count() == 120


def test_keyboard_moves_through_gallery_and_dialog(open_page, digits):
    page = open_page(report.build(**digits))
    page.locator("#gallery button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    order = np.argsort(-digits["scores"], kind="stable")
    assert page.locator("#d-name").inner_text() == digits["names"][order[2]]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#d-name").inner_text() == digits["names"][order[0]]
    assert page.locator("#d-body img").count() == 2  # the sample and its heat map
    page.keyboard.press("Escape")
    page.wait_for_function(f"document.activeElement.dataset.i === '{order[0]}'")


def test_export_is_the_flagged_list_and_no_formula(open_page, digits, tmp_path):
    page = open_page(report.build(**digits))
    with page.expect_download() as download:
        page.locator("#export").click()
    download.value.save_as(tmp_path / "flagged.csv")
    with open(tmp_path / "flagged.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    order = [i for i in np.argsort(-digits["scores"], kind="stable") if digits["scores"][i] > digits["threshold"]]
    assert [float(r["score"]) for r in rows] == [digits["scores"][i] for i in order]
    assert rows[2]["name"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize("width", [360, 1280, 3840])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_at_any_width(open_page, digits, width, scheme):
    page = open_page(report.build(**digits), viewport=dict(width=width, height=900), color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tables_show_their_most_unusual_columns_and_what_could_not_be_read(open_page):
    data = load_breast_cancer()
    rows = data.data.copy()
    rows[7, 3] = 1e5
    scores = residual(rows / rows.std(0), data.target == 1)
    bad = [Unreadable("<b>x</b>.png", "empty file")]
    names = [f"row {i}" for i in range(len(rows))]
    html = report.build(
        scores=scores, names=names, threshold=5.0, rows=rows, columns=list(data.feature_names), unreadable=bad
    )
    page = open_page(html)
    assert page.locator("#unreadable td").first.inner_text() == "<b>x</b>.png"
    assert "mean area = 100000" in page.locator("#gallery li").first.inner_text()
    assert page.locator("#confusion").is_hidden()
    page.locator("#gallery button").first.click()
    assert page.locator("#d-body td").first.inner_text() == "mean area"


def test_ten_thousand_samples_stay_small(open_page):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10_000, 28, 28)).astype(np.uint8)
    names = [f"part-{i}.png" for i in range(10_000)]
    html = report.build(scores=rng.random(10_000), names=names, threshold=0.9, images=images)
    assert len(html) < 3e6
    page = open_page(html)
    assert "10,000 samples" in page.locator("#summary").inner_text()


def test_what_cannot_be_shown_is_refused():
    good = dict(scores=np.ones(3), names=["a", "b", "c"], threshold=0.5)
    for change, words in (
        (dict(names=["a"]), "1 names do not fit 3 scores"),
        (dict(scores=np.array([1, np.nan, 2])), "must be finite"),
        (dict(scores=np.ones(0), names=[]), "no scores"),
        (dict(labels=np.ones(2)), "2 labels do not fit"),
    ):
        with pytest.raises(InputError, match=words):
            report.build(**good | change)
    assert "3 samples" not in report.build(**good)  # counted by the page itself


def test_one_sample_and_equal_scores(open_page):
    page = open_page(report.build(scores=np.ones(1), names=["only"], threshold=float("inf")))
    assert "1 samples, 0 flagged" in page.locator("#summary").inner_text()


def test_maps_and_generated_samples(open_page, digits):
    codes = PCA(5).fit_transform(load_digits().data)
    page = open_page(report.build(**digits, codes=codes, generated=digits["images"][:16]))
    for name, points in (("pca", 2000), ("tsne", 600)):
        drawn = page.locator(f"#{name} > svg path").evaluate_all(
            "ps => ps.map(p => p.getAttribute('d').split('M').length - 1)"
        )
        assert sum(drawn) == min(points, len(codes)) and min(drawn) > 0
    assert page.locator("#generated img").count() == 16


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(open_page, digits, scheme):
    codes = PCA(5).fit_transform(load_digits().data)
    html = report.build(**digits, codes=codes, generated=digits["images"][:4], history=HISTORY, settings={"epochs": 3})
    page = open_page(html, color_scheme=scheme)
    assert violations(page) == []
    page.locator("#gallery button").first.click()
    assert violations(page) == []


def violations(page):
    """What axe-core objects to: rule and elements."""
    found = Axe().run(page).response["violations"]
    return [(v["id"], [node["html"][:100] for node in v["nodes"]]) for v in found]
