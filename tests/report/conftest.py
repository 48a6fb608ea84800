import shutil

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="session")
def browser():
    """A real browser; a test that finds none fails with the command that installs one."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except Exception as error:
            pytest.fail(f"no browser ({error}); install one: sudo apt-get install chromium", pytrace=False)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Open a report; when the test ends, no console error and no request but the file itself may have happened."""
    troubles, pages = [], []

    def opened(html: str, **options):
        path = tmp_path / "report.html"
        path.write_text(html, encoding="utf-8")
        page = browser.new_page(**options)
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: troubles.append(str(e)))
        own = ("file:", "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else troubles.append(r.url))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert troubles == []
