"""Development targets with the standard library alone: ``python scripts/dev.py TARGET``.

Each target makes .venv from constraints.txt first, once, and again when a dependency changes. Only files whose SHA-256
stands in constraints.hashes.txt are installed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import lock as locking

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def run(*command: str | Path, **env: str) -> None:
    """Run a command from the project's root, and stop with its exit code if it fails."""
    done = subprocess.run([str(c) for c in command], cwd=ROOT, env=os.environ | env)
    if done.returncode:
        sys.exit(done.returncode)


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def apt_install(package: str) -> bool:
    """Install a Debian package where that is possible without asking anybody."""
    if not (is_root() and shutil.which("apt-get")):
        return False
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", package]):
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode:
            return False
    return True


def setup() -> None:
    """Make .venv with the exact versions of constraints.txt, and with files of constraints.hashes.txt alone."""
    names = ("constraints.txt", locking.LOCK.name, "pyproject.toml")
    wanted = b"".join((ROOT / name).read_bytes() for name in names)
    stamp, mark = VENV / "installed", hashlib.sha256(wanted + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == mark:
        return
    if importlib.util.find_spec("ensurepip") is None and not apt_install("python3-venv"):
        sys.exit("Python's venv module is missing; install it with: sudo apt-get install python3-venv")
    print(f"setting up {VENV.name} (a few minutes the first time)", file=sys.stderr, flush=True)
    # symlinks as `python -m venv` makes them: copying over a link that is already there fails
    venv.create(VENV, with_pip=True, symlinks=os.name != "nt", clear=not (BIN / "python").exists() and VENV.exists())
    install(BIN / "python", ".[dev]")
    stamp.write_text(mark)


def install(python: str | Path, project: str) -> None:
    """Install this project and what it needs, from known files."""
    if os.environ.get(locking.OFF) == "1":
        run(python, "-m", "pip", "install", "--quiet", "-c", "constraints.txt", "-e", project)
        return
    packages = locking.chosen(python, "-c", "constraints.txt", "-e", project)
    if missing := locking.unknown(packages, locking.LOCK.read_text("utf-8")):
        sys.exit(locking.refusal(missing))
    locking.install(python, packages)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "-e", project)


def browser() -> None:
    """Find a browser for the page tests, or install one: Debian's where root, else Playwright's own."""
    if any(map(shutil.which, BROWSERS)) or apt_install("chromium"):
        return
    run(BIN / "python", "-m", "playwright", "install", "chromium")


def demo() -> None:
    run(BIN / "ganad", "demo")


def test() -> None:
    browser()
    # one thread a process: two processes fill two cores, two threads wait for each other
    run(BIN / "python", "-m", "pytest", "-q", "-n", "auto", "--dist", "worksteal", OMP_NUM_THREADS="1")


def slow() -> None:
    browser()
    run(BIN / "python", "-m", "pytest", "-q", "-m", "slow", OMP_NUM_THREADS="1")


def lint() -> None:
    run(BIN / "ruff", "check", ".")
    run(BIN / "mypy")
    run(BIN / "python", "scripts/supply.py", "licences")
    # an advisory comes without a change of ours: here it is said, and `audit` fails
    subprocess.run([BIN / "python", "scripts/supply.py", "audit"], cwd=ROOT)


def bench() -> None:
    """The README's table, a minute of a core a trial; goes on where it was stopped."""
    run(BIN / "ganad", "bench", "study-mnist", "--classes", "0,1,5", "--workers", "2")
    run(BIN / "ganad", "tables")
    run(BIN / "python", "scripts/figures.py")


def speed() -> None:
    run(BIN / "python", "benchmarks/speed.py", OMP_NUM_THREADS="1")


def bench_paper() -> None:
    """Every table at the published length; meant for a GPU, goes on where it was stopped, ends after a day."""
    run(BIN / "ganad", "bench", "all", "--budget", "paper", "--workers", "4", "--hours", "24")
    run(BIN / "ganad", "tables")


def lock() -> None:
    """Write constraints.hashes.txt again, after a change of constraints.txt; needs uv and PyPI."""
    locking.write()


def audit() -> None:
    """Advisories against pinned packages, where their database can be reached; fails where there are some."""
    run(BIN / "python", "scripts/supply.py", "audit")


def dist() -> None:
    """Wheel, sdist and bill of materials of the last commit in dist/, the same bytes each time."""
    run(BIN / "python", "scripts/dist.py")


def pythons() -> None:
    """The quick tests on every Python from 3.11 that is found; an environment each in .venvs/."""
    run(BIN / "python", "scripts/pythons.py")


def docs() -> None:
    run(BIN / "python", "-m", "mkdocs", "build", "--strict", NO_MKDOCS_2_WARNING="1")


def clean() -> None:
    for name in (".venv", ".venvs", "demo", "site", "dist"):
        shutil.rmtree(ROOT / name, ignore_errors=True)


TARGETS = {
    f.__name__.replace("_", "-"): f
    for f in (
        *(setup, demo, test, slow, lint, bench, bench_paper, speed, docs),
        *(lock, audit, dist, pythons, clean),
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", choices=TARGETS, help="what to do; all but clean set .venv up first")
    target = parser.parse_args().target
    if target not in ("setup", "clean"):
        setup()
    TARGETS[target]()


if __name__ == "__main__":
    main()
