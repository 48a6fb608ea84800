"""The encoding of a file of text: what the user or the model says, or what its bytes tell."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow

from ..display import shown
from ..errors import InputError

_PART = 2**20  # bytes
#: What a packed file may unpack to: a table packs fivefold or twentyfold, a bomb a thousandfold.
_UNPACKED, _TIMES = 2**28, 100
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_PLAIN = "09azAZ,;|\t\r\n\"'"  # what every table needs
_LENGTHS = [n * len(_PLAIN) for n in (1, 2, 4)]
_NAME = re.compile(r"[A-Za-z0-9_ .-]{1,40}")
_OTHER = "give its own with --encoding, such as latin-1, windows-1252 or utf-16-le"


def encoding_of(path: Path, packing: str | None, said: str | None) -> tuple[str, int, int]:
    """The encoding of a file of text, its bytes unpacked, and the quotation marks in it, as far as they were counted.

    said: by the user or the model. A mark at the beginning of the file counts more, because it cannot mean anything
    else. Without either, UTF-8 and UTF-16 are told by their bytes; what is neither is taken as Windows' Western one,
    which can be no other where it is wrong, but is said.

    Raises InputError for a packed file that unpacks to far more than it is, and for bytes that the encoding does not
    have.
    """
    with pyarrow.input_stream(str(path), compression=packing) as file:
        start = file.read(_PART)
    found = next((name for mark, name in _MARKS if start.startswith(mark)), None) or (said and named(said))
    if found is None and (wide := _utf_16(start)):
        found = wide
    size, quotes = 0, 0
    told: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder(found or "utf-8-sig")()
    for part, is_last in _parts(path, packing):
        size, quotes = size + len(part), quotes + part.count(b'"')
        if b"\0" in part and found not in _WIDE:
            raise InputError(f"{path}: holds bytes that are zero; it is damaged, not a table of text, or {_OTHER}")
        if told is None:
            continue
        try:
            told.decode(part, final=is_last)
        except UnicodeError as error:
            if found is not None:
                raise InputError(f"{path}: is not written in {found}; {_OTHER}") from error
            told = None
    if told is None:
        found = "cp1252"
        _refuse_other(path, packing, found)
    found = found or "utf-8-sig"
    return found, size, 0 if found in _WIDE else quotes


def named(encoding: str) -> str:
    """Python's name of an encoding that holds the letters and marks of tables. Raises InputError for any other."""
    name, known = "", False
    if isinstance(encoding, str) and _NAME.fullmatch(encoding):
        with contextlib.suppress(LookupError, UnicodeError):
            name = codecs.lookup(encoding).name.replace("_", "-")
            letters = _PLAIN.encode(name)
            # a letter takes as many bytes as any other, so that nothing is written in signs of its own
            known = letters.decode(name) == _PLAIN and len(letters) - len("".encode(name)) in _LENGTHS
    if not known:
        raise InputError(f"--encoding {shown(encoding, 40)}: no encoding of texts that is known; {_OTHER}")
    return "utf-8-sig" if name == "utf-8" else name


def _parts(path: Path, packing: str | None) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a file in parts, each with whether it is the last one."""
    most, size = max(_UNPACKED, _TIMES * path.stat().st_size), 0
    with pyarrow.input_stream(str(path), compression=packing) as file:
        part = file.read(_PART)
        while part:
            size += len(part)
            if packing and size > most:
                raise InputError(f"{path}: unpacks to more than {most:,} bytes; unpack it yourself if you trust it")
            following = file.read(_PART)
            yield part, not following
            part = following


def _refuse_other(path: Path, packing: str | None, encoding: str) -> None:
    """Raise InputError for bytes that an encoding does not have."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for part, is_last in _parts(path, packing):
        try:
            decoder.decode(part, final=is_last)
        except UnicodeError as error:
            raise InputError(f"{path}: is written neither in UTF-8 nor in {encoding}; {_OTHER}") from error


def _utf_16(start: bytes) -> str | None:
    """UTF-16 without its mark, by a zero beside nearly every letter."""
    for first, name in ((0, "utf-16-be"), (1, "utf-16-le")):
        zeros, others = start[first:1000:2], start[1 - first : 1000 : 2]
        if len(zeros) > 1 and zeros.count(0) > 0.9 * len(zeros) and others.count(0) < 0.1 * len(others):
            return name
    return None
