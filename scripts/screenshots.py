"""Screenshots of the report and of the service's drop page at three widths, light and dark.

    python scripts/screenshots.py REPORT.html FOLDER [--drop URL]

Needs Playwright and Debian's chromium; ``ganad demo`` makes a report, ``ganad serve MODEL`` a drop page.
"""

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

parser = argparse.ArgumentParser()
parser.add_argument("report", type=Path)
parser.add_argument("folder", type=Path)
parser.add_argument("--drop", help="address of the drop page")
options = parser.parse_args()
options.folder.mkdir(parents=True, exist_ok=True)

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
    for width in (360, 1280, 3840):
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=dict(width=width, height=900), color_scheme=scheme)
            page.goto(options.report.resolve().as_uri())
            page.screenshot(path=options.folder / f"report-{width}-{scheme}.png", full_page=True)
            page.locator("#gallery button").first.click()
            page.screenshot(path=options.folder / f"dialog-{width}-{scheme}.png")
            if options.drop:
                page.goto(options.drop)
                page.screenshot(path=options.folder / f"drop-{width}-{scheme}.png", full_page=True)
            page.close()
    browser.close()
