"""From the rows of a Parquet file to the records that the gate validates."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.sql import quote
from analytics_platform.gate.layout import FileRejectedError, Layout, resolve_layout
from analytics_platform.gate.records import Positions, Records, no_records, values_of

ROWS_AT_A_TIME = 50_000


def open_parquet(stream: BinaryIO, contract: ContractType) -> tuple[pq.ParquetFile, Layout]:
    """Open a file and find its columns. Raises `FileRejectedError` if it is not Parquet or lacks a required column."""
    seekable = stream if stream.seekable() else io.BytesIO(stream.read())
    try:
        file = pq.ParquetFile(seekable)
    except (pa.ArrowException, OSError) as error:
        raise FileRejectedError(f"it is not a Parquet file ({error}); export it again") from error
    return file, resolve_layout(contract, file.schema_arrow.names)


def read_parquet_rows(stream: BinaryIO, contract: ContractType, only: Positions = None) -> Iterator[Records]:
    """Read the rows of a file, by their place from 1; with `only`, those at these places."""
    file, layout = open_parquet(stream, contract)
    yield no_records(*layout.drift)
    first = 1
    with closing(duckdb.connect(":memory:")) as engine:
        for part in file.iter_batches(ROWS_AT_A_TIME):
            places = np.arange(first, first + part.num_rows, dtype=np.int64)
            first += part.num_rows
            text, raws = _as_text(part, engine)
            if only is not None:
                wanted = np.flatnonzero(np.isin(places, list(only)))
                text, raws, places = text[wanted], raws[wanted], places[wanted]
            yield Records(values_of(text, layout, contract), places, raws.__getitem__, no_records().malformed)


def _as_text(part: pa.RecordBatch, engine: duckdb.DuckDBPyConnection) -> tuple[pl.DataFrame, pl.Series]:
    """Give the columns of some rows as text, and each row as one JSON object."""
    # Times with a zone are instants: without it DuckDB writes them in UTC, wherever the machine is.
    instant, is_time = pa.timestamp("us"), pa.types.is_timestamp
    plain = pa.schema([field.with_type(instant) if is_time(field.type) else field for field in part.schema])
    rows = pa.Table.from_batches([part]).cast(plain, safe=False)  # noqa: F841  DuckDB finds the variable by its name
    columns = ", ".join(f"{_text_of(field)} AS {quote(field.name)}" for field in part.schema)
    frame = pl.from_arrow(engine.sql(f"SELECT {columns} FROM rows").to_arrow_table())
    raws = pl.from_arrow(engine.sql("SELECT CAST(to_json(rows) AS VARCHAR) AS raw FROM rows").to_arrow_table())
    assert isinstance(frame, pl.DataFrame) and isinstance(raws, pl.DataFrame)
    return frame, raws["raw"]


def _text_of(field: pa.Field) -> str:
    """Give SQL that writes a value as CSV files do. A whole number stays one where the file holds it as a float."""
    name = quote(field.name)
    if pa.types.is_nested(field.type):
        return f"CAST(to_json({name}) AS VARCHAR)"
    if pa.types.is_floating(field.type):
        whole = f"{name} = floor({name}) AND abs({name}) < 9007199254740992"
        return f"CASE WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) ELSE CAST({name} AS VARCHAR) END"
    return f"CAST({name} AS VARCHAR)"
