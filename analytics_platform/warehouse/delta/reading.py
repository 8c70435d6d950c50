"""Lets DuckDB read the files of Delta tables: those of a folder itself, those of a bucket through Arrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from threading import Lock
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.fs
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

from analytics_platform.contracts.sql import literal
from analytics_platform.warehouse.delta.place import again

_SMALL_BYTES = 4 << 20
"""A file up to this size is read whole: its end, its columns and the next query would each be a request."""

_KEPT_BYTES = 64 << 20


class KeptFiles:
    """Contents of small files that were read last, up to `_KEPT_BYTES` in all. A file of a table never changes."""

    def __init__(self) -> None:
        self._contents = dict[str, bytes]()
        self._lock = Lock()

    def get(self, address: str, read: Callable[[], bytes]) -> bytes:
        """Return what a file has, which `read` reads if it is not kept."""
        with self._lock:
            content = self._contents.pop(address, None)
        if content is None:
            content = read()
        with self._lock:
            self._contents[address] = content
            while sum(map(len, self._contents.values())) > _KEPT_BYTES:
                del self._contents[next(iter(self._contents))]
        return content


class _TableFiles(DeltaStorageHandler):
    """The files of one version of a table in a bucket."""

    def __init__(self, table: DeltaTable, options: Mapping[str, str], kept: KeptFiles) -> None:
        files = pa.table(table.get_add_actions())
        self._sizes = dict(zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True))
        self._address, self._kept = table.table_uri, kept
        super().__init__(table.table_uri, dict(options), self._sizes)

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open a file to be read at any place."""
        if self._sizes.get(path, _SMALL_BYTES + 1) > _SMALL_BYTES:
            return super().open_input_file(path)
        whole = super().open_input_file
        return pa.BufferReader(self._kept.get(f"{self._address}/{path}", again(lambda: whole(path).readall())))


def show(
    connection: duckdb.DuckDBPyConnection, name: str, table: DeltaTable, options: Mapping[str, str], kept: KeptFiles
) -> None:
    """Let DuckDB read the files of a table under a name; `options` say how a bucket is reached."""
    columns, files = columns_of(table), table.file_uris()
    if "://" in table.table_uri.removeprefix("file://"):
        # To read a bucket, DuckDB would load an extension from another server.
        bucket = pyarrow.fs.PyFileSystem(_TableFiles(table, options, kept))
        connection.register(name, table.to_pyarrow_dataset(filesystem=bucket, schema=columns))
    elif not files:
        connection.register(name, columns.empty_table())
    else:
        # Arrow reads 2 million rows of each of 4 files ahead, which DuckDB neither counts nor spills: 50 million events
        # took 8 GB. A file that was written before a column was added lacks it.
        connection.register(f"empty_{name}", columns.empty_table())
        # Delta writes addresses with percent signs, and DuckDB takes some letters for patterns.
        paths = (re.sub(r"[*?\[]", r"[\g<0>]", unquote(each)) for each in files)
        rows = f"SELECT * FROM read_parquet([{', '.join(map(literal, paths))}], union_by_name = true)"
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM empty_{name} UNION ALL BY NAME {rows}")


def columns_of(table: DeltaTable) -> pa.Schema:
    """Return the columns of a table as Arrow reads them from each of its files."""
    # Files that a merge wrote say that their text is of the type string_view. Compared with text of another type
    # Arrow fails ("no kernel matching input types"), but only where it uses statistics; files of strings may be views.
    fields = pa.schema(table.schema().to_arrow())
    return pa.schema([each.with_type(pa.string_view()) if pa.types.is_string(each.type) else each for each in fields])
