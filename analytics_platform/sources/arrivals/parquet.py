"""Raw records as the bytes of a Parquet file, which Athena, Spark and DuckDB can read as it is."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS_AT_A_TIME = 50_000


def encode_table(table: pa.Table) -> bytes:
    """Write a table as the bytes of one Parquet file. The same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_columns(stream: BinaryIO, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Read some columns of a file that `encode_table` wrote, row by row."""
    with pq.ParquetFile(stream) as file:
        for part in file.iter_batches(_ROWS_AT_A_TIME, columns=list(columns)):
            yield from zip(*(part[column].to_pylist() for column in columns), strict=True)
