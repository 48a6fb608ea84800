"""One Ray for all tests of this room: it takes seconds to start."""

import os

import pytest

from ganad.scale import cluster


@pytest.fixture(scope="session")
def ray_here():
    """Ray on this machine with two workers; what connects by itself finds it and leaves it running."""
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default: beside other tests they would hardly run
    ray = cluster.imported()
    cluster.start(ray, 2)
    yield ray
    ray.shutdown()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
