"""Where the Delta tables lie, and how they are opened: `<root>/<schema>/<table>`, in a folder or a bucket of S3."""

from __future__ import annotations

import datetime as dt
import errno
import itertools
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import botocore.session
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
from botocore.exceptions import BotoCoreError
from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from deltalake.schema import Schema
from deltalake.transaction import AddAction

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_docs, polars_schema
from analytics_platform.lake.bucket import Bucket
from analytics_platform.settings import Settings
from analytics_platform.warehouse.delta.damage import damage_of_files, damage_of_log, damaged, folder_of
from analytics_platform.warehouse.delta.failures import again
from analytics_platform.warehouse.delta.statistics import file_sizes, file_statistics
from analytics_platform.warehouse.duckdb import ROW_GROUP
from analytics_platform.warehouse.session import DamageError, WarehouseError

LAKE, BUCKET = "lake://", "lake+s3://"
"""How addresses of a folder and of a bucket begin."""

WRITTEN = WriterProperties(max_row_group_size=131_072, compression="SNAPPY")
"""How files are written: a row group is held in memory as a whole, and by default has a million rows."""

FILE_ROWS = 64 * ROW_GROUP
"""Rows of a file at most: 8 million."""


_ATTEMPTS = 10

_COMMITS = "10"
"""Commits after which the log of a table is summed up in a file: who opens a table reads each later one."""


_PARQUET = pyarrow.dataset.ParquetFileFormat(
    # Bytes that nobody asked for cost less than a request: those of a hole of a megabyte are read too.
    default_fragment_scan_options=pyarrow.dataset.ParquetFragmentScanOptions(
        cache_options=pa.CacheOptions(hole_size_limit=2**20)
    )
)


class _Bucket(DeltaStorageHandler):
    """A bucket that copies files itself."""

    def copy_file(self, src: str, dst: str) -> None:
        """Copy a file."""
        self._handler.copy_file(src, dst)  # deltalake 1.6 names the second one otherwise, and fails


@dataclass(frozen=True, slots=True)
class DeltaPlace:
    """The folder of all tables; `options` say how a bucket is reached."""

    root: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)  # they may hold a secret

    def uri(self, name: str) -> str:
        """Give the address of the table `schema.table`."""
        return f"{self.root}/{folder_of(name)}"

    def table(self, name: str, as_of: int | dt.datetime | None = None) -> DeltaTable | None:
        """Open a table as it is or was, if there is one.

        Raises `WarehouseError` for a version that is not kept, and `DamageError` if the log of the table is damaged.
        """
        if "://" not in self.root and Path(self.uri(name)).is_file():
            raise damaged(self.root, name, f"{folder_of(name)} is a file, not a folder")
        try:
            table = again(DeltaTable)(self.uri(name), storage_options=dict(self.options))
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if what := again(damage_of_log)(self._contents, name):
                raise damaged(self.root, name, what) from error
            raise
        self._check_last_commit(name, table.version())
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

    def update(self, name: str, table: DeltaTable) -> bool:
        """Bring an opened table to its latest version; False if its log has not all of it."""
        try:
            again(table.update_incremental)()
        except DeltaError:
            return False
        self._check_last_commit(name, table.version())
        return True

    def _check_last_commit(self, name: str, version: int) -> None:
        """Raise `DamageError` for an empty file, which Delta takes for a commit of nothing. A bucket has whole ones."""
        path = f"{folder_of(name)}/_delta_log/{version:020}.json"
        if "://" not in self.root and not Path(self.root, path).stat().st_size:
            raise damaged(self.root, name, f"{path} is empty")

    def damage(self, names: Iterable[str]) -> DamageError | None:
        """Look which of these tables cannot be read, and say what of it is damaged."""
        for name in names:
            try:
                table = self.table(name)
            except DamageError as error:
                return error
            if table and (what := again(damage_of_files)(self._contents, self.root, name, table)):
                return damaged(self.root, name, what)
        return None

    def create(
        self, name: str, schema: pa.Schema | Schema, mode: Literal["ignore", "overwrite"] = "ignore", text: str = ""
    ) -> None:
        """Create a table, or replace it by an empty one. To `ignore` it is no error that another process was first."""
        checkpoints, options = {"delta.checkpointInterval": _COMMITS}, dict(self.options)
        try:
            again(DeltaTable.create)(
                self.uri(name), schema, mode, None, name, text, checkpoints, storage_options=options
            )
        except CommitFailedError:
            if mode != "ignore":
                raise

    def files(self, folder: str) -> list[pyarrow.fs.FileInfo]:
        """List the files below a folder."""
        chosen = pyarrow.fs.FileSelector(folder, allow_not_found=True, recursive=True)
        found = again(self._files.get_file_info)(chosen)
        return [each for each in found if each.type == pyarrow.fs.FileType.File]

    def tables_in(self, schemas: Iterable[str]) -> set[str]:
        """Name the tables whose folders are there. A bucket is asked once a schema, so one may be damaged."""
        if "://" not in self.root:
            logs = (log for schema in schemas for log in Path(self.root, schema).glob("*/_delta_log"))
            return {f"{log.parent.parent.name}.{log.parent.name}" for log in logs if any(log.iterdir())}
        chosen = (pyarrow.fs.FileSelector(schema, allow_not_found=True) for schema in schemas)
        return {each.path.replace("/", ".") for part in chosen for each in again(self._files.get_file_info)(part)}

    def has_folder(self, name: str) -> bool:
        """Return whether the folder of a table is there; in a bucket, whether there is a file in it."""
        return bool(self.files(folder_of(name))) if "://" in self.root else Path(self.uri(name)).exists()

    def delete(self, folder: str) -> None:
        """Delete a folder with all that is in it."""
        if "://" in self.root:
            for each in self.files(folder):
                again(self._files.delete_file)(each.path)
        else:
            shutil.rmtree(Path(self.root, folder), ignore_errors=True)

    def write(self, folder: str, rows: pa.RecordBatchReader, prefix: str = "") -> dict[str, int]:
        """Write rows into Parquet files; returns what these are called and their sizes in bytes.

        On a full disk deltalake's writer would print that it panicked.
        """
        self._files.create_dir(folder)
        batches, sizes = iter(rows), dict[str, int]()
        while True:
            name = f"{prefix}{len(sizes):04}.parquet"
            with self._contents.open_output_stream(f"{folder}/{name}") as file:
                with pyarrow.parquet.ParquetWriter(file, rows.schema) as writer:
                    for batch in itertools.islice(batches, FILE_ROWS // ROW_GROUP):
                        writer.write_batch(batch)
                sizes[name] = file.tell()
            if (following := next(batches, None)) is None:
                return sizes
            batches = itertools.chain([following], batches)

    def copy_in(self, folder: str, name: str) -> dict[str, int]:
        """Copy the Parquet files of a folder into that of a table; returns what they are called there and their sizes.

        They are its files once an `add_action` of each is committed. Other processes may copy the same ones, so each
        copy has a name that no other has. Raises `OSError` without any.
        """
        copies = dict[str, int]()
        for file, size in self.parquet_files(folder).items():
            copy = f"part-{uuid.uuid4()}.parquet"
            self._copy(file, f"{folder_of(name)}/{copy}")
            copies[copy] = size
        return copies

    def _copy(self, file: str, copy: str) -> None:
        if "://" in self.root:
            again(self._files.copy_file)(file, copy)
            return
        try:
            os.utime(f"{self.root}/{file}")  # by their age files are deleted that nobody commits any more
            os.link(f"{self.root}/{file}", f"{self.root}/{copy}")  # a second name, as the first one is deleted
        except OSError:  # a disk without such names, or a file that another user's server of Spark wrote
            shutil.copyfile(f"{self.root}/{file}", f"{self.root}/{copy}")

    def parquet_files(self, folder: str) -> dict[str, int]:
        """List the Parquet files of a folder, with their sizes in bytes. Raises `FileNotFoundError` without any."""
        # Beside them, Spark writes that it succeeded and sums of bytes.
        if not (files := {each.path: each.size for each in self.files(folder) if each.path.endswith(".parquet")}):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{self.root}/{folder}")
        return dict(sorted(files.items()))

    @again
    def count_rows(self, folder: str) -> int:
        """Count the rows of the Parquet files in a folder."""
        return sum(self._fragment(*file).metadata.num_rows for file in self.parquet_files(folder).items())

    @again
    def add_action(self, path: str, size: int, name: str) -> AddAction:
        """Return the action that makes a file in the folder of a table one of its files."""
        statistics = file_statistics(self._fragment(f"{folder_of(name)}/{path}", size).metadata)
        return AddAction(path, size, {}, round(dt.datetime.now(dt.UTC).timestamp() * 1000), True, statistics)

    def delete_files(self, paths: Iterable[str], name: str) -> None:
        """Delete files in the folder of a table that were not committed."""
        for path in paths:
            again(self._files.delete_file)(f"{folder_of(name)}/{path}")

    def read(self, files: Mapping[str, int], schema: pa.Schema | None = None) -> pa.RecordBatchReader:
        """Read the rows of Parquet files (path → size in bytes), with these columns or those of the first file."""
        # Rows that deltalake's writer takes are all in memory: a CSV file of 4 GB took 4.9 GB.
        fragments = [self._fragment(*file) for file in files.items()]
        columns = schema or again(lambda: fragments[0].physical_schema)()
        rows = pyarrow.dataset.FileSystemDataset(fragments, columns, _PARQUET, self._contents)
        return rows.scanner(batch_readahead=1, fragment_readahead=1).to_reader()

    def dataset(self, name: str, table: DeltaTable, schema: pa.Schema | None = None) -> pyarrow.dataset.Dataset:
        """Return the rows of a table for Arrow and DuckDB to read."""
        folder = pyarrow.fs.SubTreeFileSystem(folder_of(name), self._contents)
        rows = table.to_pyarrow_dataset(filesystem=folder, schema=schema)
        if "://" not in self.root:
            return rows
        # It knows the sizes of the files and does not use them: Arrow asked a bucket for each once more.
        found, sizes = rows.get_fragments(), file_sizes(table)
        known = [_PARQUET.make_fragment(x.path, folder, x.partition_expression, file_size=sizes[x.path]) for x in found]
        return pyarrow.dataset.FileSystemDataset(known, rows.schema, _PARQUET, folder)

    def _fragment(self, path: str, size: int) -> pyarrow.dataset.ParquetFileFragment:
        return _PARQUET.make_fragment(path, self._contents, file_size=size)

    @property
    def _contents(self) -> pyarrow.fs.FileSystem:
        # Files that Python opens, as deltalake's are, wait for ever now and then: the thread that makes Arrow's reader
        # holds Python's lock, and waits for another one that opens a file.
        if "://" not in self.root:
            return self._files
        address = urlsplit(self.root)
        return pyarrow.fs.SubTreeFileSystem(f"{address.netloc}{address.path}", _s3(tuple(self.options.items())))

    def drop_uploads(self, hours: int) -> None:
        """Drop uploads in parts that killed writers began: the bucket keeps their bytes, where no list shows them.

        Raises `LakeUnreachableError`.
        """
        address = urlsplit(self.root)
        if address.scheme != "s3":
            return
        endpoint, region = self.options.get("aws_endpoint_url"), self.options.get("aws_region")
        bucket = Bucket(address.netloc, endpoint, region, None, "WAREHOUSE_URL")
        before = dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
        for key, upload in list(bucket.uploads(f"{address.path.strip('/')}/", before)):
            bucket.abort(key, upload)

    def check_room(self, folder: str) -> None:
        """Raise `OSError` if what is in a folder does not fit on the disk a second time. A bucket has room."""
        if "://" in self.root:
            return
        size = sum(each.size for each in self.files(folder))
        if shutil.disk_usage(self.root).free < 2 * size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.root)

    @property
    def _files(self) -> pyarrow.fs.FileSystem:
        if "://" not in self.root:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            return pyarrow.fs.SubTreeFileSystem(self.root, pyarrow.fs.LocalFileSystem())
        return pyarrow.fs.PyFileSystem(_Bucket(self.root, dict(self.options)))


@lru_cache(maxsize=4)
def _s3(options: tuple[tuple[str, str], ...]) -> pyarrow.fs.S3FileSystem:
    """Return Arrow's own client of S3, as the options of deltalake's say."""
    given = dict(options)
    endpoint = urlsplit(given.get("aws_endpoint_url", ""))
    return pyarrow.fs.S3FileSystem(
        access_key=given.get("aws_access_key_id"),
        secret_key=given.get("aws_secret_access_key"),
        session_token=given.get("aws_session_token"),
        region=given.get("aws_region"),
        scheme=endpoint.scheme or "https",
        endpoint_override=f"{endpoint.netloc}{endpoint.path}".rstrip("/") or None,
        # The standard one retries a hundred times in all: Arrow never tells it that a later request succeeded.
        retry_strategy=pyarrow.fs.AwsDefaultS3RetryStrategy(max_attempts=_ATTEMPTS),
        allow_delayed_open=True,  # a small file is one request, not an upload in parts
    )


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
