"""Adds staged files to a Delta table, or puts them in the place of some rows, in one commit.

A file goes whose rows are all replaced. One with other rows too is written again with only these, and the staged files
are copied. deltalake's own writer would take all new rows into memory, and encode them a second time.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import RemoveAction

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.sql import literal, quote
from analytics_platform.warehouse.delta.damage import folder_of
from analytics_platform.warehouse.delta.place import DeltaPlace
from analytics_platform.warehouse.delta.reading import columns_of
from analytics_platform.warehouse.delta.statistics import file_sizes
from analytics_platform.warehouse.duckdb import ROW_GROUP, connect

_SELECTED = (
    "SELECT bool_or(c), bool_and(c) FROM (SELECT coalesce({condition}, false) AS c FROM (SELECT {days} AS {day}))"
)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a table with rows that are replaced, of `size` bytes; `is_whole` if it has no others."""

    path: str
    size: int
    is_whole: bool


def replace_rows(
    place: DeltaPlace, name: str, table: DeltaTable, staged: str, condition: str | None, properties: CommitProperties
) -> None:
    """Put the files of a folder in the place of the rows that a condition on their day selects; None adds them.

    An empty condition selects all rows. The properties must allow no retries: Delta sees no conflict with a commit that
    joined files. Raises `CommitFailedError` if there was another commit meanwhile, and `OSError` if the folder has no
    file.
    """
    gone = [] if condition is None else list(_files_with(name, table, condition))
    added = place.copy_in(staged, name)
    try:
        if parts := {f"{folder_of(name)}/{file.path}": file.size for file in gone if not file.is_whole}:
            added |= _write_others(place, name, columns_of(table), parts, str(condition))
        actions = [place.add_action(path, size, name) for path, size in added.items()]
    except BaseException:
        place.delete_files(added, name)  # on a full disk they would keep the room that is lacking
        raise
    now = round(dt.datetime.now(dt.UTC).timestamp() * 1000)
    removed = [RemoveAction(file.path, True, now, file.size, {}) for file in gone]
    try:
        table.create_write_transaction([*actions, *removed], "append", table.schema(), commit_properties=properties)
    except CommitFailedError:
        # A bucket that stored the commit and answered 500 is asked again, and refuses what it has.
        if (latest := place.table(name)) and not added.keys() & file_sizes(latest).keys():
            place.delete_files(added, name)
        raise


def _files_with(name: str, table: DeltaTable, condition: str) -> Iterator[_File]:
    """Find the files with rows that a condition selects, by the first and last day that Delta's log has of each."""
    files = pa.table(table.get_add_actions(flatten=True))
    day = CONTRACTS[name].table.partition
    wanted = ("path", "size_bytes", f"min.{day}", f"max.{day}", f"null_count.{day}")
    columns = (files[each].to_pylist() if each in files.column_names else repeat(None) for each in wanted)
    with connect(":memory:", config={}) as engine:
        for path, size, first, last, nulls in zip(*columns, strict=False):
            if not condition or nulls is None:  # of an older file, the log may know nothing
                yield _File(path, size, not condition)
            elif first is not None:
                bounds = f"{literal(first)}, {literal(last)}, INTERVAL '1' DAY"
                days = f"CAST(unnest(generate_series({bounds})) AS DATE)"
                sql = _SELECTED.format(condition=condition, day=quote(str(day)), days=days)
                has_some, has_only = engine.execute(sql).fetchall()[0]
                if has_some:
                    yield _File(path, size, has_only and not nulls)


def _write_others(
    place: DeltaPlace, name: str, columns: pa.Schema, files: Mapping[str, int], condition: str
) -> dict[str, int]:
    """Write the rows of files that a condition does not select into new ones; returns these, with their sizes."""
    with connect(":memory:", config={}) as engine:
        engine.register("stored", place.read(files, columns))
        others = engine.sql(f"SELECT * FROM stored WHERE NOT coalesce({condition}, false)")
        with others.to_arrow_reader(ROW_GROUP) as rows:
            return place.write(folder_of(name), rows, f"part-{uuid.uuid4()}-")
