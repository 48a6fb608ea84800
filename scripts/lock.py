"""What setup may install: the files whose SHA-256 stands in constraints.hashes.txt. ``python scripts/dev.py lock``.

The lock holds every file of every pinned release on PyPI, for all platforms and Pythons, with the packages that other
platforms need beside those of constraints.txt. torch is built anew for each index, so the hash of the build that pip
chooses where the lock is written (on CI a build without CUDA) is in it as well.

pip's own ``--require-hashes`` cannot be used alone: it wants a list for one platform, and passes over local folders of
wheels. So pip says what it would install, every hash is looked up here, and pip then installs exactly these files.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints.hashes.txt"
HEADER = "# Written by `python scripts/dev.py lock` from constraints.txt and pyproject.toml; do not edit.\n"
OFF = "GANAD_ANY_HASH"  #: set to 1, it installs what an index serves, for one that builds packages anew


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> dict[tuple[str, str], set[str]]:
    """The hashes of a lock, by name and version."""
    hashes: dict[tuple[str, str], set[str]] = {}
    for line in text.splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", line):
            key = (canonical(found[1]), found[2])
            hashes.setdefault(key, set())
        elif found := re.search(r"--hash=sha256:([0-9a-f]{64})", line):
            hashes[key].add(found[1])
    return hashes


def chosen(python: str | Path, *arguments: str) -> list[dict[str, Any]]:
    """Name, version and hash of what pip would install now; this project itself, which is no file, is left out."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [str(python), *"-m pip install --quiet --dry-run --report".split(), str(report), *arguments]
        if code := subprocess.run(command, cwd=ROOT).returncode:
            sys.exit(code)
        items = json.loads(report.read_text("utf-8"))["install"]
    found = []
    for item in items:
        if "dir_info" not in item["download_info"]:
            archive = item["download_info"]["archive_info"]  # "hashes" since pip 23.1
            sha256 = archive["hashes"]["sha256"] if "hashes" in archive else archive["hash"].removeprefix("sha256=")
            found.append(dict(name=item["metadata"]["name"], version=item["metadata"]["version"], sha256=sha256))
    return found


def unknown(packages: list[dict[str, Any]], lock: str) -> list[str]:
    """Those of the packages whose file is not in the lock; a local label (torch's +cpu) is no other version."""
    hashes = pinned(lock)
    missing = []
    for package in packages:
        key = (canonical(package["name"]), package["version"].partition("+")[0])
        if package["sha256"] not in hashes.get(key, set()):
            missing.append(f"{package['name']} {package['version']}")
    return missing


def install(python: str | Path, packages: list[dict[str, Any]]) -> None:
    """Install these files and no others; pip compares the hashes again as it reads them."""
    if not packages:
        return
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        lines = [f"{p['name']}=={p['version']} --hash=sha256:{p['sha256']}" for p in packages]
        wanted.write_text("\n".join(lines), "utf-8")
        command = [str(python), *"-m pip install --quiet --no-deps --require-hashes -r".split(), str(wanted)]
        if code := subprocess.run(command, cwd=ROOT).returncode:
            sys.exit(code)


def refusal(missing: list[str]) -> str:
    """What is said instead of installing."""
    return (
        f"not installed: the index serves other files than {LOCK.name} knows of {', '.join(missing)}; use PyPI, or set "
        f"{OFF}=1 where you trust this index"
    )


def write() -> None:
    """Ask PyPI for the hashes of every pinned file, by uv, and pip for its choice of torch."""
    uv = shutil.which("uv") or sys.exit("writing the lock needs uv; install it with: pip install uv")
    command = f"{uv} pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate"
    rest = f"-c constraints.txt pyproject.toml --extra dev -o {LOCK.name}".split()
    LOCK.unlink(missing_ok=True)  # or uv keeps the versions in it
    subprocess.run([*command.split(), *rest], cwd=ROOT, check=True)
    text = LOCK.read_text("utf-8")
    for package in chosen(sys.executable, "--no-deps", "--ignore-installed", "-c", "constraints.txt", "torch"):
        if unknown([package], text):
            line = f"torch=={package['version'].partition('+')[0]} \\\n"
            text = text.replace(line, f"{line}    --hash=sha256:{package['sha256']} \\\n", 1)
    LOCK.write_text(HEADER + text, "utf-8")
