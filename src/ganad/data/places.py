"""Files by path or by address (s3://, gs://, file://, whatever pyarrow or fsspec knows), listed and opened alike."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any

import pyarrow
import pyarrow.fs

from ..errors import InputError


@dataclass(frozen=True)
class Place:
    """A file: how it is opened, and what changes when it changes."""

    address: str  #: as the user would write it
    name: str  #: below the folder that was listed; "" for a single file
    mark: str  #: size and time of change

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.address).suffix.lower()

    def open(self) -> Any:
        """The file for reading, with random access. Raises OSError where it is gone."""
        system, path = _found(self.address)
        return system.open_input_file(path)

    def read(self) -> bytes:
        """The whole content. Raises OSError where it is gone."""
        with self.open() as file:
            content: bytes = file.read()
        return content


def is_address(name: str) -> bool:
    """Whether ``name`` has a scheme such as s3://."""
    return "://" in name


def listed(root: str) -> list[Place]:
    """The file at ``root``, or all files below it in a stable order, without hidden ones.

    Raises InputError where there is nothing, or for a scheme that nobody knows.
    """
    system, path = _found(root)
    try:
        (info,) = system.get_file_info([path])
        if info.type == pyarrow.fs.FileType.File:
            return [Place(root, "", _mark(info))]
        if info.type == pyarrow.fs.FileType.NotFound:
            raise InputError(f"{root}: no such file or folder")
        found = system.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{root}: cannot be listed ({str(error).splitlines()[0]})") from error
    files = [(info.path[len(path.rstrip("/")) + 1 :], info) for info in found if info.is_file]
    visible = [(name, info) for name, info in files if not any(part[0] in "._" for part in name.split("/"))]
    return [
        Place(f"{root.rstrip('/')}/{name}", name, _mark(info)) for name, info in sorted(visible, key=lambda f: f[0])
    ]


def _mark(info: Any) -> str:
    return f"{info.size}-{info.mtime_ns}"


def _found(name: str) -> tuple[Any, str]:
    """The file system of a path or an address, and the path in it."""
    if not is_address(name):
        return pyarrow.fs.LocalFileSystem(), name
    try:
        system, path = pyarrow.fs.FileSystem.from_uri(name)
        return system, path
    except (OSError, pyarrow.ArrowException, ValueError) as error:
        fsspec = import_module("fsspec")  # of torch; it knows what pyarrow does not
        try:
            system, path = fsspec.core.url_to_fs(name)
        except (ValueError, ImportError):
            raise InputError(f"{name}: cannot be opened ({str(error).splitlines()[0]})") from error
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(system)), path
