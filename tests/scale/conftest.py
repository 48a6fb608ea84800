"""One Ray for all tests of this room: it takes seconds to start."""

import pytest

from ganad.scale import cluster


@pytest.fixture(scope="session")
def ray_here():
    """Ray on this machine with two workers; what connects by itself finds it and leaves it running."""
    ray = cluster.imported()
    ray.init(
        num_cpus=2, include_dashboard=False, object_store_memory=200 * 2**20, log_to_driver=False, logging_level="ERROR"
    )
    yield ray
    ray.shutdown()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
