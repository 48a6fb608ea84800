"""Every method has a page that says what its file says; the site builds; the guide's method works."""

import dataclasses
import importlib
import inspect
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganad import DETECTORS, Detector
from ganad.bench import grid

from .samples import anomalous, normal

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "methods"
PUBLIC = ("bench", "data", "mixture", "published", "report")


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_page_names_every_setting_and_preset_of_its_own(detector):
    page = (PAGES / f"{detector.__module__.rpartition('.')[2]}.md").read_text()
    own = [field.name for field in dataclasses.fields(detector) if field.name in detector.__annotations__]
    assert [name for name in [*own, *detector.PRESETS] if f"`{name}`" not in page] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    return folder


def test_the_site_builds_without_a_warning_and_a_list_ends_where_it_ends(site):
    page = (site / "methods" / "fence_gan" / "index.html").read_text()
    assert "<p>Differs from the official code:</p>" in page


def test_the_reference_holds_every_public_name(site):
    anchors = set(re.findall(r'id="(ganad[\w.]*)"', (site / "api" / "index.html").read_text()))
    public = {f"ganad.{m}.{n}" for m in PUBLIC for n in importlib.import_module(f"ganad.{m}").__all__}
    public |= {
        f"ganad.detector.Detector.{n}" for n, v in vars(Detector).items() if inspect.isfunction(v) and n[0] != "_"
    }
    # a function that has its file's name is found there
    assert {n for n in public if not anchors & {n, f"{n}.{n.rpartition('.')[2]}"}} == set()


def test_the_method_of_the_guide_works():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "guide" / "method.md").read_text(), re.DOTALL)
    scope = {"__name__": "guide"}
    exec(code, scope)
    model = scope["Denoiser"](epochs=20, random_state=0, threads=1).fit(normal("table"))
    assert model.anomaly_score(anomalous("table")).min() > np.median(model.anomaly_score(normal("table")))


def test_the_readme_shows_the_rows_that_there_are():
    table = runpy.run_path(str(ROOT / "scripts" / "readme_table.py"))["table"]
    rows = grid.read(ROOT / "benchmarks" / "results" / "study-mnist.jsonl")
    assert table(rows) in (ROOT / "README.md").read_text()
    zeros = table([r for r in rows if r["class"] == "0"]).splitlines()
    assert len(zeros) > 2 and all(line.split(" | ")[2:5] == ["-", "-", "-"] for line in zeros[2:])
    assert len(table([]).splitlines()) == 2
