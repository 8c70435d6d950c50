"""What Delta's log says of files: their sizes, and the protocol's statistics, by which readers leave them out."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable
from pyarrow.parquet import FileMetaData, Statistics


def file_statistics(file: FileMetaData) -> str:
    """Write the number of rows of a Parquet file, of each column the nulls, and of days, times and numbers the bounds.

    Texts have no bounds: cut to a length, the last one would have to be rounded up.
    """
    bounds, nulls = dict[str, tuple[object, object]](), dict[str, int]()
    for place in range(file.num_columns):
        found = [file.row_group(group).column(place).statistics for group in range(file.num_row_groups)]
        if not all(found):
            continue
        name = file.schema.column(place).name
        nulls[name] = sum(each.null_count for each in found)
        if known := _bounds([each for each in found if each.num_values]):
            bounds[name] = known
    least, most = ({name: each[end] for name, each in bounds.items()} for end in (0, 1))
    return json.dumps({"numRecords": file.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls})


def _bounds(groups: Sequence[Statistics]) -> tuple[object, object] | None:
    if not groups or not all(each.has_min_max for each in groups):
        return None
    if type(groups[0].min) not in (int, dt.date, dt.datetime):
        return None
    return _written(min(each.min for each in groups)), _written(max(each.max for each in groups))


def _written(value: int | dt.date) -> object:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value if isinstance(value, int) else value.isoformat()


def file_sizes(table: DeltaTable) -> dict[str, int]:
    """Return the files of a table, with their sizes in bytes."""
    files = pa.table(table.get_add_actions(flatten=True))
    return dict(zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True))
