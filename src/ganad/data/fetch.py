"""Finding the files of a data set: in --data-dir, $GANAD_DATA, a per-user cache, else by a checked download."""

from __future__ import annotations

import hashlib
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from ..atomic import replacing
from ..errors import InputError
from .samples import Progress

_TIMEOUT = 30.0  # seconds without an answer
_BLOCK = 2**20


def cache_dir() -> Path:
    """The per-user cache, in the system's usual place."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home()))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "ganad"


def places(data_dir: str | Path | None) -> list[Path]:
    """Folders to search, in this order."""
    given = [Path(data_dir)] if data_dir else []
    named = [Path(os.environ["GANAD_DATA"])] if os.environ.get("GANAD_DATA") else []
    return [*given, *named, cache_dir()]


def find(folders: Sequence[str], names: Sequence[str], data_dir: str | Path | None) -> Path | None:
    """The first file with one of ``names``, in one of the ``folders`` of a place or in the place itself."""
    for place in places(data_dir):
        for folder in (*folders, "."):
            for name in names:
                if (place / folder / name).exists():
                    return place / folder / name
    return None


def fetch(
    folder: str,
    name: str,
    data_dir: str | Path | None,
    *,
    url: str | None = None,
    md5: str | None = None,
    other_names: Sequence[str] = (),
    other_folders: Sequence[str] = (),
    progress: Progress | None = None,
) -> Path:
    """The file ``name`` of the data set in ``folder``, downloaded to the cache if it is public and missing.

    Raises InputError if it cannot be found; the message says where to put which file.
    """
    found = find((folder, *other_folders), (name, *other_names), data_dir)
    if found:
        return found
    target = cache_dir() / folder / name
    hint = f"put {name} into {target.parent} or into a folder given by --data-dir or $GANAD_DATA"
    if url is None:
        raise InputError(f"{name} was not found and cannot be downloaded; {hint}")
    try:
        _download(url, target, md5, progress)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise InputError(f"{name} was not found and its download failed ({error}); {hint}") from error
    return target


def _download(url: str, target: Path, md5: str | None, progress: Progress | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with replacing(target, wait=True) as temporary:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, open(temporary, "wb") as file:
            total = int(answer.headers.get("Content-Length") or 0)
            while block := answer.read(_BLOCK):
                file.write(block)
                digest.update(block)
                done += len(block)
                if progress:
                    progress(done, max(total, done))
        if total and done < total:
            raise ValueError(f"the connection ended after {done:,} of {total:,} bytes")
        if md5 and digest.hexdigest() != md5:
            raise ValueError(f"its MD5 is {digest.hexdigest()}, not {md5}")
