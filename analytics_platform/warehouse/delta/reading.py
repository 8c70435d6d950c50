"""Lets DuckDB read the files of Delta tables: those of a folder itself, those of a bucket through Arrow."""

from __future__ import annotations

import re
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from analytics_platform.contracts.sql import literal
from analytics_platform.warehouse.delta.changes import stored
from analytics_platform.warehouse.delta.place import DeltaPlace


def show(connection: duckdb.DuckDBPyConnection, name: str, table: DeltaTable, place: DeltaPlace) -> None:
    """Let DuckDB read the files of a table under the name `stored` of it."""
    view, columns, files = stored(name), columns_of(table), table.file_uris()
    if "://" in place.root:
        # To read a bucket, DuckDB would load an extension from another server.
        connection.register(view, place.dataset(name, table, columns))
    elif not files:
        connection.register(view, columns.empty_table())
    else:
        # Arrow reads 2 million rows of each of 4 files ahead, which DuckDB neither counts nor spills: 50 million events
        # took 8 GB. A file that was written before a column was added lacks it.
        connection.register(f"empty_{view}", columns.empty_table())
        # Delta writes addresses with percent signs, and DuckDB takes some letters for patterns.
        paths = (re.sub(r"[*?\[]", r"[\g<0>]", unquote(each)) for each in files)
        rows = f"SELECT * FROM read_parquet([{', '.join(map(literal, paths))}], union_by_name = true)"
        connection.execute(f"CREATE OR REPLACE VIEW {view} AS SELECT * FROM empty_{view} UNION ALL BY NAME {rows}")


def columns_of(table: DeltaTable) -> pa.Schema:
    """Return the columns of a table as Arrow reads them from each of its files."""
    # Files that a merge wrote say that their text is of the type string_view. Compared with text of another type
    # Arrow fails ("no kernel matching input types"), but only where it uses statistics; files of strings may be views.
    fields = pa.schema(table.schema().to_arrow())
    return pa.schema([each.with_type(pa.string_view()) if pa.types.is_string(each.type) else each for each in fields])
