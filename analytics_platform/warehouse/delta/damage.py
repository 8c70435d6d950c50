"""Finds out what of a Delta table is damaged, after it could not be read, and says what to do.

Delta's own errors name neither the table nor a remedy, and DuckDB's name the table that it was about to make.
"""

from __future__ import annotations

import json
import re
from contextlib import closing, suppress
from itertools import pairwise

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
from deltalake import DeltaTable

from analytics_platform.warehouse.build import tables_to_build
from analytics_platform.warehouse.delta.statistics import file_sizes
from analytics_platform.warehouse.session import DamageError

_COMMIT = re.compile(r"\d{20}\.json")
_OF_THE_STORE = re.compile("Generic (LocalFileSystem|S3) error|AWS Error|Permission denied")
"""What errors of a disk or a bucket say, which is no word about a file."""


def damaged(root: str, name: str, what: str) -> DamageError:
    """Say that a table is damaged, and what to do: a table that is built is built again, all others from the lake."""
    table, remedy = root, "`analytics-platform materialize` builds it again from the lake"
    if name in tables_to_build():
        table = f"{root}/{folder_of(name)}"
        remedy = "`analytics-platform materialize --days all` builds it again"
    return DamageError(f"{name} in the warehouse {root} is damaged: {what}", f"move {table} away, then {remedy}")


def folder_of(name: str) -> str:
    """Return the folder of the table `schema.table`."""
    return name.replace(".", "/")


def damage_of_log(files: pyarrow.fs.FileSystem, name: str) -> str:
    """Say which file of a table's log is damaged or missing; empty if none is."""
    folder = f"{folder_of(name)}/_delta_log"
    listed = files.get_file_info(pyarrow.fs.FileSelector(folder, allow_not_found=True))
    commits = sorted(each.path for each in listed if _COMMIT.fullmatch(each.base_name))
    for path in commits:
        if not _is_commit(files.open_input_file(path).read()):
            return f"{path} is no entry of its log"
    versions = [int(path[-25:-5]) for path in commits]
    for version, following in pairwise(versions):
        if following != version + 1:
            return f"{folder}/{version + 1:020}.json is missing"
    if versions and versions[0] and not any(each.base_name.endswith(".checkpoint.parquet") for each in listed):
        return f"{folder}/{0:020}.json is missing"
    checkpoints = (each.path for each in listed if each.base_name.endswith(".parquet"))
    return next(filter(None, (_damage_of_parquet(files, path) for path in checkpoints)), "")


def _is_commit(text: bytes) -> bool:
    try:
        return bool(text) and all(isinstance(json.loads(line), dict) for line in text.splitlines())
    except ValueError:
        return False


def damage_of_files(files: pyarrow.fs.FileSystem, root: str, name: str, table: DeltaTable) -> str:
    """Say which data file of a table is missing, cut or cannot be decoded; empty if none is.

    DuckDB is asked about files in a folder only.
    """
    for path, size in ((f"{folder_of(name)}/{each}", size) for each, size in file_sizes(table).items()):
        found = files.get_file_info(path)
        if found.type != pyarrow.fs.FileType.File:
            return f"{path} is missing"
        if found.size != size:
            return f"{path} has {found.size:,} of {size:,} bytes"
        if what := _damage_of_parquet(files, path):
            return what
        if "://" not in root and not _duckdb_reads(f"{root}/{path}"):
            return f"{path} cannot be decoded"
    return ""


def _duckdb_reads(path: str) -> bool:
    """Return whether DuckDB can read a file: of a changed byte in a header Arrow may take no notice."""
    with closing(duckdb.connect(":memory:")) as engine, suppress(duckdb.Error):
        engine.execute("SELECT count(COLUMNS(*)) FROM read_parquet($path)", {"path": path}).fetchall()
        return True
    return False


def _damage_of_parquet(files: pyarrow.fs.FileSystem, path: str) -> str:
    try:
        rows = pyarrow.dataset.dataset(path, filesystem=files, format="parquet")
        for batch in rows.to_batches(batch_readahead=1, fragment_readahead=1):
            batch.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        if _OF_THE_STORE.search(str(error)):
            raise
        return f"{path} cannot be decoded"
    return ""
