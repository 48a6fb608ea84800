"""The quick tests on every Python from 3.11 to 3.14 that is found: ``python scripts/pythons.py [3.12 ...]``.

Interpreters are looked for on the path, in pyenv's folder and in uv's. Each gets an environment in .venvs/, from the
files that constraints.hashes.txt knows. One that cannot have it (an index without wheels for it) counts as not tested.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import dev

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
#: What differs between Pythons: imports, dataclasses, types, pickles, numbers as text, processes, the command line.
TESTS = (
    "tests/test_imports.py tests/test_settings.py tests/test_types.py tests/test_foreign_files.py tests/test_cli.py "
    "tests/test_model_file.py tests/test_compatibility.py tests/data/test_foreign_data.py tests/data/test_table.py"
).split()


def interpreters() -> dict[str, Path]:
    """An interpreter for each version that is found."""
    folders = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"), reverse=True)
    folders += sorted(Path.home().glob(".local/share/uv/python/*/bin"), reverse=True)
    found: dict[str, Path] = {}
    for version in VERSIONS:
        candidates = (shutil.which(f"python{version}", path=str(folder)) for folder in folders)
        works = (Path(path) for path in candidates if path and answers(Path(path), version))
        if python := next(works, None):
            found[version] = python
    return found


def answers(python: Path, version: str) -> bool:
    """Whether it runs, is of this version and can make environments; a shim of pyenv may lead nowhere."""
    code = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() == version


def tested(python: Path, version: str) -> str:
    """What became of the tests, in words."""
    place = dev.ROOT / ".venvs" / version
    own = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not own.exists():
        subprocess.run([python, "-m", "venv", place], check=True)
    try:
        dev.install(own, ".[dev]")
    except SystemExit:
        return "not tested: its packages cannot be installed"
    command = [own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=dev.ROOT, capture_output=True, text=True, env=environment)
    print(done.stdout[-4000:] if done.returncode else "", end="", file=sys.stderr)
    return re.sub(r"\s+", " ", done.stdout.strip().rpartition("\n")[2])


def main() -> None:
    wanted, found, failed = sys.argv[1:] or VERSIONS, interpreters(), False
    for version in wanted:
        said = tested(found[version], version) if version in found else "not found"
        failed |= "failed" in said or "error" in said
        print(f"Python {version}: {said}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
