"""Pictures of a report in a real browser: they zoom together by wheel, pinch, keys and buttons; map, mask and boxes."""

from types import SimpleNamespace

import numpy as np
import pytest

from ganad.report_page import pictures

from .test_page import build, prepared, violations


def contents(n=30, side=300):
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (n, side, side), dtype=np.uint8)
    heat, mask = np.zeros((side, side), np.float32), np.zeros((side, side), bool)
    heat[100:140, 200:260], mask[110:120, 210:240] = 1.0, True
    box = SimpleNamespace(x=200, y=100, width=60, height=40, area=2400)
    places = [dict(kind="cut", photos=4, auroc=0.9, pixel_auroc=None), dict(kind="all", photos=4, auroc=0.5)]
    return (
        dict(
            scores=np.arange(float(n)),
            names=[f"p{i}.png" for i in range(n)],
            threshold=20.0,
            images=photos,
            heatmaps=dict.fromkeys(range(n), heat),
            method="Regions",
        ),
        dict(masks={n - 1: mask}, regions={n - 1: [box], n - 2: []}),
        dict(places=places),
    )


def whole_page():
    from ganad import report_page

    flat, of_images, others = contents()
    images = report_page.Images(flat.pop("images"), heatmaps=flat.pop("heatmaps"), **of_images)
    scored = report_page.Scored(flat["scores"], flat["names"], flat["threshold"])
    return report_page.Contents(scored, images, method="Regions", **others)


@pytest.fixture
def detail(open_page):
    from ganad.report_page import build as built

    page = open_page(built(whole_page()), viewport={"width": 1000, "height": 900})
    page.locator("#gallery button").first.click()
    page.wait_for_selector("#detail[open]")
    return page


def scale(page):
    return {float(value) for value in page.eval_on_selector_all(".lens", "all => all.map(f => f.dataset.scale)")}


def test_all_pictures_zoom_together_by_wheel_keys_and_buttons(detail):
    assert detail.locator(".lens").count() == 3 and scale(detail) == {1.0}
    frame = detail.locator(".lens").first
    place = frame.bounding_box()
    detail.mouse.move(place["x"] + place["width"] * 0.25, place["y"] + place["height"] * 0.25)
    detail.mouse.wheel(0, -500)
    assert scale(detail) == {2.72}
    # the point below the pointer stays where it is
    sheet = detail.locator(".sheet").first.bounding_box()
    assert sheet["x"] + 0.25 * sheet["width"] == pytest.approx(place["x"] + place["width"] * 0.25, abs=2)
    frame.focus()
    name = detail.inner_text("#d-name")
    detail.keyboard.press("ArrowRight")
    moved = detail.locator(".sheet").first.bounding_box()
    assert moved["x"] < sheet["x"] and detail.inner_text("#d-name") == name
    detail.keyboard.press("0")
    assert scale(detail) == {1.0}
    detail.keyboard.press("+")
    assert scale(detail) == {1.5}
    detail.get_by_role("button", name="Zoom in").click()
    detail.get_by_role("button", name="Whole picture").click()
    frame.focus()
    detail.keyboard.press("ArrowRight")
    assert scale(detail) == {1.0} and detail.inner_text("#d-name") != name
    detail.keyboard.press("ArrowLeft")
    assert detail.inner_text("#d-name") == name


def test_two_fingers_zoom(detail):
    detail.evaluate(
        """() => {
            const frame = document.querySelector(".lens"), box = frame.getBoundingClientRect();
            const at = (type, id, x) => frame.dispatchEvent(new PointerEvent(type, { pointerId: id, bubbles: true,
                clientX: box.left + x * box.width, clientY: box.top + box.height / 2 }));
            at("pointerdown", 1, .4); at("pointerdown", 2, .6); at("pointermove", 2, .8);
            at("pointerup", 1, .4); at("pointerup", 2, .8);
        }"""
    )
    assert scale(detail) == {2.0}


def test_map_mask_boxes_and_the_closer_photo_are_there_and_axe_is_content(detail):
    captions = detail.locator(".pictures figcaption").all_inner_texts()
    assert captions == ["sample", "where: bright raises the score", "mask: where the defect is"]
    width = detail.evaluate("document.querySelector('.lens img').naturalWidth")
    assert width == 300 > pictures.SIDE
    box, frame = detail.locator(".sheet rect").bounding_box(), detail.locator(".lens").first.bounding_box()
    assert (box["x"] - frame["x"]) / frame["width"] == pytest.approx(200 / 300, abs=0.02)
    assert detail.inner_text("#d-regions") == "60 × 40 pixels at 200, 100; area 2,400"
    over = detail.locator(".over")
    assert not over.is_visible()
    detail.get_by_label("Map over the photo").check()
    assert over.is_visible()
    assert violations(detail) == []
    detail.get_by_role("button", name="Next").click()
    assert "No region lies above" in detail.inner_text("#d-body") and over.is_visible()
    assert detail.locator(".lens").count() == 2
    detail.set_viewport_size({"width": 360, "height": 740})
    assert detail.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(detail) == []
    detail.get_by_role("button", name="Close").click()
    assert [cell.split("\t")[:3] for cell in detail.inner_text("#places tbody").splitlines()] == [
        ["cut", "4", "0.900"],
        ["all", "4", "0.500"],
    ]


def test_small_pictures_are_not_kept_twice_and_the_largest_page_is_bounded():
    small = prepared(scores=np.arange(3.0), names=list("abc"), threshold=1.0, images=np.zeros((3, 28, 28), np.uint8))
    assert not any("large" in picture for picture in small["pictures"].values())
    flat, _, _ = contents(200, 900)
    page = build(**flat)
    assert page.count('"large"') == pictures.LARGE and len(page) < 4_200_000
