"""Types reach the user: type checkers refuse what is wrong in ``types/user.py``, and nothing else."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ganad

ROOT = Path(__file__).parents[1]
SCRIPT = Path(__file__).parent / "types" / "user.py"
ERRORS = {
    number: found[1].split(", ")
    for number, line in enumerate(SCRIPT.read_text("utf-8").splitlines(), 1)
    if (found := re.search(r"  # error: (.+)$", line))
}
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as its wheel unpacks."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("ganad-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, *command: str | Path) -> str:
    """What a checker prints where our own configuration cannot help it."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=installed.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_the_wheel_says_that_it_is_typed(installed):
    assert (installed / "ganad" / "py.typed").exists()


def test_the_wheel_and_the_package_have_one_version(installed):
    (metadata,) = installed.glob("ganad-*.dist-info/METADATA")
    assert f"\nVersion: {ganad.__version__}\n" in metadata.read_text("utf-8")


def test_mypy(installed):
    # the cache spares later runs a minute of reading torch; lint's has other paths
    cache = ROOT / ".mypy_cache" / "user"
    said = run(installed, "mypy", "--strict", "--config-file=", "--cache-dir", cache, "--no-error-summary", SCRIPT)
    found = [re.search(r":(\d+): error: .*\[(.+)\]$", line) for line in said.splitlines() if ": note: " not in line]
    assert all(found), said
    # an override is held against each base
    assert sorted({(int(error[1]), error[2]) for error in found}) == [
        (line, codes[0]) for line, codes in ERRORS.items()
    ]


def test_pyright(installed):
    (installed.parent / "user.py").write_text(SCRIPT.read_text("utf-8"), "utf-8")
    settings = {"include": ["user.py"], "typeCheckingMode": "strict"}
    (installed.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    said = json.loads(run(installed, "basedpyright", "--outputjson", "--pythonpath", sys.executable))
    found = sorted((e["range"]["start"]["line"] + 1, e.get("rule")) for e in said["generalDiagnostics"])
    assert found == sorted((line, rule) for line, (_, *rules) in ERRORS.items() for rule in rules)
