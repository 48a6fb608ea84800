"""Writing files safely: a crash leaves the old or the new file, an error leaves nothing, and two writers never mix."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_FAR = 2**62  # Windows locks bytes against writing; nothing is ever written there


@contextlib.contextmanager
def replacing(path: str | Path, *, wait: bool = False) -> Iterator[Path]:
    """A temporary path next to ``path`` that replaces it when the block ends without an error.

    A crash leaves the old file or the new one, never half of one. An error removes the temporary file, and the next
    writer overwrites what a killed process left. Raises InputError while another process writes the same file, or waits
    for it; OSError with ``path`` in it when the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.tmp")
    lock = temporary if os.name == "posix" else path.with_name(f".{path.name}.lock")  # Windows renames no open file
    try:
        with locked(lock, f"{path}: another process is writing it; wait for it or name another file", wait=wait):
            try:
                yield temporary
                with open(temporary, "r+b") as file:
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            finally:
                if lock != temporary:
                    temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.filename not in (None, str(temporary)):  # the error is about another file and names it
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    _sync_folder(path.parent)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as a UTF-8 file in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def locked(path: Path, refusal: str, *, wait: bool = False) -> Iterator[None]:
    """A context that holds the lock file ``path`` alone. The file is made if missing and removed at the end.

    If the process is killed, the system frees the lock and the next process takes it. Raises InputError with the
    ``refusal`` while another process holds it, unless it should ``wait``.
    """
    descriptor = -1
    try:
        while descriptor < 0:
            opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            if not _lock(opened, wait=wait):
                os.close(opened)
                raise InputError(refusal)
            if _is_at(opened, path):
                descriptor = opened
            else:  # its holder renamed or removed it while we opened it
                os.close(opened)
        yield
    finally:
        if descriptor >= 0:
            if os.name == "posix" and _is_at(descriptor, path):  # not another's, who made it after we renamed ours
                path.unlink()
            os.close(descriptor)
            if os.name != "posix":
                with contextlib.suppress(OSError):
                    path.unlink()


_SCRATCH = "ganad-scratch-"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder that is removed when the block ends. One that a killed process left is removed by ``sweep``,
    which the first call in a process is.
    """
    sweep()
    if os.name != "posix":  # no lock on folders, by which one in use is told from one left behind
        with tempfile.TemporaryDirectory(prefix=_SCRATCH) as name:
            yield Path(name)
        return
    folder, descriptor = _held_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@functools.cache
def sweep() -> None:
    """Remove the folders of ``scratch`` that killed processes of this user left; only once in a process."""
    if sys.platform == "win32":
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where its process lives
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def _held_folder() -> tuple[Path, int]:
    """A new folder and the descriptor by which this process holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH))
        with contextlib.suppress(FileNotFoundError):  # swept before it was locked
            descriptor = os.open(folder, os.O_RDONLY)
            if _lock(descriptor, wait=False) and _is_at(descriptor, folder):
                return folder, descriptor
            os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _lock(descriptor: int, *, wait: bool) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _lock(descriptor: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks; then two writers must not meet
            return True
        return True


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; Windows has no such call and needs none."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
