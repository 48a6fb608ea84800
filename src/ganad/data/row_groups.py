"""Parquet files a row group at a time: Arrow reads ahead where it may, and keeps what it has freed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow
import pyarrow.parquet


def row_batches(
    file: pyarrow.parquet.ParquetFile, rows: int, groups: Sequence[int] = (), columns: Sequence[str] | None = None
) -> Iterator[pyarrow.RecordBatch]:
    """The rows in batches of at most ``rows``, of some row groups or, if none are named, of all.

    One row group is in memory at a time; asked for all at once Arrow holds several gigabytes of a large file.
    """
    for group in groups or range(file.num_row_groups):
        yield from file.iter_batches(rows, [group], None if columns is None else list(columns))
        pyarrow.default_memory_pool().release_unused()
