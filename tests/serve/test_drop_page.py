"""The page in a real browser: a PNG and a table are dropped, hostile names stay text."""

import csv
import io
import json
from datetime import UTC, datetime

import httpx
import pytest
from PIL import Image

from ganad import IsolationForest

from ..page.test_page import violations
from ..photos.samples import plates, scratched
from ..samples import fitted, normal
from .conftest import running
from .test_service import png


def image(name, pixels=None):
    """A file to choose; one of the pictures that the model of images knows, unless pixels are given."""
    return {"name": name, "mimeType": "image/png", "buffer": png(normal("images")[0] if pixels is None else pixels)}


def scratch(name="plate.png"):
    return image(name, scratched(plates(1, seed=3)[0], 0)[0])


def choose(tab, *files):
    """Choose files and wait until all are scored."""
    tab.set_input_files("#file", list(files))
    tab.wait_for_selector(f"#status:has-text('{len(files)} scored')")


def transform(tab, place="article .sheet"):
    return tab.eval_on_selector(place, "sheet => sheet.style.transform")


def until(tab, true):
    """Wait for an expression; the page's policy allows Playwright's own wait no eval."""
    for _ in range(500):
        if tab.evaluate(true):
            return
        tab.wait_for_timeout(20)
    pytest.fail(f"{true} did not come true")


WHOLE = "scale(1) translate(0%, 0%)"


def test_a_dropped_image_is_scored_with_a_heat_map(tab, pictures):
    tab.goto(pictures)
    name = "<img src=x onerror=alert(1)>.png"
    tab.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": png(normal("images")[0])})
    tab.wait_for_selector("article")
    assert name in tab.inner_text("article h2")
    assert tab.locator("article img").count() == 2
    assert "scored" in tab.inner_text("#status")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(tab) == []
    assert not tab.errors


def test_a_table_and_a_file_that_is_none(tab, tables, table_file):
    tab.goto(tables)
    tab.wait_for_selector("#model:has-text('AutoEncoder')")
    tab.set_input_files("#file", str(table_file))
    tab.wait_for_selector("article:nth-of-type(100)")
    assert tab.inner_text("#status").startswith("300 scored")
    assert "What each column adds to the score" in tab.locator("article").first.inner_text()
    tab.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"width\n1\n"})
    tab.wait_for_selector("article p.anomalous:has-text('height')")
    assert tab.locator("article").count() == 1
    assert all("422" in error for error in tab.errors)  # the browser logs the refusal itself


def drop(tab, place, *files):
    """Drop files of name, type and text on an element, as a browser does."""
    transfer = tab.evaluate_handle(
        """files => {
            const transfer = new DataTransfer();
            for (const [name, type, text] of files) transfer.items.add(new File([text], name, {type}));
            return transfer;
        }""",
        files,
    )
    prevented = "([node, dataTransfer]) => !node.dispatchEvent(new DragEvent('drop', " + (
        "{dataTransfer, bubbles: true, cancelable: true}))"
    )
    return tab.evaluate(prevented, [tab.query_selector(place), transfer])


def test_files_dropped_anywhere_are_scored_and_the_latest_drop_counts(tab, tables):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.emulate_media(color_scheme="dark")
    tab.goto(tables)
    head, row = "width,height,colour\n", "1,1,x\n"
    assert drop(tab, "#drop", *[[f"early{i}.csv", "text/csv", head + row] for i in range(5)])
    assert drop(tab, "h1", ["late.csv", "text/csv", head + 2 * row], ["bad.csv", "text/csv", "width\n1\n"])
    tab.wait_for_selector("#status:has-text('2 scored')")
    assert [name.split(",")[0] for name in tab.locator("article h2").all_inner_texts()] == ["late.csv"] * 2 + [
        "bad.csv"
    ]
    assert violations(tab) == []  # dark, and with an error on the page
    assert len(asked) >= 5 and all(url.startswith((tables, "data:")) for url in asked)


def test_the_same_file_can_be_chosen_again_and_pictures_are_given_back(tab, pictures):
    tab.goto(pictures)
    file = {"name": "a.png", "mimeType": "image/png", "buffer": png(normal("images")[0])}
    tab.set_input_files("#file", file)
    tab.wait_for_selector("article")
    first = tab.get_attribute("article img", "src")
    assert tab.evaluate("document.getElementById('file').value") == ""
    tab.set_input_files("#file", file)
    tab.wait_for_selector(f"article img[alt='a.png']:not([src='{first}'])")
    assert tab.evaluate("url => fetch(url).then(() => 'there', () => 'gone')", first) == "gone"


def test_a_service_that_does_not_answer_is_said(tab, tables):
    tab.route("**/model", lambda route: route.abort())
    tab.goto(tables)
    tab.wait_for_selector("#model:has-text('does not answer')")


def test_the_description_is_a_page_without_another_host(tab, pictures):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    policy = tab.goto(f"{pictures}/docs").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    tab.wait_for_selector(".opblock-summary-path:has-text('/score')")
    tab.click(".opblock-summary-path:has-text('/health')")
    tab.click("text=Try it out")
    tab.click("button:has-text('Execute')")
    tab.wait_for_selector(".live-responses-table :text('ok')")
    assert len(asked) >= 6 and all(url.startswith((pictures, "data:")) for url in asked)
    assert not tab.errors


def test_a_photo_zooms_with_map_and_boxes_and_the_map_can_be_hidden(tab, photos):
    tab.goto(photos)
    choose(tab, scratch())
    assert tab.locator("article rect").count() == 1 and transform(tab) == WHOLE
    frame = tab.locator("article .lens")
    frame.scroll_into_view_if_needed()
    place = frame.bounding_box()
    tab.mouse.move(place["x"] + place["width"] * 0.75, place["y"] + place["height"] * 0.5)
    tab.mouse.wheel(0, -500)
    tab.wait_for_selector("article .lens[data-scale='2.72']")
    layers = [tab.locator(f"article .sheet {layer}").bounding_box() for layer in ("img >> nth=0", ".over", "svg")]
    for layer in layers:
        assert layer == pytest.approx(layers[0], abs=0.1)
        assert layer["width"] == pytest.approx(place["width"] * 2.718, rel=0.01)
    # the point below the pointer stays where it is
    assert layers[0]["x"] + 0.75 * layers[0]["width"] == pytest.approx(place["x"] + 0.75 * place["width"], abs=2)
    frame.focus()
    zoomed = transform(tab)
    tab.keyboard.press("ArrowRight")
    assert transform(tab) != zoomed
    tab.keyboard.press("0")
    assert transform(tab) == WHOLE
    tab.keyboard.press("+")
    assert transform(tab).startswith("scale(1.5)")
    tab.keyboard.press("-")
    assert transform(tab) == WHOLE
    tab.get_by_role("button", name="Zoom in").click()
    assert transform(tab).startswith("scale(1.5)")
    tab.get_by_role("button", name="Whole picture").click()
    assert transform(tab) == WHOLE
    assert tab.locator("article .over").is_visible()
    tab.get_by_label("Map").focus()
    tab.keyboard.press("Space")
    assert not tab.locator("article .over").is_visible() and tab.locator("article rect").is_visible()
    choose(tab, scratch())  # the next one is shown as the last one was
    assert not tab.locator("article .over").is_visible() and not tab.errors


def test_two_fingers_zoom_and_the_wheel_still_scrolls_the_page(browser, photos):
    tab = browser.new_page(viewport={"width": 360, "height": 500}, has_touch=True)
    tab.goto(photos)
    choose(tab, scratch())
    frame = tab.locator("article .lens")
    frame.scroll_into_view_if_needed()
    place = frame.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    fingers = tab.context.new_cdp_session(tab)
    for kind, half in (("touchStart", 30), ("touchMove", 45), ("touchMove", 60), ("touchEnd", None)):
        points = [{"x": x + side * half, "y": y, "id": i} for i, side in enumerate((-1, 1))] if half else []
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert float(frame.get_attribute("data-scale")) == pytest.approx(2.0, abs=0.1)
    frame.focus()
    tab.keyboard.press("0")
    frame.evaluate("frame => scrollBy(0, frame.getBoundingClientRect().top - 100)")
    assert tab.evaluate("document.elementFromPoint(180, 250).closest('.lens') !== null")
    start = tab.evaluate("scrollY")
    tab.mouse.move(180, 250)
    tab.mouse.wheel(0, 80)  # there is nothing to zoom out of
    tab.mouse.wheel(0, -40)  # and the page is being scrolled
    until(tab, f"scrollY === {start + 40}")
    assert transform(tab) == WHOLE
    tab.close()


def test_a_photo_of_the_camera_is_scored_and_stop_gives_it_back(tab, pictures):
    tab.context.grant_permissions(["camera"])
    tab.goto(pictures)
    tab.get_by_role("button", name="Use the camera").click()
    tab.wait_for_selector("#status:has-text('The camera is on')")
    assert tab.evaluate("document.activeElement.id") == "snap"
    with tab.expect_response("**/score?*") as scored:
        tab.keyboard.press("Enter")
    tab.wait_for_selector("article h2:has-text('photo 1.png')")
    (result,) = scored.value.json()["results"]
    assert f"{result['score']:#.5g}" == tab.inner_text("article dd >> nth=0")
    assert scored.value.request.headers["content-type"] == "image/png"
    tab.wait_for_selector("#earlier img")
    widths = "['article .lens img', '#earlier img'].map(place => document.querySelector(place).naturalWidth)"
    until(tab, "document.querySelector('#earlier img').complete")
    assert tab.evaluate(widths) == [tab.evaluate("document.getElementById('live').videoWidth"), 160]
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(tab) == []  # with camera, result and list
    tab.emulate_media(color_scheme="dark")
    assert violations(tab) == []
    live = "(window.tracks = document.getElementById('live').srcObject.getTracks()).map(track => track.readyState)"
    ended = "window.tracks.map(track => track.readyState)"
    assert tab.evaluate(live) == ["live"]
    tab.get_by_role("button", name="Stop").click()
    assert tab.evaluate(ended) == ["ended"] and not tab.locator("#camera").is_visible()
    for leave in (
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange')); delete document.hidden",
        "window.dispatchEvent(new Event('pagehide'))",
    ):
        tab.click("#use")
        tab.wait_for_selector("#status:has-text('The camera is on')")
        assert tab.evaluate(live) == ["live"]
        tab.evaluate(leave)
        assert tab.evaluate(ended) == ["ended"] and "out of sight" in tab.inner_text("#status")
    assert not tab.errors


def test_a_camera_that_is_refused_missing_or_not_for_this_model_is_said(tab, photos, tables):
    tab.goto(photos)
    tab.click("#use")
    tab.wait_for_selector("#status:has-text('This page may not use the camera')")
    assert tab.locator("#use").is_visible() and not tab.locator("#camera").is_visible()
    for error, words in (("NotFoundError", "No camera was found"), ("NotReadableError", "gives no picture")):
        tab.evaluate(
            """name => {
                navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", name); };
            }""",
            error,
        )
        tab.click("#use")
        tab.wait_for_selector(f"#status:has-text('{words}')")
    tab.goto(tables)
    tab.wait_for_selector("#model:has-text('it scores tables')")
    assert not tab.locator("#use").is_visible()
    tab.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    tab.goto(photos)
    tab.wait_for_selector("#model:has-text('it scores photos')")
    assert not tab.locator("#use").is_visible() and not tab.errors


def exported(tab, tmp_path):
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Export").click()
    download.value.save_as(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_keeps_results_over_drops_and_exports_them_harmlessly(tab, photos, tmp_path):
    answers = []
    tab.on("response", lambda response: answers.append(response) if "/score" in response.url else None)
    tab.goto(photos)
    names = ['=cmd|"x",1.png', "<img src=x onerror=alert(1)>.png", "@a\u202egnp.png"]
    choose(tab, scratch(names[0]), image(names[1], plates(1, seed=8)[0]))
    choose(tab, scratch(names[2]))
    assert tab.locator("article").count() == 1 and tab.inner_text("#count") == "3 results."
    listed = tab.locator("#earlier .name").all_inner_texts()
    assert listed == ["@a\\u202egnp.png", names[1], names[0]] and tab.locator("#earlier img").count() == 3
    rows = exported(tab, tmp_path)
    assert [row["name"] for row in rows] == ["'@a\\u202egnp.png", names[1], f"'{names[0]}"]
    given = [response.json()["results"][0] for response in answers][::-1]
    for row, result in zip(rows, given, strict=True):
        assert float(row["score"]) == result["score"] and float(row["p_value"]) == result["p_value"]
        assert row["is_anomaly"] == str(result["is_anomaly"]).lower()
        assert json.loads(row["regions"]) == result["regions"]
        assert abs((datetime.now(UTC) - datetime.fromisoformat(row["time"])).total_seconds()) < 600
    assert {bool(result["regions"]) for result in given} == {True, False}
    assert tab.evaluate("localStorage.length + sessionStorage.length") == 0
    tab.get_by_role("button", name="Clear").click()
    assert tab.inner_text("#count") == "Nothing yet." and tab.locator("#earlier li").count() == 0
    assert tab.locator("article").count() == 1 and tab.locator("#export").is_disabled() and not tab.errors


def test_a_listed_result_opens_again_by_keyboard_alone(tab, photos):
    tab.goto(photos)
    choose(tab, scratch("first.png"))
    choose(tab, scratch("second.png"))
    tab.focus("#file")
    stops = []
    while tab.evaluate("!document.activeElement.closest('#earlier li:last-child')"):
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        stops.append(tab.evaluate("document.activeElement.id || document.activeElement.className"))
        tab.keyboard.press("Tab")
        assert len(stops) < 20
    assert {"file", "use", "lens", "export", "clear"} <= {stop.split(" ")[0] for stop in stops}
    tab.keyboard.press("Enter")
    assert tab.inner_text("#again-name") == "first.png"
    assert tab.locator("#again rect").count() == 1 and tab.locator("#again .over").is_visible()
    until(tab, "document.querySelector('#again .lens img').naturalWidth > 0")
    tab.keyboard.press("+")  # the picture has the focus
    assert transform(tab, "#again .sheet").startswith("scale(1.5)") and transform(tab) == WHOLE
    assert violations(tab) == [] and tab.evaluate("document.documentElement.scrollWidth") <= 360
    tab.keyboard.press("Escape")
    assert not tab.locator("#again").is_visible()
    assert tab.evaluate("document.activeElement.innerText").startswith("first.png")
    assert tab.inner_text("article h2") == "second.png" and not tab.errors


def test_the_list_is_bounded_and_says_what_it_dropped(tab, tables, table_file):
    tab.goto(tables)
    strange = {"name": "strange.csv", "mimeType": "text/csv", "buffer": b"width,height,colour\n1,1,x\n1,1,new\n"}
    tab.set_input_files("#file", strange)
    tab.wait_for_selector("#status:has-text('2 scored')")
    assert "–" in tab.locator("#earlier li").first.inner_text()  # infinite is the highest
    rows = table_file.read_bytes()
    tab.set_input_files("#file", [{"name": f"{i}.csv", "mimeType": "text/csv", "buffer": rows} for i in range(3)])
    tab.wait_for_selector("#status:has-text('900 scored')")
    assert "the 100 highest rows" in tab.inner_text("#status")
    assert tab.inner_text("#count") == "300 results. The 2 oldest were dropped: the list holds 300."
    assert tab.locator("#earlier li").count() == 300 and tab.inner_text("#earlier .name").startswith("2.csv, row ")
    tab.locator("#earlier button").first.click()
    assert "What each column adds to the score" in tab.inner_text("#again-body")
    assert not tab.errors


def test_the_latest_are_kept_whole_and_a_file_that_is_gone_has_its_small_copy(tab, pictures, tmp_path):
    tab.goto(pictures)
    (tmp_path / "gone.png").write_bytes(png(normal("images")[0]))
    choose(tab, tmp_path / "gone.png")
    (tmp_path / "gone.png").unlink()
    tab.locator("#earlier button").first.click()
    tab.wait_for_selector("#again-body :text('the file is no longer there')")
    until(tab, "document.querySelector('#again .lens img').naturalWidth > 0")
    assert tab.locator("#again .over").is_visible()
    tab.get_by_role("button", name="Close").click()
    choose(tab, *[image(f"{i}.png") for i in range(20)])
    tab.locator("#earlier button").last.click()
    tab.wait_for_selector("#again-body :text('the latest 20 are kept whole')")
    assert tab.locator("#again img").count() == 1
    assert all("ERR_FILE_NOT_FOUND" in error for error in tab.errors)  # the browser logs it itself


def test_a_picture_without_a_map_is_shown_and_one_that_cannot_be_drawn_is_said(tab):
    out = io.BytesIO()
    Image.fromarray(normal("images")[0]).save(out, "TIFF")
    with running(fitted(IsolationForest, "images"), engine="torch") as url:
        tab.goto(url)
        choose(tab, image("a.png"))
        assert tab.locator("article .lens").count() == 1 and tab.locator("article .over").count() == 0
        assert tab.get_by_label("Map").count() == 0
        choose(tab, {"name": "a.tiff", "mimeType": "image/tiff", "buffer": out.getvalue()})
        tab.wait_for_selector("article :text('This browser cannot draw the file')")
    assert tab.locator("#earlier li").count() == 2 and tab.locator("#earlier img").count() == 1 and not tab.errors


def test_a_page_may_ask_for_no_more_than_it_needs(photos):
    for path, camera in (("/", "camera=(self)"), ("/docs", "camera=()")):
        headers = httpx.get(photos + path).headers
        assert headers["permissions-policy"].split(", ")[:2] == [camera, "microphone=()"]
        assert "unsafe" not in headers["content-security-policy"]
