"""Delta tables to test with: a platform on them, and one small table by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.delta.place import DeltaPlace, schema_of
from analytics_platform_tests.kit import Platform, click, open_platform

DAYS = DayRange(dt.date(2026, 3, 1), dt.date(2026, 3, 2))
FILES = (
    [click("ada", "2026-03-01T10:00:00"), click("bob", "2026-03-02T09:00:00"), click("", "2026-03-01T10:00:00")],
    [click("ada", "2026-03-01T10:00:00"), click("eve", "2026-03-01T23:50:00")],
)


def on_delta(folder: Path) -> Platform:
    return open_platform(folder, warehouse_url=f"lake://{folder}/tables")


NAME = "cleaned.item_names"
CONTRACT = CONTRACTS[NAME]
MARCH = [dt.date(2024, 3, day) for day in range(1, 7)]


@contextmanager
def item_names(root: Path) -> Iterator[tuple[DeltaPlace, DeltaTable]]:
    place = DeltaPlace(str(root))
    place.create(NAME, schema_of(CONTRACT))
    table = place.table(NAME)
    assert table is not None
    yield place, table


def rows_of(numbers: Sequence[int], what: str) -> pl.DataFrame:
    rows = [(MARCH[number], f"{what} {place}", None) for place, number in enumerate(numbers)]
    return pl.DataFrame(rows, polars_schema(CONTRACT), orient="row")


def reader_of(rows: pl.DataFrame) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_stream(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))


def stored(table: DeltaTable) -> list[tuple[object, ...]]:
    return sorted(pl.DataFrame(table.to_pyarrow_table()).select(*polars_schema(CONTRACT)).rows(), key=str)
