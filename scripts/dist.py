"""Wheel, sdist and bill of materials of the last commit, the same bytes each time: ``python scripts/dev.py dist``.

The files of the commit are unpacked into an empty folder, so that nothing from the working tree gets in, and the clock
of the archives is the commit's. It needs git and hatchling, and nothing from the network.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def build(out: Path, commit: str = "HEAD") -> list[Path]:
    """Wheel and sdist of a commit in the folder ``out``."""
    seconds = git("log", "-1", "--format=%ct", commit).decode().strip()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", commit))) as archive:
            archive.extractall(folder, filter="data")
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(out.resolve())]
        environment = os.environ | {"SOURCE_DATE_EPOCH": seconds}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return sorted([*out.glob("ganad-*.whl"), *out.glob("ganad-*.tar.gz")])


def main() -> None:
    out = ROOT / "dist"
    for old in out.glob("*"):
        old.unlink()
    files = build(out)
    bill = out / f"{files[0].name.split('-py3')[0]}.cdx.json"
    subprocess.run([sys.executable, "scripts/supply.py", "sbom", str(bill)], cwd=ROOT, check=True)
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in (*files, bill))
    (out / "SHA256SUMS").write_text(sums, "utf-8")
    print(sums, end="")


if __name__ == "__main__":
    main()
