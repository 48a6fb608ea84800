"""Every method has a page that says what its file says; the site builds; the guide's method works."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganad import DETECTORS

from .samples import anomalous, normal

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "methods"


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_page_names_every_setting_and_preset_of_its_own(detector):
    page = (PAGES / f"{detector.__module__.rpartition('.')[2]}.md").read_text()
    own = [field.name for field in dataclasses.fields(detector) if field.name in detector.__annotations__]
    assert [name for name in [*own, *detector.PRESETS] if f"`{name}`" not in page] == []


def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    assert (tmp_path / "methods" / "fence_gan" / "index.html").exists()


def test_the_method_of_the_guide_works():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "guide" / "method.md").read_text(), re.DOTALL)
    scope = {"__name__": "guide"}
    exec(code, scope)
    model = scope["Denoiser"](epochs=20, random_state=0, threads=1).fit(normal("table"))
    assert model.anomaly_score(anomalous("table")).min() > np.median(model.anomaly_score(normal("table")))
