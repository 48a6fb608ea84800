"""The page in a real browser: figures, slider, gallery, dialog, hostile names, export."""

import base64
import csv
import io

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, roc_auc_score

from ganad import InputError, report_page
from ganad.data import Unreadable
from ganad.report_page import pictures
from ganad.report_page.prepare import prepare

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


PARTS = {
    "scored": (report_page.Scored, {"scores", "names", "threshold", "labels", "p_values", "calibration"}),
    "images": (report_page.Images, {"images", "heatmaps", "reconstructions"}),
    "table": (report_page.Table, {"rows", "columns"}),
    "codes": (report_page.Codes, {"codes", "clusters"}),
}
RENAMED = {"images": "pixels", "codes": "values"}


def contents(**flat):
    """Contents of a page from the fields of all its parts."""
    parts = {}
    for part, (kind, fields) in PARTS.items():
        if given := {RENAMED.get(k, k): flat.pop(k) for k in fields & flat.keys()}:
            parts[part] = kind(**given)
    return report_page.Contents(**parts, **flat)


def build(**flat):
    return report_page.build(contents(**flat))


def prepared(**flat):
    return prepare(contents(**flat))


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
    page = open_page(build(**digits, history=HISTORY, settings={"epochs": 3}, method="PCA"))
    for element, figure in (("auroc", roc_auc_score), ("ap", average_precision_score)):
        shown = float(page.locator(f"#{element}").get_attribute("data-value"))
        assert abs(shown - figure(digits["labels"], digits["scores"])) < 1e-9
    assert page.locator("#roc polyline").count() == 1
    assert page.locator("#panels polyline").count() == 2
    flagged = int((digits["scores"] > digits["threshold"]).sum())
    assert f"1,797 samples, {flagged} flagged" in page.locator("#summary").inner_text()


def test_the_threshold_moves_counts_table_and_gallery_together(open_page, digits):
    page = open_page(build(**digits))
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
    page = open_page(build(**digits))
    first_five = "items => items.slice(0, 5).map(i => i.querySelector('span').textContent)"
    shown = page.locator("#gallery li").evaluate_all(first_five)
    assert shown == HOSTILE
    assert page.locator("#gallery img[onerror]").count() == 0


def test_sort_filter_search_and_more(open_page, digits):
    page = open_page(build(**digits))
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
    page = open_page(build(**digits))
    page.locator("#gallery button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    order = np.argsort(-digits["scores"], kind="stable")
    assert page.locator("#d-name").inner_text() == digits["names"][order[2]]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#d-name").inner_text() == digits["names"][order[0]]
    assert page.locator("#d-body .lens").count() == 2  # the sample and its heat map
    page.keyboard.press("Escape")
    page.wait_for_function(f"document.activeElement.dataset.i === '{order[0]}'")


def test_the_arrows_leave_the_first_sample_that_is_opened(open_page, digits):
    page = open_page(build(**digits))
    page.locator("#gallery button").first.focus()
    page.keyboard.press("Enter")
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    page.keyboard.press("ArrowRight")
    second = digits["names"][np.argsort(-digits["scores"], kind="stable")[1]]
    assert page.locator("#d-name").inner_text() == second


def test_export_is_the_flagged_list_and_no_formula(open_page, digits, tmp_path):
    page = open_page(build(**digits))
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
    page = open_page(build(**digits), viewport=dict(width=width, height=900), color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_tables_show_their_most_unusual_columns_and_what_could_not_be_read(open_page):
    data = load_breast_cancer()
    rows = data.data.copy()
    rows[7, 3] = 1e5
    scores = residual(rows / rows.std(0), data.target == 1)
    bad = [Unreadable("<b>x</b>.png", "empty file")]
    names = [f"row {i}" for i in range(len(rows))]
    html = build(scores=scores, names=names, threshold=5.0, rows=rows, columns=list(data.feature_names), unreadable=bad)
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
    html = build(scores=rng.random(10_000), names=names, threshold=0.9, images=images)
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
            build(**good | change)
    assert "3 samples" not in build(**good)  # counted by the page itself


def test_one_sample_and_equal_scores(open_page):
    page = open_page(build(scores=np.ones(1), names=["only"], threshold=float("inf")))
    assert "1 samples, 0 flagged" in page.locator("#summary").inner_text()


def test_the_line_lies_beside_the_bar_of_equal_scores(open_page):
    page = open_page(build(scores=np.full(3, 0.01), names=list("abc"), threshold=0.011))
    bar, cut = page.locator("#histogram rect").first.bounding_box(), page.locator("#cut").bounding_box()
    assert cut["x"] > bar["x"] + bar["width"]


def test_numbers_beside_the_losses_are_not_cut_off(open_page, digits):
    history = [{"stage": "training", "epoch": e, "a": v} for e, v in ((1, -0.00123), (2, -0.00591))]
    page = open_page(build(**digits | {"history": history}))
    left = page.locator("#panels figure > svg").bounding_box()["x"]
    assert all(text.bounding_box()["x"] >= left for text in page.locator("#panels figure > svg text").all())


def test_maps_and_generated_samples(open_page, digits):
    codes = PCA(5).fit_transform(load_digits().data)
    clusters = load_digits().target
    html = build(**digits, codes=codes, clusters=clusters, generated=digits["images"][:16])
    page = open_page(html)
    for name, points in (("pca", 2000), ("tsne", 600)):
        paths = page.locator(f"#{name} > svg path")
        drawn = paths.evaluate_all("ps => ps.map(p => p.getAttribute('d').split('M').length - 1)")
        assert sum(drawn) == min(points, len(codes)) and min(drawn) > 0
        names = page.locator(f"#{name} .legend span").all_inner_texts()
        assert [n.strip() for n in names] == [
            *(f"cluster {k}" for k in range(1, 7)),
            "smaller clusters",
            "labelled anomaly",
        ]
        assert name != "pca" or drawn[-1] == digits["labels"].sum()
    assert "model's own mixture" in page.locator("#maps p").first.inner_text()
    assert page.locator("#generated img").count() == 16


def test_k_means_finds_the_clusters_of_codes_that_bring_none():
    rng = np.random.default_rng(0)
    codes = np.concatenate(
        [rng.normal(size=(50, 3)), 20 + rng.normal(size=(30, 3)), [0, 40, 0] + rng.normal(size=(20, 3))]
    )
    run = dict(scores=np.arange(100), names=range(100), threshold=1000)
    group = prepared(**run, codes=codes)["maps"]["pca"]["group"]
    assert group == [0] * 50 + [1] * 30 + [2] * 20
    assert prepared(**run, codes=1e-30 * np.arange(300).reshape(100, 3) % 2)["maps"]
    for flat in (np.ones((100, 3)), np.full((100, 3), 1e-300)):  # of an encoder that has died
        assert prepared(**run, codes=flat)["maps"] is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(open_page, digits, scheme):
    codes = PCA(5).fit_transform(load_digits().data)
    html = build(**digits, codes=codes, generated=digits["images"][:4], history=HISTORY, settings={"epochs": 3})
    page = open_page(html, color_scheme=scheme)
    assert violations(page) == []
    page.locator("#gallery button").first.click()
    assert violations(page) == []


def violations(page):
    """What axe-core objects to: rule and elements."""
    found = Axe().run(page).response["violations"]
    return [(v["id"], [node["html"][:100] for node in v["nodes"]]) for v in found]


def test_heavy_tails_leave_the_bulk_visible_and_the_slider_fine(open_page):
    scores = np.r_[np.random.default_rng(0).gamma(2, 1, 999), 1e6]
    page = open_page(build(scores=scores, names=[str(i) for i in range(1000)], threshold=5.0))
    assert page.locator("#histogram rect").count() > 20
    assert "1 higher" in page.locator("#histogram").inner_text()
    page.locator("#slider").focus()
    page.keyboard.press("End")
    for expected in ("0 flagged", "1 flagged", "2 flagged"):
        assert expected in page.locator("#summary").inner_text()
        assert expected.split()[0] + " of 1,000" in page.locator("#slider").get_attribute("aria-valuetext")
        page.keyboard.press("ArrowLeft")


def test_dialog_shows_reconstruction_and_place_and_dots_move(open_page, digits):
    top = int(np.argmax(digits["scores"]))
    page = open_page(build(**digits, reconstructions={top: digits["images"][0]}))
    before = page.locator("#roc .spot").get_attribute("cx"), page.locator("#pr .spot").get_attribute("cx")
    page.locator("#number").fill("100")
    page.locator("#number").press("Enter")
    assert page.locator("#roc .spot").get_attribute("cx") != before[0]
    assert page.locator("#pr .spot").get_attribute("cx") != before[1]
    page.locator("#gallery button").first.click()
    assert page.locator("#d-body .lens").count() == 3
    normal = int((digits["labels"] == 0).sum())
    assert f"{normal:,} samples labelled normal" in page.locator("#d-place").inner_text()
    assert page.locator("#d-place .cut").get_attribute("x1") is not None


def test_half_a_million_rows_are_counted_and_few_listed(open_page):
    scores = np.random.default_rng(0).standard_normal(494_021)
    html = build(scores=scores, names=[str(i) for i in range(len(scores))], threshold=2.5)
    assert len(html) < 1e6
    page = open_page(html)
    assert f"{int((scores > 2.5).sum()):,} flagged" in page.locator("#summary").inner_text()
    assert "20,000 of 494,021" in page.locator("#thinned").inner_text()


def test_colour_pictures_keep_the_size_limit():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 64, 64, 3)).astype(np.uint8)
    page = dict(scores=rng.random(300), names=[f"part-{i}" for i in range(300)], threshold=0.9)
    of_all = {i: rng.random((64, 64)) for i in range(300)}
    html = build(**page, images=images, heatmaps=of_all, reconstructions=dict(enumerate(images)))
    assert html.count("data:image") == 3 * 200
    assert len(html) - len(build(**page)) < 2e6


def test_no_threshold_is_said(open_page):
    page = open_page(build(scores=np.arange(9.0), names=list("abcdefghi"), threshold=float("inf")))
    assert "the model has none of its own" in page.locator("main").inner_text()
    assert page.locator("#reset").is_hidden()


def test_bad_contents_are_refused_with_a_sentence():
    good = dict(scores=np.arange(3.0), names=["a", "b", "c"], threshold=0.5)
    for change, words in (
        (dict(labels=np.array([-1, 1, 1])), "labels must be 1 for anomalies"),
        (dict(labels=["ok", "bad", "ok"]), "labels must be 1 for anomalies"),
        (dict(p_values=[0.1, np.nan, 0.2]), "p_values must be finite"),
        (dict(rows=np.full((3, 2), np.nan)), "rows must be finite"),
        (dict(rows=np.ones((3, 2)), columns=["one"]), "1 columns do not name 2"),
        (dict(history=[{"stage": "fit", "epoch": 1, "loss": np.nan}]), "loss of fit, epoch 1"),
        (dict(images=np.ones((3, 8, 8, 2))), "cannot be drawn"),
        (dict(images=-np.ones((3, 8, 8))), "0 to 255"),
    ):
        with pytest.raises(InputError, match=words):
            build(**good | change)


def test_floats_and_single_channels_are_drawn_like_bytes(digits):
    some = dict(scores=np.arange(20.0), names=[str(i) for i in range(20)], threshold=15.0)
    drawn = [
        prepared(**some, images=images)["pictures"]
        for images in (digits["images"][:20], digits["images"][:20] / 255, digits["images"][:20, ..., None])
    ]
    assert drawn[0] == drawn[1] == drawn[2]


def test_heat_is_black_where_the_score_falls():
    heat = pictures.heat(np.array([[-9.0, 0.0], [1.0, 2.0]]))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(heat.split(",")[1]))).convert("RGB")).reshape(4, 3)
    assert pixels[:2].tolist() == [[0, 0, 0]] * 2 and pixels[3].tolist() == [255] * 3 and 0 < pixels[2].sum() < 765
    assert pictures.heat(np.array([[0.0, 1.0]]), 1.0) == pictures.heat(np.array([[0.0, 1.0]]))
    assert pictures.heat(np.array([[0.0, 1.0]]), 2.0) != pictures.heat(np.array([[0.0, 1.0]]))
    assert pictures.heat(np.array([[0.0, 9.0]]), 2.0) == pictures.heat(np.array([[0.0, 2.0]]))


@pytest.mark.parametrize("shape", [(40, 60), (64, 65), (333, 1001), (700, 3)])
def test_a_map_or_mask_that_was_reduced_before_is_drawn_the_same(shape):
    heat = np.random.default_rng(0).normal(size=shape)
    mask = heat > 2
    assert max(pictures.reduced(heat).shape) <= pictures.HEAT_SIDE
    assert pictures.heat(pictures.reduced(heat), 1.5) == pictures.heat(heat, 1.5)
    assert pictures.mask(pictures.reduced(mask) > 0) == pictures.mask(mask)


def test_axe_on_a_table_with_an_unreadable_list(open_page):
    data = load_breast_cancer()
    scores = residual(data.data / data.data.std(0), data.target == 1)
    bad = [Unreadable("x.png", "empty file")]
    names = [f"row {i}" for i in range(len(scores))]
    page = open_page(build(scores=scores, names=names, threshold=5.0, rows=data.data, unreadable=bad))
    assert violations(page) == []
    page.locator("#gallery button").first.click()
    assert violations(page) == []
