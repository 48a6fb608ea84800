import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("GANAD_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("GANAD_DATA", raising=False)


@pytest.fixture
def real_data():
    """The folder with the real files; tests that need it are left out of a checkout that has none."""
    if not SHARED.is_dir():
        pytest.skip("the real data files are not beside this checkout")
    return SHARED
