"""Pictures of a report at three widths, light and dark, to be looked at after a change of the page.

python scripts/screenshots.py REPORT.html FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTHS = (360, 1280, 3840)


def main() -> None:
    report, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for width in WIDTHS:
            for scheme in ("light", "dark"):
                page = started.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
                page.goto(report.as_uri())
                page.screenshot(path=folder / f"{width}-{scheme}.png", full_page=True)
                page.click("#gallery button")
                page.screenshot(path=folder / f"{width}-{scheme}-sample.png")
                page.close()
        started.close()


if __name__ == "__main__":
    main()
