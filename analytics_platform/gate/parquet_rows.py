"""From the rows of a Parquet file to the records that the gate validates."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO, cast

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.sql import quote
from analytics_platform.gate.layout import FileRejectedError, Layout, resolve_layout
from analytics_platform.gate.records import Positions, Records, no_records, rejected_frame, values_of

ROWS_AT_A_TIME = 50_000
_READ_BYTES = 1 << 20

_NUL = "record: NUL byte"
PARQUET_REASONS = (_NUL,)
"""Why a row cannot be used."""

_NO_NUMBER = re.compile(r'("(?:[^"\\]|\\.)*")|NaN|-?Infinity')
"""What JSON cannot write as a number; texts are matched to be skipped."""


def open_parquet(stream: BinaryIO, contract: ContractType) -> tuple[pq.ParquetFile, Layout]:
    """Open a file and find its columns.

    Raises `FileRejectedError` if it is not Parquet, names a column twice or lacks a required one.
    """
    if not stream.seekable():
        packed, stream = stream, cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  closed with the last reference
        shutil.copyfileobj(packed, stream, _READ_BYTES)
    try:
        # With a buffer a row group is read page by page: without, its columns are in memory whole.
        file = pq.ParquetFile(stream, buffer_size=_READ_BYTES, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise FileRejectedError(f"it is not a Parquet file ({error}); export it again") from error
    names = file.schema_arrow.names
    name, count = Counter(map(str.lower, names)).most_common(1)[0] if names else ("", 0)
    if count > 1:  # DuckDB takes upper and lower case for the same
        raise FileRejectedError(f"it has more than one column {name!r}, be it in upper or lower case; export it again")
    return file, resolve_layout(contract, names)


def _check_types(schema: pa.Schema, layout: Layout) -> None:
    """Raise `FileRejectedError` for a column of bytes that the contract knows, and for types that cannot be read."""
    with closing(duckdb.connect(":memory:")) as engine:
        for field in schema:
            kind = f"column {field.name} has the type {field.type}"
            if field.name in layout.sources.values() and re.search(r"binary(?!\w*:)", str(field.type)):
                raise FileRejectedError(f"{kind}, whose bytes are no text; export it as a string")
            try:
                _as_text(pa.schema([field]).empty_table(), engine)
            except (duckdb.Error, pa.ArrowException) as error:
                raise FileRejectedError(f"{kind}, which cannot be read; export it as a string or a number") from error


def check_parquet(stream: BinaryIO, contract: ContractType) -> None:
    """Read a file through.

    Raises `FileRejectedError` as `open_parquet` does, for a column that cannot be read, and for damage anywhere.
    """
    file, layout = open_parquet(stream, contract)
    _check_types(file.schema_arrow, layout)
    try:
        for part in file.iter_batches(ROWS_AT_A_TIME):
            part.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise FileRejectedError(f"it is damaged ({str(error).strip()}); export it again") from error


def read_parquet_rows(stream: BinaryIO, contract: ContractType, only: Positions = None) -> Iterator[Records]:
    """Read the rows of a file, by their place from 1; with `only`, those at these places."""
    file, layout = open_parquet(stream, contract)
    yield no_records(*layout.drift)
    first = 1
    with closing(duckdb.connect(":memory:")) as engine:
        for part in file.iter_batches(ROWS_AT_A_TIME):
            places = np.arange(first, first + part.num_rows, dtype=np.int64)
            first += part.num_rows
            text, raws = _as_text(pa.Table.from_batches([part]), engine)
            if only is not None:
                wanted = np.flatnonzero(np.isin(places, list(only)))
                text, raws, places = text[wanted], raws[wanted], places[wanted]
            nul = text.select(pl.any_horizontal(pl.all().str.contains("\0", literal=True).fill_null(False))).to_series()
            malformed = rejected_frame(places[nul], raws.filter(nul), [_NUL] * int(nul.sum()))
            text, raws, places = text.filter(~nul), raws.filter(~nul), places[~nul]
            yield Records(values_of(text, layout), places, raws.__getitem__, malformed)


def _as_text(table: pa.Table, engine: duckdb.DuckDBPyConnection) -> tuple[pl.DataFrame, pl.Series]:
    """Give the columns of some rows as text, and each row as one JSON object. What is no number is null."""
    # Times with a zone are instants: without it DuckDB writes them in UTC, wherever the machine is.
    instant, is_time = pa.timestamp("us"), pa.types.is_timestamp
    plain = pa.schema([field.with_type(instant) if is_time(field.type) else field for field in table.schema])
    rows = table.cast(plain, safe=False)  # noqa: F841  DuckDB finds the variable by its name
    columns = ", ".join(f"{_text_of(field)} AS {quote(field.name)}" for field in table.schema)
    frame = pl.from_arrow(engine.sql(f"SELECT {columns} FROM rows").to_arrow_table())
    raws = pl.from_arrow(engine.sql("SELECT CAST(to_json(rows) AS VARCHAR) AS raw FROM rows").to_arrow_table())
    assert isinstance(frame, pl.DataFrame) and isinstance(raws, pl.DataFrame)
    nested = [frame[field.name] for field in table.schema if pa.types.is_nested(field.type)]
    return frame.with_columns(map(_as_json, nested)), _as_json(raws["raw"])


def _as_json(texts: pl.Series) -> pl.Series:
    """Write null for NaN, and a string for Infinity, as DuckDB writes them: JSON has no such numbers."""

    def write(part: re.Match[str]) -> str:
        return part[1] or ("null" if part[0] == "NaN" else f'"{part[0]}"')

    found = texts.str.contains("NaN|Infinity").fill_null(False).arg_true()
    return texts.scatter(found, [_NO_NUMBER.sub(write, text) for text in texts[found]])


def _text_of(field: pa.Field) -> str:
    """Give SQL that writes a value as CSV files do. A whole number stays one where the file holds it as a float."""
    name = quote(field.name)
    if pa.types.is_nested(field.type):
        return f"CAST(to_json({name}) AS VARCHAR)"
    if pa.types.is_floating(field.type):
        whole = f"{name} = floor({name}) AND abs({name}) < 9007199254740992"
        text = f"CASE WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) ELSE CAST({name} AS VARCHAR) END"
        return f"CASE WHEN NOT isnan({name}) THEN {text} END"
    return f"CAST({name} AS VARCHAR)"
