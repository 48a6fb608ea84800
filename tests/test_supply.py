"""What is installed, what is shipped and what comes along: known files, equal bytes, named licences."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
IS_A_CLONE = (ROOT / ".git").exists()


def script(name, folder="scripts"):
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lock, supply, dist = map(script, ("lock", "supply", "dist"))
LOCKED = lock.pinned(lock.LOCK.read_text("utf-8"))


# -- the lock --------------------------------------------------------------------------------------------


def test_the_lock_holds_every_pin_and_a_hash_for_each():
    """After a change of constraints.txt: python scripts/dev.py lock."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {}
    for name, version in LOCKED:
        versions.setdefault(name, set()).add(version)
    wrong = [
        str(pin)
        for pin in pins
        if (name := lock.canonical(pin.name)) in versions and str(pin.specifier)[2:] not in versions[name]
    ]
    assert wrong == []
    assert all(LOCKED.values())
    names = {lock.canonical(pin.name) for pin in pins}
    project = {lock.canonical(p.metadata["Name"]) for p in supply.runtime()}
    assert project <= names | {"setuptools"}
    assert project <= versions.keys()


def test_only_the_locks_files_pass():
    (known,) = [h for (name, _), h in LOCKED.items() if name == "idna"]
    version = next(version for name, version in LOCKED if name == "idna")
    good = dict(name="idna", version=version, sha256=sorted(known)[0])
    assert lock.unknown([good], lock.LOCK.read_text("utf-8")) == []
    for change in (dict(sha256="0" * 64), dict(version="0.1"), dict(name="idna2")):
        assert len(lock.unknown([good | change], lock.LOCK.read_text("utf-8"))) == 1
    assert "GANAD_ANY_HASH=1" in lock.refusal(["idna 0.1"])


def test_a_build_of_torch_is_known_by_its_hash_and_not_by_its_label():
    text = "torch==2.13.0 \\\n    --hash=sha256:" + "a" * 64 + "\n"
    build = dict(name="torch", version="2.13.0+cpu", sha256="a" * 64)
    assert lock.unknown([build], text) == []
    assert lock.unknown([build | {"sha256": "b" * 64}], text) == ["torch 2.13.0+cpu"]


def test_a_file_that_was_exchanged_is_not_installed(tmp_path):
    """pip itself, with a wheel of our own and the hash of another one."""
    wheel = tmp_path / "oddity-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("oddity.py", "")
        file.writestr("oddity-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: oddity\nVersion: 1.0\n")
        file.writestr("oddity-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("oddity-1.0.dist-info/RECORD", "")
    alone = ["--no-index", "--find-links", str(tmp_path)]
    (found,) = lock.chosen(sys.executable, *alone, "oddity")
    assert found == dict(name="oddity", version="1.0", sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert lock.unknown([found], "oddity==1.0 \\\n    --hash=sha256:" + "0" * 64) == ["oddity 1.0"]


# -- what comes along -------------------------------------------------------------------------------------


def test_what_a_bare_installation_brings_binds_nobody(capsys):
    assert supply.licences() == 0
    assert "scikit-learn" in capsys.readouterr().out
    assert supply.BINDING.search("GPL-3.0-or-later") and supply.BINDING.search("GNU Affero General Public License")
    assert not supply.BINDING.search("BSD License")


def test_the_bill_holds_what_is_needed_and_nothing_of_development():
    bill = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"name": n, "bom-ref": n} for n in ("numpy", "scikit_learn", "pytest")],
        "dependencies": [{"ref": "root", "dependsOn": ["numpy", "pytest"]}, {"ref": "pytest"}],
    }
    kept = supply.pruned(bill)
    assert [c["name"] for c in kept["components"]] == ["numpy", "scikit_learn"]
    assert kept["dependencies"] == [{"ref": "root", "dependsOn": ["numpy"]}]


def test_an_audit_without_a_database_says_so_and_fails_nothing(monkeypatch, capsys):
    monkeypatch.setattr(supply, "DATABASE", "http://127.0.0.1:9/")
    assert supply.audit() == 0
    assert capsys.readouterr().out == "advisories: not looked up, for http://127.0.0.1:9/ does not answer\n"


def test_an_audit_says_what_was_not_looked_up(monkeypatch, capsys):
    monkeypatch.setattr(supply, "is_reachable", lambda: True)
    skipped, clean = dict(name="a", version="1", skip_reason="not found"), dict(name="b", version="1", vulns=[])
    bad = dict(name="c", version="1", vulns=[dict(id="CVE-1", fix_versions=["2"])])
    for found, code, words in (
        ([skipped], 0, "the database gives no answer"),
        ([], 0, "the database gives no answer"),
        ([skipped, clean], 0, "0 against 1 packages; 1 were not looked up"),
        ([clean, bad], 1, "advisory CVE-1: c 1, mended in 2\nadvisories: 1 against 2"),
    ):
        monkeypatch.setattr(supply, "asked", lambda found=found: found)
        assert supply.audit() == code
        assert words in capsys.readouterr().out


# -- what is shipped --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if not IS_A_CLONE:
        pytest.skip("a release is built from a commit")
    return dist.build(tmp_path_factory.mktemp("dist"))


def test_building_twice_gives_equal_bytes(built, tmp_path):
    again = dist.build(tmp_path)
    assert [file.name for file in again] == [file.name for file in built]
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in built]


def test_the_wheel_holds_the_package_and_the_sdist_what_the_tests_need(built):
    sdist, wheel = built if built[0].suffix == ".gz" else built[::-1]
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"ganad"}
    assert "ganad/py.typed" in names
    with tarfile.open(sdist) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    assert {"pyproject.toml", "tests/test_supply.py", "constraints.hashes.txt", "LICENSE"} <= inside
    assert not [name for name in inside if name.startswith((".venv", "dist"))]


@pytest.mark.slow
def test_the_wheel_works_alone(built, tmp_path):
    """In an environment of its own, with nothing but what the wheel asks for, from files that the lock knows."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    wheel = next(file for file in built if file.suffix == ".whl")
    packages = [
        package
        for package in lock.chosen(python, "-c", "constraints.txt", str(wheel))
        if lock.canonical(package["name"]) != "ganad"
    ]
    assert lock.unknown(packages, lock.LOCK.read_text("utf-8")) == []
    lock.install(python, packages)
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "GANAD_PLUGINS")}
    rows = "\n".join(["a,b", *(f"{i % 7},{i % 5}" for i in range(60))])
    (tmp_path / "rows.csv").write_text(rows)
    for arguments in (
        "fit rows.csv -o m.safetensors --method kde",
        "score m.safetensors rows.csv -o scores.csv --report r.html",
    ):
        command = [str(python), "-m", "ganad.cli", *arguments.split()]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 61
    listed = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True)
    names = {lock.canonical(row["name"]) for row in json.loads(listed.stdout)}
    wanted = {lock.canonical(p.metadata["Name"]) for p in supply.runtime()} | {"ganad"}
    assert names - {"pip", "setuptools"} == wanted - {"setuptools"}


# -- the benchmark of what is made to harm ---------------------------------------------------------------


def test_security_says_what_the_benchmark_gave():
    """After a run: python benchmarks/hostile_summary.py."""
    hostile = script("hostile_summary", "benchmarks")
    page = (ROOT / "SECURITY.md").read_text("utf-8")
    assert hostile.written(page) == page
    results = json.loads((ROOT / "benchmarks" / "results" / "hostile.json").read_text("utf-8"))
    tried = {what: next(iter(found["all"].values())) for what, found in results.items()}
    assert tried["models"] >= 2000 and tried["requests"] >= 2000 and tried["tables"] >= 300
    faults = [name for names in hostile.FAULTS.values() for name in names]
    assert not [(what, name) for what, found in results.items() for name in faults if found["all"].get(name)]
