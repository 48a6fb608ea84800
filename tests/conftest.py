"""One thread a process, and a real browser for the pages."""

import gc
import shutil

import pytest
import torch
from playwright.sync_api import sync_playwright

# one thread: on a busy machine two wait for each other, and two test processes fill two cores
torch.set_num_threads(1)
# what torch imports fills the heap, and looking for garbage in it took a fifth of an export
gc.freeze()
gc.set_threshold(100_000, 20, 100)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
]


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
