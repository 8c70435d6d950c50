"""Where the Delta tables lie, and how they are opened: `<root>/<schema>/<table>`, in a folder or a bucket of S3."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import botocore.session
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
from botocore.exceptions import BotoCoreError
from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from deltalake.schema import Schema

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_docs, polars_schema
from analytics_platform.contracts.sql import literal
from analytics_platform.settings import Settings, masked
from analytics_platform.warehouse.session import WarehouseError

LAKE, BUCKET = "lake://", "lake+s3://"
"""How addresses of a folder and of a bucket begin."""

WRITTEN = WriterProperties(max_row_group_size=131_072, compression="SNAPPY")
"""How files are written: a row group is held in memory as a whole, and by default has a million rows."""


@dataclass(frozen=True, slots=True)
class DeltaPlace:
    """The folder of all tables; `options` say how a bucket is reached."""

    root: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  # they may hold a secret

    def uri(self, name: str) -> str:
        """Give the address of the table `schema.table`."""
        return f"{self.root}/{name.replace('.', '/')}"

    def table(self, name: str, as_of: int | dt.datetime | None = None) -> DeltaTable | None:
        """Open a table as it is or was, if there is one. Raises `WarehouseError` for a version that is not kept."""
        try:
            table = DeltaTable(self.uri(name), storage_options=dict(self.options))
        except TableNotFoundError:
            return None
        if as_of is None:
            return table
        # Of a time before a table was made Delta gives the first version.
        if isinstance(as_of, dt.datetime) and as_of.timestamp() * 1000 < (table.metadata().created_time or 0):
            return None
        try:
            table.load_as_version(as_of)
        except (DeltaError, ValueError) as error:
            raise WarehouseError(
                f"{name} has no state of {as_of} any more, or not yet: `analytics-platform tables` lists those it has."
            ) from error
        return table

    def files(self, folder: str) -> list[pyarrow.fs.FileInfo]:
        """List the files below a folder."""
        chosen = pyarrow.fs.FileSelector(folder, allow_not_found=True, recursive=True)
        return [each for each in self._files.get_file_info(chosen) if each.type == pyarrow.fs.FileType.File]

    def delete(self, folder: str) -> None:
        """Delete a folder with all that is in it."""
        if "://" in self.root:
            for each in self.files(folder):
                self._files.delete_file(each.path)
        else:
            shutil.rmtree(Path(self.root, folder), ignore_errors=True)

    @property
    def _files(self) -> pyarrow.fs.FileSystem:
        if "://" not in self.root:
            Path(self.root).mkdir(parents=True, exist_ok=True)
        return pyarrow.fs.PyFileSystem(DeltaStorageHandler(self.root, dict(self.options)))


def place_of(settings: Settings) -> DeltaPlace:
    """Return the place that WAREHOUSE_URL names. Credentials of a bucket come from the default chain of the AWS SDK."""
    url = settings.warehouse_url.get_secret_value()
    if url.startswith(LAKE):
        return DeltaPlace(url.removeprefix(LAKE).rstrip("/"))
    endpoint = settings.aws_endpoint_url_s3 or settings.aws_endpoint_url
    session = botocore.session.get_session()
    options = {
        "aws_region": settings.aws_default_region or session.get_config_variable("region") or "us-east-1",
        **({"aws_endpoint_url": endpoint, "aws_allow_http": "true"} if endpoint else {}),
        "aws_conditional_put": "etag",  # two writers of a version: the server itself refuses the second
    }
    try:
        known = session.get_credentials()
    except BotoCoreError as error:
        raise WarehouseError(f"The AWS credentials for {url} cannot be read: {error}.") from error
    if known is not None:
        keys = known.get_frozen_credentials()
        named = {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key, "session_token": keys.token}
        options |= {f"aws_{name}": value for name, value in named.items() if value}
    return DeltaPlace(f"s3://{url.removeprefix(BUCKET).rstrip('/')}", options)


@contextmanager
def explained(place: DeltaPlace) -> Iterator[None]:
    """Say in one sentence what a disk or a bucket does not do. Delta's own errors never reach a user."""
    try:
        yield
    except (DeltaError, OSError) as error:
        words = masked(str(error).strip().partition("\n")[0])[:300].rstrip(".")
        remedy = "check its rights and room, and for a bucket credentials, region and AWS_ENDPOINT_URL"
        raise WarehouseError(
            f"The warehouse {place.root} cannot be read or written: {remedy}; nothing is half stored, run it again "
            f"({words})."
        ) from error


def show(connection: duckdb.DuckDBPyConnection, name: str, table: DeltaTable) -> None:
    """Let DuckDB read the files of a table under a name."""
    # Files that a merge wrote say that their text is of the type string_view. Compared with text of another type
    # Arrow fails ("no kernel matching input types"), but only where it uses statistics; files of strings may be views.
    fields = pa.schema(table.schema().to_arrow())
    views = pa.schema([each.with_type(pa.string_view()) if pa.types.is_string(each.type) else each for each in fields])
    files = table.file_uris()
    if "://" in table.table_uri.removeprefix("file://"):
        # To read a bucket, DuckDB would load an extension from another server.
        connection.register(name, table.to_pyarrow_dataset(schema=views))
    elif not files:
        connection.register(name, views.empty_table())
    else:
        # Arrow reads 2 million rows of each of 4 files ahead, which DuckDB neither counts nor spills: 50 million events
        # took 8 GB. A file that was written before a column was added lacks it.
        connection.register(f"empty_{name}", views.empty_table())
        rows = f"SELECT * FROM read_parquet([{', '.join(map(literal, files))}], union_by_name = true)"
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM empty_{name} UNION ALL BY NAME {rows}")


def schema_of(contract: ContractType) -> Schema:
    """Return the columns of a table as Delta knows them, with what the contract says of each."""
    empty = pl.DataFrame(schema=polars_schema(contract)).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    docs = column_docs(contract)
    fields = [
        pa.field(
            each.name,
            pa.string() if pa.types.is_large_string(each.type) else each.type,
            True,
            {"comment": docs[each.name]},
        )
        for each in empty
    ]
    return Schema.from_arrow(pa.schema(fields))
