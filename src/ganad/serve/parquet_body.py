"""A body that is a Parquet file, which may unpack to far more than its bytes."""

from __future__ import annotations

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from ..errors import InputError
from .limits import Limits
from .refused import Refused, refuse_more


def parquet_table(body: bytes, known: list[str], limits: Limits) -> pyarrow.Table:
    """The known columns; Refused with 413 for a file that is larger than allowed, by its own figures or when read.

    Text is read folded, as numbers of a dictionary's entries, because an entry of a megabyte may stand in every row.
    """
    try:
        kinds = {field.name: field.type for field in pyarrow.parquet.read_schema(pyarrow.BufferReader(body))}
        present = [name for name in known if name in kinds]
        for name in present:
            if not is_flat(kinds[name]):
                raise InputError(f"body: column {name!r} is {kinds[name]}, which is not a number, truth value or text")
        with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(body), read_dictionary=present) as file:
            about = file.metadata
            refuse_more(about.num_rows, limits)
            size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            if size > limits.bodies_bytes:
                raise Refused(413, f"{size:,} bytes unpacked are more than the {limits.bodies_bytes:,} allowed")
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
