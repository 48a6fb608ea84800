"""The page in a real browser: a PNG and a table are dropped, hostile names stay text."""

from ..page.test_page import violations
from ..samples import normal
from .test_service import png


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
