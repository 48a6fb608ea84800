"""Facts about the machine and the source that made a row: peak memory and revision."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import sys
from pathlib import Path


def reset_peak() -> None:
    """Reset ``peak_mb``, if the system supports it, because a worker runs many trials."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float | None:
    """The largest resident memory of this process since ``reset_peak``, in MiB; None on Windows.

    If ``reset_peak`` has no effect, it is the peak of all the worker's trials so far.
    """
    if sys.platform == "win32":
        return None
    import resource  # Unix only

    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


@functools.cache
def commit() -> str | None:
    """The revision of this package's source, with + if files differ from it; None outside a repository."""
    package = Path(__file__).parent.parent
    try:
        name = _git(package, "rev-parse", "--short", "HEAD")
        changed = _git(package, "status", "--porcelain", "--", str(package))
    except (OSError, subprocess.CalledProcessError):
        return None
    return name + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
