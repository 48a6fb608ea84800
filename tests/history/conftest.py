"""Histories in both databases."""

import pytest

from .postgres import Server, binaries


@pytest.fixture(scope="session")
def postgres():
    """A real server; a test without one is skipped."""
    if binaries() is None:
        pytest.skip("no PostgreSQL here; install one: sudo apt-get install postgresql")
    server = Server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """Where a history may be made that is empty."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    return request.getfixturevalue("postgres").database()
