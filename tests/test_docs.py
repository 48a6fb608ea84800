"""Every method has a page that says what its file says."""

import dataclasses
from pathlib import Path

import pytest

from ganad import DETECTORS

PAGES = Path(__file__).parents[1] / "docs" / "methods"


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_page_names_every_setting_and_preset_of_its_own(detector):
    page = (PAGES / f"{detector.__module__.rpartition('.')[2]}.md").read_text()
    own = [field.name for field in dataclasses.fields(detector) if field.name in detector.__annotations__]
    assert [name for name in [*own, *detector.PRESETS] if f"`{name}`" not in page] == []
