"""The README's picture: the report that ``ganad demo`` writes, from its top to the first row of samples.

    python scripts/screenshot.py [REPORT.html] [docs/assets/report.png]

Needs Playwright and Debian's chromium. Without a report it runs the demo in a temporary folder first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 1200  # pixels
MARGIN = 6  # pixels below the first row of samples, less than the gap to the next


def demo(folder: Path) -> Path:
    """Run the demo; the report it leaves in the folder."""
    subprocess.run([sys.executable, "-m", "ganad.cli", "demo", "--folder", str(folder)], check=True)
    return folder / "report.html"


def shoot(report: Path, output: Path) -> None:
    """Write the top of the report as a PNG."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        first = page.locator("#gallery button").first.bounding_box()
        assert first is not None  # bounding_box waits for the button, and it is on the page
        height = first["y"] + first["height"] + MARGIN
        page.screenshot(path=output, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        browser.close()
    with Image.open(output) as image:  # a palette takes a third of the bytes and looks the same
        image.convert("RGB").quantize(256).save(output, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, nargs="?", help="made by the demo if left out")
    parser.add_argument("output", type=Path, nargs="?", default=ROOT / "docs" / "assets" / "report.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ganad") as folder:
        shoot(options.report or demo(Path(folder)), options.output)


if __name__ == "__main__":
    main()
