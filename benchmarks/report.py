"""How soon a report of 10,000 pictures can be used: until it is drawn, and until a moved threshold is drawn.

    python benchmarks/report.py [--rounds 7] [--output benchmarks/results/report.json]

In Debian's chromium without a head; the times are the page's own, of its navigation and of two frames after an input.
Medians of the rounds, each in a new window. The pictures are MNIST's test set.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from ganad.data import load
from ganad.report_page import Contents, Images, Scored, build

_OPENED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
_MOVED = """() => new Promise(done => {
  const slider = document.getElementById('slider'), start = performance.now();
  slider.value = Math.round(slider.max / 3);
  slider.dispatchEvent(new Event('input', { bubbles: true }));
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    images = load("mnist", split="test").x
    scores = np.random.default_rng(0).gamma(2.0, size=len(images))
    names = [f"{i}.png" for i in range(len(images))]
    page = build(Contents(Scored(scores, names, threshold=6.0), Images(images)))
    opened, moved = [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        for _ in range(options.rounds):
            window = browser.new_page()
            window.goto(path.as_uri())
            opened.append(window.evaluate(_OPENED))
            moved.append(window.evaluate(_MOVED))
            window.close()
        browser.close()
    row = {
        "samples": len(images),
        "megabytes": len(page.encode()) / 1e6,
        "opened_ms": statistics.median(opened),
        "moved_ms": statistics.median(moved),
    }
    text = json.dumps(row, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
