"""What stands in deploy/: the unit is one that systemd takes, the container file asks for what the package has."""

import importlib.metadata
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ganad.cli import show
from ganad.cli.main import build_app

ROOT = Path(__file__).parents[1]
UNIT = (ROOT / "deploy" / "ganad.service").read_text()
CONTAINER = (ROOT / "deploy" / "Containerfile").read_text()
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.fixture
def unit(tmp_path):
    """The unit, with a program where it expects ganad."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    program = tmp_path / "bin" / "ganad"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / "ganad.service"
    path.write_text(UNIT.replace("/opt/ganad/", f"{tmp_path}/"))
    return path


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_systemd_takes_the_unit_without_a_word(unit):
    assert analyze("verify", unit) == (0, "")


def test_an_unknown_setting_would_be_seen(unit):
    unit.write_text(UNIT.replace("PrivateTmp=", "PrivateTemp="))
    assert "PrivateTemp" in analyze("verify", unit)[1]


def test_the_unit_is_locked_down(unit):
    code, said = analyze("security", "--offline=true", "--no-pager", "--threshold=15", unit)
    assert code == 0, said


def options_of(command):
    (found,) = [c for c in build_app([]).registered_commands if c.callback.__name__ == command]
    return {name.replace("_", "-") for name in found.callback.__annotations__}


@pytest.mark.parametrize("text", [UNIT, CONTAINER], ids=["unit", "container"])
def test_options_and_extras_are_there(text):
    asked = set(re.findall(r"--(host|port|history|model|[a-z-]*spot[a-z-]*)\b", text))
    assert asked and asked <= options_of("serve")
    for extras in re.findall(r"(?:ganad|\.)\[([a-z,]+)\]", text):
        assert set(extras.split(",")) <= EXTRAS.keys()


def test_the_container_runs_unprivileged_and_says_how_it_is():
    assert re.search(r"^USER 10001", CONTAINER, re.MULTILINE)
    assert "HEALTHCHECK" in CONTAINER and "/health" in CONTAINER
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINER, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())


def test_the_doctor_looks_for_every_extra_that_is_for_users():
    assert show.EXTRAS.keys() == EXTRAS.keys() - {"bench", "docs", "dev"}
    owners = importlib.metadata.packages_distributions()
    for extra, modules in show.EXTRAS.items():
        asked = [Requirement(text) for text in EXTRAS[extra]]
        looked_for = {canonicalize_name(owner) for module in modules for owner in owners.get(module, [module])}
        assert {canonicalize_name(r.name) for r in asked if r.marker is None} == looked_for
