"""From the rows of a Parquet file to the records that the gate validates."""

from __future__ import annotations

import io
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
from analytics_platform.lake.codec import ALWAYS_BYTES, MAX_EXPANSION

ROWS_AT_A_TIME = 50_000
_READ_BYTES = 1 << 20
_PART_BYTES = 256 << 20
"""Bytes that rows may expand to before those are counted that are there."""

_NUL = "record: NUL byte"
PARQUET_REASONS = (_NUL,)
"""Why a row cannot be used."""

_NO_NUMBER = re.compile(r'("(?:[^"\\]|\\.)*")|NaN|-?Infinity')
"""What JSON cannot write as a number; texts are matched to be skipped."""


def open_parquet(stream: BinaryIO, contract: ContractType) -> tuple[pq.ParquetFile, BinaryIO, Layout]:
    """Open a file and find its columns; returned with a stream of it in which one can go back.

    Raises `FileRejectedError` if it is not Parquet, names a column twice or lacks a required one.
    """
    if not stream.seekable():
        packed, stream = stream, cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  closed with the last reference
        shutil.copyfileobj(packed, stream, _READ_BYTES)
    try:
        # With a buffer a row group is read page by page: without, its columns are in memory whole.
        file = pq.ParquetFile(stream, buffer_size=_READ_BYTES, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise _refused("it is not a Parquet file", error) from error
    names = file.schema_arrow.names
    if any(not each or "\0" in each for each in names):
        raise FileRejectedError("it has a column with a NUL byte in its name, or without a name; export it with others")
    name, count = Counter(map(str.lower, names)).most_common(1)[0] if names else ("", 0)
    if count > 1:  # DuckDB takes upper and lower case for the same
        raise FileRejectedError(f"it has more than one column {name!r}, be it in upper or lower case; export it again")
    return file, stream, resolve_layout(contract, names)


def _refused(what: str, error: Exception) -> FileRejectedError:
    """Say why a file cannot be read: encrypted or too deeply nested, or `what` seems to be wrong."""
    words = str(error).strip()
    if "crypt" in words:
        return FileRejectedError("it is encrypted; export it without encryption")
    if "deeply nested" in words:
        return FileRejectedError("its columns are nested in more than 100 levels; export it with fewer, or as .jsonl")
    return FileRejectedError(f"{what} ({words}); export it again")


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


def read_parts(file: pq.ParquetFile, stream: BinaryIO) -> Iterator[pa.Table]:
    """Yield the rows, as many at a time as fit into memory.

    Raises `FileRejectedError` once they have expanded as far as no export does.
    """
    # 27 KB in which 2 million rows refer to one text became 20 GB: the sizes in the file are those of the references.
    limit, size = max(ALWAYS_BYTES, MAX_EXPANSION * stream.seek(0, io.SEEK_END)), 0
    plain = plain_schema(file)
    for group in range(file.num_row_groups):
        held, before = list[pa.Table](), size
        # Of an encrypted column Arrow's statistics end the process: reading it first is an error.
        next(file.iter_batches(1, [group]), None)
        at_a_time = _PART_BYTES // _widest_row(file.metadata.row_group(group), stream)
        for batch in file.iter_batches(max(1, min(ROWS_AT_A_TIME, at_a_time)), [group]):
            part = pa.Table.from_batches([batch])
            held.append(part if part.schema.equals(plain) else _cast(part, plain))
            size += held[-1].nbytes
            if size > limit:
                words = f"expands to more than {MAX_EXPANSION} times its size"
                raise FileRejectedError(f"{words}; if that is right, export it as .csv or .jsonl and drop that")
            if len(held) * at_a_time >= ROWS_AT_A_TIME or size - before >= _PART_BYTES:
                yield pa.concat_tables(held)
                held, before = [], size
        if held:
            yield pa.concat_tables(held)


def plain_schema(file: pq.ParquetFile) -> pa.Schema:
    """Return the types of the columns, where each value stands for itself."""
    return pa.schema([field.with_type(_plain(field.type)) for field in file.schema_arrow])


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain(kind.value_type)))
    return kind


def _widest_row(group: pq.RowGroupMetaData, stream: BinaryIO) -> int:
    """Estimate from above how many bytes a row has; the lists of a row count as long as they are on average."""
    width = 0
    for chunk in map(group.column, range(group.num_columns)):
        value = 8 + chunk.total_uncompressed_size // max(1, chunk.num_values)
        if "DELTA_BYTE_ARRAY" in chunk.encodings:  # a text may repeat all of the one before
            value = chunk.total_uncompressed_size
        width += (value + _dictionary_bytes(chunk, stream)) * -(-chunk.num_values // max(1, group.num_rows))
    return max(1, width)


def _dictionary_bytes(chunk: pq.ColumnChunkMetaData, stream: BinaryIO) -> int:
    """Return the size of the texts that values may refer to: no text is longer."""
    stream.seek(min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset))
    # A page begins with its kind, 2 for a dictionary, and its size: fields 1 and 2, numbers in zigzag (Thrift).
    found = re.match(rb"\x15\x04\x15([\x80-\xff]*[\x00-\x7f])", stream.read(16))
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found[1])) >> 1 if found else 0


def check_parquet(stream: BinaryIO, contract: ContractType) -> None:
    """Read a file through.

    Raises `FileRejectedError` as `open_parquet` and `read_parts` do, for a column that cannot be read, and for damage
    anywhere.
    """
    try:
        file, stream, layout = open_parquet(stream, contract)
        _check_types(file.schema_arrow, layout)
        for part in read_parts(file, stream):
            part.validate(full=True)
    except UnicodeDecodeError as error:
        raise FileRejectedError("it has a column whose name is not UTF-8; export it with another name") from error
    except (pa.ArrowException, OSError) as error:
        raise _refused("it is damaged", error) from error


def read_parquet_rows(stream: BinaryIO, contract: ContractType, only: Positions = None) -> Iterator[Records]:
    """Read the rows of a file, by their place from 1; with `only`, those at these places."""
    file, stream, layout = open_parquet(stream, contract)
    yield no_records(*layout.drift)
    first = 1
    with closing(duckdb.connect(":memory:")) as engine:
        for part in read_parts(file, stream):
            places = np.arange(first, first + part.num_rows, dtype=np.int64)
            first += part.num_rows
            text, raws = _as_text(part, engine)
            if only is not None:
                wanted = np.flatnonzero(np.isin(places, list(only)))
                text, raws, places = text[wanted], raws[wanted], places[wanted]
            nul = text.select(pl.any_horizontal(pl.all().str.contains("\0", literal=True).fill_null(False))).to_series()
            malformed = rejected_frame(places[nul], raws.filter(nul), [_NUL] * int(nul.sum()))
            text, raws, places = text.filter(~nul), raws.filter(~nul), places[~nul]
            yield Records(values_of(text, layout), places, raws.__getitem__, malformed)


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give the columns that have another type those of the schema."""
    # Arrow's cast of a whole table breaks lists of structs with a field that is always null, as exports of pandas have.
    pairs = zip(table.columns, schema.types, strict=True)
    columns = [column if column.type.equals(kind) else column.cast(kind, safe=False) for column, kind in pairs]
    return pa.Table.from_arrays(columns, schema=schema)


def _as_text(table: pa.Table, engine: duckdb.DuckDBPyConnection) -> tuple[pl.DataFrame, pl.Series]:
    """Give the columns of some rows as text, and each row as one JSON object. What is no number is null."""
    # Times with a zone are instants: without it DuckDB writes them in UTC, wherever the machine is.
    instant, is_time = pa.timestamp("us"), pa.types.is_timestamp
    plain = pa.schema([field.with_type(instant) if is_time(field.type) else field for field in table.schema])
    rows = _cast(table, plain)  # noqa: F841  DuckDB finds the variable by its name
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
