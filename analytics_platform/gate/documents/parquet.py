"""A batch of raw documents as one Parquet file: readable as it lies by Athena, Spark or DuckDB."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.gate.documents.extended_json import document_id_of

DOCUMENT_SCHEMA = pa.schema([pa.field("document_id", pa.string()), pa.field("document", pa.binary(), nullable=False)])
"""A raw document: its `_id` as canonical Extended JSON (null if it has none), and its BSON as it came."""

DOCUMENTS_AT_A_TIME = 50_000


def to_parquet(documents: Sequence[bytes]) -> bytes:
    """Raw BSON documents as the bytes of one Parquet file. The same documents give the same bytes."""
    table = pa.table([[document_id_of(raw) for raw in documents], list(documents)], schema=DOCUMENT_SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_parquet(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The raw documents of a file that `to_parquet` wrote, in their order, some at a time."""
    with pq.ParquetFile(stream) as file:
        for part in file.iter_batches(DOCUMENTS_AT_A_TIME, columns=["document"]):
            yield part["document"].to_pylist()
