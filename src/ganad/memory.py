"""How much memory there is, so that work that cannot fit is refused in a sentence before it begins.

Sizes are lower bounds of what the work takes: what is refused would certainly not have fitted.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from pathlib import Path

from .display import shown
from .errors import InputError

_FILES = "memory.max", "memory.current", "inactive_file"
_OLD_FILES = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
_SHORT = re.compile(r"out of memory|not enough memory|can't allocate memory|unable to allocate|std::bad_alloc", re.I)


def require(size: int, what: str, remedy: str) -> None:
    """Raise InputError where ``size`` bytes are more than there are; it begins with ``what`` and ends with ``remedy``.

    Does nothing where the system does not tell how much there is.
    """
    free = available()
    if free is not None and size > free:
        raise InputError(f"{what} needs {in_words(size)} of memory, and {in_words(free)} are free; {remedy}")


def available() -> int | None:
    """Bytes that this process may still take: by the system, its control groups and its own limit; None if unknown."""
    known = [n for n in (_of_system(), _of_groups(), _of_process()) if n is not None]
    return max(0, min(known)) if known else None


def shortage(error: BaseException) -> str | None:
    """The sentence for an error that says that memory ran out, in whichever library; None for any other error."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    of_library = isinstance(error, RuntimeError) or "OutOfMemory" in type(error).__name__  # torch's, DuckDB's
    if not isinstance(error, MemoryError) and not (of_library and _SHORT.search(text)):
        return None
    free = available()
    there = "" if free is None else f", and {in_words(free)} are free"
    return (
        f"not enough memory ({shown(text, 150)}){there}; take fewer or smaller samples, or lower what bounds the work: "
        f"--batch-size, --score-batch-size, --max-regions"
    )


def give_back() -> None:
    """Return to the system what was freed, where the C library would keep it for later (glibc).

    Intermediate results of networks, of another size for each photo, leave it holding several hundred MB. It takes as
    long as a look at a photo, so it is for the end of a stage.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def in_words(size: int) -> str:
    """A number of bytes, such as ``7.5 GB`` or ``120 MB``."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def _of_system() -> int | None:
    """What the machine has left, its swap included; all it has where a system tells no more."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        known = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        return known["MemAvailable"] + known["SwapFree"]
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_groups(named: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What the control groups of the process, as of a container, leave it; version 2 and version 1 of the system's."""
    left: list[int] = []
    with contextlib.suppress(OSError):
        for line in named.read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and "memory" not in kinds.split(","):
                continue
            top, files = (root / "memory", _OLD_FILES) if kinds else (root, _FILES)
            place = top / path.lstrip("/")
            for folder in (place, *place.parents):
                if folder.is_relative_to(top):
                    left += _of_group(folder, *files)
    return min(left, default=None)


def _of_group(folder: Path, limit: str, used: str, cached: str) -> list[int]:
    """What one group leaves; files that the system has cached for it do not count as used."""
    with contextlib.suppress(OSError, ValueError):  # "max" is no number
        most = int((folder / limit).read_text())
        found = re.search(rf"^{cached} (\d+)$", (folder / "memory.stat").read_text(), re.M)
        return [most - int((folder / used).read_text()) + (int(found[1]) if found else 0)]
    return []


def _of_process() -> int | None:
    """What the process's own limit of addresses leaves it, as ``ulimit -v`` sets it."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError):
        return limit - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return limit
