"""Rows between PostgreSQL and DuckDB: windows out of it, whole tables into it, both by COPY.

CSV, the one format both write and read with every type of ours unharmed: a null is an empty field, an empty text a
quoted one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql
from psycopg.copy import Copy

from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.gate.ahead import in_background
from analytics_platform.warehouse.duckdb import ROW_GROUP, DuckDBSession
from analytics_platform.warehouse.postgres.ddl import JSON
from analytics_platform.warehouse.postgres.dialect import parse, translate_whole
from analytics_platform.warehouse.postgres.documents import READ, as_jsonb

_NUL, _REPLACEMENT = b"\x00", "\ufffd".encode()
"""PostgreSQL's text has no U+0000; it gets U+FFFD, the character that stands for one that cannot be shown."""


def part_query(table: str, columns: Mapping[str, str], condition: str | None, parameters: Mapping[str, object]) -> str:
    """The query for these columns (name → DuckDB type) of the rows that fulfil `condition`, in PostgreSQL's own SQL."""
    # COPY takes no parameters: values are written into the query as literals, by the translator.
    where = f" WHERE {condition}" if condition else ""
    selected = parse(f"SELECT {', '.join(map(quote, columns))} FROM {quote_table(table)}{where}")
    outer = (READ.format(column=quote(name)) if kind == JSON else quote(name) for name, kind in columns.items())
    return f"SELECT {', '.join(outer)} FROM ({translate_whole(selected, parameters)}) AS part"


def fetch_rows(
    connection: psycopg.Connection,
    staging: DuckDBSession,
    table: str,
    columns: Mapping[str, str],
    query: str,
    folder: Path,
) -> None:
    """Make `table` in the staging database from the result of a query in PostgreSQL's own SQL."""
    path = folder / f"{table}.csv"
    statement = sql.SQL(f"COPY ({query}) TO STDOUT (FORMAT csv)")
    with path.open("wb") as file, connection.cursor().copy(statement) as rows:
        one_line_each = _write(rows, file)
    kinds = {name: "VARCHAR" if kind == JSON else kind for name, kind in columns.items()}
    staging.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.partition('.')[0])}")
    staging.connection.execute(
        f"""
        CREATE OR REPLACE TABLE {quote_table(table)} AS SELECT * FROM read_csv(
            $path, columns = $columns, parallel = $parallel, header = false, auto_detect = false, delim = ',',
            quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false,
                max_line_size = 1000000000
        )
        """,
        {"path": str(path), "columns": kinds, "parallel": one_line_each},
    )
    path.unlink()


def _write(rows: Copy, file: io.BufferedWriter) -> bool:
    """Whether every row is one line: a file with line breaks within its fields must not be cut at lines."""
    one_line_each = True
    for row in map(bytes, rows):
        one_line_each &= row.find(b"\n") == len(row) - 1 and b"\r" not in row
        file.write(row)
    return one_line_each


def copy_in(
    connection: psycopg.Connection,
    staging: DuckDBSession,
    query: str,
    table: str,
    columns: Mapping[str, str],
    key: Sequence[str] = (),
) -> int:
    """Append the result of a query on the staging database to a table; returns the number of rows. `table` is quoted.

    Many rows with a random key go in faster in the order of that `key`: its index is then filled page by page.
    """
    names = ", ".join(map(quote, columns))
    order = f" ORDER BY {', '.join(map(quote, key))}" if key else ""
    reader = staging.connection.sql(f"SELECT {names} FROM ({query}){order}").to_arrow_reader(ROW_GROUP)
    frames = (pl.DataFrame(batch) for batch in reader)
    return copy_frames(connection, frames, table, columns)


def copy_frames(
    connection: psycopg.Connection, frames: Iterable[pl.DataFrame], table: str, columns: Mapping[str, str]
) -> int:
    """Append frames with these columns to a table; returns the number of rows."""
    count = 0
    names = ", ".join(map(quote, columns))
    # The next frame is written out while the server takes in this one.
    pieces = ((frame.height, _as_csv(frame, columns)) for frame in frames)
    with (
        connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)") as copy,
        closing(in_background(pieces)) as ahead,
    ):
        for height, piece in ahead:
            count += height
            copy.write(piece)
    return count


def _as_csv(frame: pl.DataFrame, columns: Mapping[str, str]) -> bytes:
    documents = [name for name, kind in columns.items() if kind == JSON]
    whole = frame.with_columns([_as_documents(frame[name]) for name in documents])
    buffer = io.BytesIO()
    whole.write_csv(buffer, include_header=False, quote_style="non_numeric")
    data = buffer.getvalue()
    return data.replace(_NUL, _REPLACEMENT) if _NUL in data else data


def _as_documents(texts: pl.Series) -> pl.Series:
    """Most documents are stored as they are; each distinct one is looked at once."""
    distinct = texts.drop_nulls().unique().to_list()
    wrapped = {text: stored for text in distinct if (stored := as_jsonb(text)) is not text}
    return texts.replace(wrapped) if wrapped else texts
