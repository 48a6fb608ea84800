"""A body that is a Parquet file, which may unpack to far more than its bytes."""

from __future__ import annotations

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from ..errors import InputError
from .limits import Limits
from .parquet_pages import all_pages
from .rejections import Refused, refuse_more

_FOOTER = 2 * 2**20  # bytes; a column of a group takes about a hundred
_COLUMNS = 10_000  # in the file, beside those that the model knows


def parquet_table(body: bytes, known: list[str], limits: Limits) -> pyarrow.Table:
    """The known columns; Refused with 413 for a file that is larger than allowed, by its pages or when read.

    Text is read folded, as numbers of a dictionary's entries, because an entry of a megabyte may stand in every row.
    """
    try:
        if _FOOTER < int.from_bytes(body[-8:-4], "little") <= len(body):
            raise Refused(413, f"a footer of more than the {_FOOTER:,} bytes allowed")
        sizes = dict(thrift_container_size_limit=_COLUMNS + len(known), thrift_string_size_limit=_FOOTER)
        with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(body), **sizes) as file:
            kinds = {field.name: field.type for field in file.schema_arrow}
        present = [name for name in known if name in kinds]
        for name in present:
            if not is_flat(kinds[name]):
                raise InputError(f"body: column {name!r} is {kinds[name]}, which is not a number, truth value or text")
        with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(body), read_dictionary=present, **sizes) as file:
            refuse_more(file.metadata.num_rows, limits)
            refuse_large(body, limits)
            batches, n = [], 0
            for batch in file.iter_batches(limits.samples + 1, columns=present):
                n += batch.num_rows
                refuse_more(n, limits)
                batches.append(batch)
            read = pyarrow.Table.from_batches(batches) if batches else file.schema_arrow.empty_table()
        if sum(map(unfolded, read.columns)) > limits.body_bytes:
            raise Refused(413, f"its text unpacked is larger than the {limits.body_bytes:,} bytes allowed")
        names = read.column_names
        return pyarrow.table([c.cast(kinds[name]) for name, c in zip(names, read.columns)], names=names)
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"body: cannot be read as a table ({(str(error).splitlines() or [''])[0]})") from error


def refuse_large(body: bytes, limits: Limits) -> None:
    """Raise Refused with 413 where the pages unpack to more than allowed, whatever the footer says of them."""
    size = 0
    for page in all_pages(body):
        size += page.unpacked
        refuse_more(page.values, limits)
        if size > limits.bodies_bytes:
            raise Refused(413, f"its pages unpack to more than the {limits.bodies_bytes:,} bytes allowed")


def is_flat(kind: pyarrow.DataType) -> bool:
    """Whether a cell is one number, truth value or text; one of other types may be of any size."""
    t = pyarrow.types
    text = t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind) or t.is_binary(kind)
    return bool(text or t.is_primitive(kind) or t.is_decimal(kind) or t.is_null(kind) or t.is_dictionary(kind))


def unfolded(column: pyarrow.ChunkedArray) -> int:
    """Bytes of a column of text once every cell has its own."""
    if not pyarrow.types.is_dictionary(column.type):
        return 0
    lengths = [pyarrow.compute.binary_length(part.dictionary).take(part.indices) for part in column.chunks]
    return sum(pyarrow.compute.sum(part).as_py() or 0 for part in lengths)
