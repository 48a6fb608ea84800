"""What the pages of a Parquet file unpack to, by their own headers and before any is unpacked.

A footer says what its writer likes of sizes. A page's header says how much memory its reader will ask for, and pyarrow
refuses a page that holds anything else. Headers and the footer are structs of Thrift's compact protocol, read here by
hand: no library gives headers without unpacking the pages, and pyarrow's ``RowGroupMetaData.column`` ends the process
where an altered footer contradicts itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

_DAMAGED = "body: cannot be read as a table (its footer or the header of a page is damaged)"
_NESTED = 8  # structs and lists in a header
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)  # of 16, 32 and 64 bits
_GROUPS, _CREATED_BY = 4, 6  # fields of the footer
_COLUMNS, _META = 1, 3  # of a group, and of its column
_CHUNK_SIZE, _DATA, _DICTIONARY = 7, 9, 11  # of what is said of the column
_UNPACKED, _PACKED, _HEADS = 2, 3, (5, 7, 8)  # fields of a header; heads of data and dictionary pages: values first


@dataclass(frozen=True)
class Page:
    """What one page asks for."""

    unpacked: int  #: bytes
    values: int


def all_pages(body: bytes) -> Iterator[Page]:
    """The pages of every column of a whole file; InputError where its footer or a header is damaged."""
    size = int.from_bytes(body[-8:-4], "little")
    if size + 8 > len(body):
        raise InputError(_DAMAGED)
    try:
        footer = _Reader(body, len(body) - 8 - size).struct()
        _refuse_old(footer.get(_CREATED_BY, b""))
        chunks = [column[_META] for group in footer.get(_GROUPS, []) for column in group[_COLUMNS]]
        places = [(min(c[_DATA], c.get(_DICTIONARY) or c[_DATA]), c[_CHUNK_SIZE]) for c in chunks]
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise InputError(_DAMAGED) from error
    for start, length in places:
        yield from pages(body, start, length)


def _refuse_old(writer: bytes) -> None:
    """InputError for a file of the early versions whose columns' sizes pyarrow does not believe."""
    found = re.match(rb"parquet-mr(?: version (\d{1,9})\.(\d{1,9}))?", writer, re.IGNORECASE)
    if found and (found[1] is None or (int(found[1]), int(found[2])) < (1, 3)):
        raise InputError("body: written by a Parquet library before version 1.3, whose sizes are wrong; write it anew")


def pages(body: bytes, start: int, length: int) -> Iterator[Page]:
    """The pages of a part of a column, from ``start`` on in ``length`` bytes; InputError where one is damaged."""
    if not (isinstance(start, int) and isinstance(length, int) and 0 <= start <= start + length <= len(body)):
        raise InputError(_DAMAGED)
    end = start + length
    while start < end:
        reader = _Reader(body, start)
        try:
            header = reader.struct()
            unpacked, packed = header[_UNPACKED], header[_PACKED]
            values = next((header[field][1] for field in _HEADS if field in header), 0)
        except (IndexError, KeyError, TypeError) as error:
            raise InputError(_DAMAGED) from error
        if not all(isinstance(size, int) and size >= 0 for size in (unpacked, packed, values)):
            raise InputError(_DAMAGED)
        yield Page(unpacked, values)
        start = reader.at + packed


class _Reader:
    """Thrift's compact protocol."""

    def __init__(self, data: bytes, at: int):
        self.data, self.at = data, at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields by number."""
        fields: dict[int, Any] = {}
        number = 0
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.whole()
            fields[number] = self.value(head & 15, depth, in_struct=True)
        return fields

    def value(self, kind: int, depth: int, *, in_struct: bool = False) -> Any:
        if depth > _NESTED:
            raise IndexError
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE if in_struct else self.byte() == _TRUE
        if kind == _BYTE:
            return self.byte()
        if kind in _WHOLE:
            return self.whole()
        if kind in (_DOUBLE, _BINARY):
            return self.raw(8 if kind == _DOUBLE else self.number())
        if kind in (_LIST, _SET):
            head = self.byte()
            size = head >> 4 if head >> 4 < 15 else self.number()
            if size > len(self.data):
                raise IndexError
            return [self.value(head & 15, depth + 1) for _ in range(size)]
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise IndexError  # a map, of which no header has one

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """A whole number of seven bits a byte, the lowest first."""
        found = shift = 0
        while True:
            byte = self.byte()
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return found
            if shift > 63:
                raise IndexError

    def whole(self) -> int:
        """A number whose lowest bit is its sign."""
        found = self.number()
        return (found >> 1) ^ -(found & 1)

    def raw(self, size: int) -> bytes:
        self.at += size
        if self.at > len(self.data):
            raise IndexError
        return self.data[self.at - size : self.at]
