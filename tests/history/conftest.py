"""Histories in both databases."""

import pytest

from . import models
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


@pytest.fixture(scope="session")
def digit_file(tmp_path_factory):
    """A model file of digits."""
    path = tmp_path_factory.mktemp("digits") / "digits.ganad"
    models.digit_model(path)
    return path


@pytest.fixture(scope="session")
def table_file(tmp_path_factory):
    """A model file of rows with the columns a, b and colour."""
    folder = tmp_path_factory.mktemp("table")
    models.table_model(folder)
    return folder / "table.ganad"
