"""What a folder of scored parts holds: a line a part, appended while they come, sorted once all are there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..atomic import replacing, write_text
from ..errors import InputError

Entry = dict[str, Any]

NAME = "manifest.jsonl"
_KEYS = frozenset({"part", "source", "rows", "flagged", "classes", "unreadable", "bytes", "sha256"})  # of an entry


class Manifest:
    """The file ``manifest.jsonl``: what was asked for, and an entry for every part that is scored.

    An entry says a part's file, what it was made of (``source``), its rows, the samples above the threshold, the size
    and the SHA-256 of the file, and what could not be read. The caller holds the folder's lock.
    """

    def __init__(self, folder: Path, asked: Entry):
        self.folder, self.path, self.asked = folder, folder / NAME, asked
        self.entries: dict[str, Entry] = {}

    def open(self) -> None:
        """Read what is there. Raises InputError for a folder of another model or with other options, or damaged."""
        if not self.path.exists():
            if any(self.folder.glob("*.parquet")):
                raise InputError(f"{self.folder}: holds Parquet files of something else; name another folder")
            write_text(self.path, json.dumps(self.asked) + "\n")
            return
        self._mend()
        first, *lines = self.path.read_bytes().split(b"\n")[:-1] or [b"{}"]
        if self._read(first, 1) != self.asked:
            raise InputError(f"{self.folder}: holds scores of another model or with other options; name another folder")
        for number, line in enumerate(lines, 2):
            entry = self._read(line, number, _KEYS)
            self.entries[key_of(entry["source"])] = entry

    def _read(self, line: bytes, number: int, keys: frozenset[str] = frozenset()) -> Entry:
        """A line as an object that has these keys. Raises InputError."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not keys <= found.keys():
            what = "remove it, and its part is scored again, or " if number > 1 else ""
            raise InputError(f"{self.path}: line {number} is damaged; {what}name another folder")
        return found

    def keep(self, keys: Iterable[list[str]]) -> None:
        """Forget the parts whose source has changed since, or whose file is gone; they are scored again."""
        wanted = {key_of(key) for key in keys}
        sources = {json.loads(key)[0] for key in wanted}
        for key, entry in list(self.entries.items()):
            stays = key in wanted or entry["source"][0] not in sources
            if not (stays and self._is_whole(entry)):
                del self.entries[key]

    def free_names(self) -> Iterable[str]:
        """File names of parts to come, in their order."""
        taken = {entry["part"] for entry in self.entries.values()}
        number = 0
        while True:
            name = f"part-{number:06d}.parquet"
            if name not in taken:
                yield name
            number += 1

    def add(self, entry: Entry) -> None:
        """Append an entry; of two for one part the later one counts."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(self.path)) from error
        self.entries[key_of(entry["source"])] = entry

    def close(self) -> list[Entry]:
        """All entries in the order of their files; the file is written anew in that order, others' debris removed."""
        found = sorted(self.entries.values(), key=lambda entry: str(entry["part"]))
        for path in set(self.folder.glob("part-*.parquet")) - {self.folder / entry["part"] for entry in found}:
            path.unlink()
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in (self.asked, *found)))
        return found

    def _is_whole(self, entry: Entry) -> bool:
        try:
            size: int = entry["bytes"]
            return (self.folder / str(entry["part"])).stat().st_size == size
        except OSError:
            return False

    def _mend(self) -> None:
        """Remove a last line that was cut short when the program was killed."""
        text = self.path.read_bytes()
        if not text.endswith(b"\n"):
            with replacing(self.path) as temporary:
                temporary.write_bytes(text[: text.rfind(b"\n") + 1])


def key_of(source: list[str]) -> str:
    """What a part is made of, as one text."""
    return json.dumps(source)
