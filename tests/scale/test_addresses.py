"""Addresses where no cluster is: one sentence, at once."""

import socket

import pytest
from typer.testing import CliRunner

from ganad.cli.main import build_app

pytestmark = pytest.mark.ray


def refused(*arguments):
    result = CliRunner().invoke(build_app([]), [*map(str, arguments)])
    assert result.exit_code == 2 and result.output.startswith("ganad: ") and result.output.count("\n") == 1
    return result.output


def test_an_address_that_does_not_answer_is_refused(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"  # nobody listens
        said = refused("bench", "digits", "--engine", "ray", "--address", address, "--results", tmp_path)
    assert f"no Ray cluster answers at {address}; start one with: ray start --head" in said


def test_what_belongs_to_a_cluster_needs_its_engine():
    assert "add --engine ray" in refused("bench", "digits", "--address", "auto")
    assert "add --engine ray" in refused("bench", "digits", "--gpus-per-trial", 0.5)
    assert "--engine dask is not one of local, ray" in refused("bench", "digits", "--engine", "dask")
