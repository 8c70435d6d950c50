"""A warehouse in a temporary folder, filled and built without Dagster the way the assets do it.

platform = open_platform(tmp_path)
with platform.session() as session:
    load_rows(platform, session, [click("ada", "2024-03-01T10:00:00"), …])
    build(session, DayRange(date(2024, 3, 1), date(2024, 3, 2)), platform.settings)
    contents(session)["star.fact_events"]
"""

from __future__ import annotations

import atexit
import csv
import datetime as dt
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import column_types, json_columns
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.lake import Lake, open_lake
from analytics_platform.settings import Settings, load_settings
from analytics_platform.sources.arrivals.files import land_files
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import (
    DayRange,
    affected_days,
    all_models,
    build_order,
    day_ranges,
    refreshed_days,
)
from analytics_platform.transform.lookups.tables import LOOKUPS, tables_with
from analytics_platform.warehouse import (
    DuckDBSession,
    DuckDBWarehouse,
    Loaded,
    Publication,
    Session,
    Warehouse,
    open_warehouse,
)
from analytics_platform.warehouse.build import build_ranges
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform_tests.names import CLICKSTREAM
from analytics_platform_tests.postgres import database_with_tables

Row: TypeAlias = Mapping[str, str]
Contents: TypeAlias = dict[str, list[tuple[object, ...]]]

VOLATILE: Mapping[str, frozenset[str]] = {
    "ops.pipeline_logs": frozenset({"arrived_at", "started_at", "finished_at", "run_id"}),
    "ops.set_aside": frozenset({"arrived_at", "started_at", "finished_at", "run_id"}),
    "ops.quarantine": frozenset({"quarantined_at"}),
    "ops.acceptances": frozenset({"accepted_at"}),
    **{source.contract.table.name: frozenset({"arrived_at"}) for source in SOURCES.values()},
    "cleaned.events": frozenset({"received_at", "position"}),
    "cleaned.users": frozenset({"arrived_at"}),
}
"""Columns that tell when, by which run and from which place a row was written: two runs over the same data differ."""


HISTORIES = frozenset({"ops.rule_results"})
"""Tables with rows per run: two ways to the same tables differ in them."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A landing folder, a lake and a warehouse below one folder."""

    settings: Settings
    lake: Lake
    warehouse: Warehouse

    def session(self, read_only: bool = False) -> AbstractContextManager[Session]:
        """An open warehouse with the models' functions defined."""
        return self.warehouse.session(read_only)

    @property
    def landing(self) -> Path:
        """Where clickstream files are dropped."""
        return self.settings.landing_dir / CLICKSTREAM


def open_platform(root: Path, **settings: object) -> Platform:
    """A platform below `root` with these settings, its landing folder made."""
    chosen = load_settings(data_dir=root, **settings)
    chosen.landing_dir.joinpath(CLICKSTREAM).mkdir(parents=True, exist_ok=True)
    return Platform(chosen, open_lake(chosen), open_warehouse(chosen))


@lru_cache(maxsize=1)
def empty_tables() -> Path:
    """A DuckDB file with all tables, none with a row, to be copied: making them takes a third of a second."""
    folder = tempfile.TemporaryDirectory(prefix="tables-")
    atexit.register(folder.cleanup)
    warehouse = DuckDBWarehouse(Path(folder.name) / "warehouse.duckdb")
    with warehouse.session() as session:
        session.ensure(*CONTRACTS.values())
    return warehouse.path


def open_with_tables(root: Path, **settings: object) -> Platform:
    """A platform on DuckDB with all tables, none with a row: what is built there takes a third less time."""
    platform = open_platform(root, **settings)
    shutil.copy(empty_tables(), platform.settings.warehouse_path)
    return platform


@contextmanager
def platform_on(kind: str, root: Path, **settings: object) -> Iterator[Platform]:
    """A platform on `duckdb` or `postgres` with all tables, none with a row."""
    if kind == "duckdb":
        yield open_with_tables(root, **settings)
        return
    with database_with_tables() as url:
        yield open_platform(root, warehouse_url=url, **settings)


@contextmanager
def opened(kind: str, root: Path, **settings: object) -> Iterator[tuple[Platform, Session]]:
    """The same, with a session of it."""
    with platform_on(kind, root, **settings) as platform, platform.session() as session:
        yield platform, session


both_warehouses = pytest.mark.parametrize("kind", ["duckdb", "postgres"])


@contextmanager
def memory_warehouse() -> Iterator[DuckDBSession]:
    """A warehouse in memory with all tables, none with a row."""
    with duckdb.connect() as connection:
        made = f"ATTACH '{empty_tables()}' AS made (READ_ONLY)"
        for statement in ("SET TimeZone = 'UTC'", made, "COPY FROM DATABASE made TO memory", "DETACH made"):
            connection.execute(statement)
        yield DuckDBSession(connection)


def become_nobody(folder: Path) -> Callable[[], None]:
    """Give the folder to a user without rights, and become that user; what is returned is root again."""
    if os.geteuid() != 0:
        return lambda: None
    os.chown(folder, 65534, -1)
    os.seteuid(65534)
    return lambda: os.seteuid(0)


def click(client: str, at: dt.datetime | str, name: str = "page_viewed", **columns: object) -> Row:
    """One row of a clickstream export; `data` becomes its `event_data`, other columns go in as they are."""
    data = columns.pop("data", None)
    return {
        "client_id": client,
        "page_url": "https://shop.example/",
        "referrer": "",
        "timestamp": at if isinstance(at, str) else at.isoformat(),
        "event_name": name,
        "event_data": data if isinstance(data, str) else json.dumps(data or {}),
        "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0.0.0 Safari/537.36",
    } | {column: str(value) for column, value in columns.items()}


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as one CSV export; a column that only some rows have is empty in the others."""
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def load_rows(platform: Platform, session: Session, rows: Sequence[Row], name: str = "rows.csv") -> list[Loaded]:
    """Drop the rows as a file and load it through the lake and the gate."""
    platform.landing.joinpath(name).write_text(to_csv(rows), encoding="utf-8", newline="")
    return load_landed(platform, session)


def load_files(platform: Platform, session: Session, folder: Path) -> list[Loaded]:
    """Drop copies of all the files in `folder` and load them through the lake and the gate."""
    shutil.copytree(folder, platform.landing, dirs_exist_ok=True)
    return load_landed(platform, session)


def load_landed(platform: Platform, session: Session) -> list[Loaded]:
    """Load what lies in the landing folder and is not loaded yet."""
    session.ensure(CONTRACTS[f"cleaned.{CLICKSTREAM}"])
    land_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake)
    batches = load_new_batches(SOURCES[CLICKSTREAM], session, platform.settings, platform.lake, run_id="test")
    return [loaded for _, loaded in batches]


def build(
    session: Session, days: DayRange, settings: Settings, tables: Collection[str] | None = None
) -> dict[str, Publication]:
    """Build the days of every table (or of `tables`) as the assets do, inputs first. No rule may be broken."""
    wanted = _prepare(session, tables)
    values, start = settings.model_values, settings.partition_start
    return {name: _publish(session, name, refreshed_days(name, days, values, start), settings) for name in wanted}


@contextmanager
def built_platform(
    root: Path, rows: Sequence[Row], tables: Collection[str] | None = None, **settings: object
) -> Iterator[Session]:
    """The open warehouse of a new platform with these rows loaded and every table built, or what `tables` need."""
    platform = open_with_tables(root, **settings)
    with platform.session() as session:
        load_rows(platform, session, rows)
        build(session, loaded_days(session), platform.settings, None if tables is None else needed(*tables))
        yield session


def needed(*tables: str) -> frozenset[str]:
    """Return the tables, what their SQL reads, and the dimensions that their keys point to, and so on."""
    wanted, models = set(tables), all_models()
    for name in reversed(build_order()):
        if name in wanted:
            table = CONTRACTS[name].table
            wanted.update(table.foreign_keys.values(), table.reads, models[name].inputs if name in models else ())
    return frozenset(wanted)


def loaded_days(session: Session) -> DayRange:
    """From the first to the last day of the events that were loaded."""
    ((first, last),) = session.rows("SELECT min(event_date), max(event_date) FROM cleaned.clickstream")
    assert isinstance(first, dt.date) and isinstance(last, dt.date), "no event was loaded"
    return DayRange(first, last)


def build_touched(
    session: Session,
    touched: Collection[dt.date],
    horizon: DayRange,
    settings: Settings,
    tables: Collection[str] | None = None,
) -> None:
    """Build of every table (or of `tables`) exactly the days that the touched days affect, cut off at the horizon."""
    for name in _prepare(session, tables):
        affected = affected_days(name, touched, settings.model_values)
        for days in day_ranges(day for day in affected if horizon.first <= day <= horizon.last):
            _publish(session, name, days, settings)


def _prepare(session: Session, tables: Collection[str] | None) -> Sequence[str]:
    """Make the tables that are read; return those to build, inputs first."""
    texts = tables_with("page_url", "referrer", "user_agent")
    made = {
        **{name: (name, *CONTRACTS[name].table.reads, *texts) for name in LOOKUPS},
        **{name: model.inputs for name, model in all_models().items()},
    }
    wanted = [name for name in build_order() if name in made and (tables is None or name in tables)]
    session.ensure(*(CONTRACTS[source] for source in {source for name in wanted for source in made[name]}))
    return wanted


def _publish(session: Session, name: str, days: DayRange, settings: Settings) -> Publication:
    contract = CONTRACTS[name]
    own_days = None if contract.table.write == "whole" else days
    (built,) = build_ranges(session, name, [own_days], settings)
    publication = built.publication
    broken = {result.rule: result.sample for result in publication.breaches}
    assert not broken, f"{name} for {days}: {broken}"
    return publication


def contents(session: Session, tables: Iterable[str] | None = None) -> Contents:
    """Table → its rows in a fixed order, without the columns that tell when they were written; documents by value."""
    existing = session.tables() - HISTORIES
    names = [name for name in (tables or CONTRACTS) if name in existing]
    return {name: _all_rows(session, name) for name in names}


def _all_rows(session: Session, name: str) -> list[tuple[object, ...]]:
    columns = [column for column in column_types(CONTRACTS[name]) if column not in VOLATILE.get(name, ())]
    frame = session.frame(f"SELECT {', '.join(map(quote, columns))} FROM {quote_table(name)}")
    documents = [place for place, column in enumerate(columns) if column in json_columns(CONTRACTS[name])]
    return sorted((_by_value(row, documents) for row in frame.iter_rows()), key=repr)


def _by_value(row: tuple[object, ...], documents: Sequence[int]) -> tuple[object, ...]:
    """The row with its JSON documents in one way of writing: neither the order of keys nor spaces mean anything."""
    if not documents:
        return row
    return tuple(
        # Whole numbers as text: Python refuses to convert more than 4,300 digits, which a document may have.
        json.dumps(json.loads(str(value), parse_int="number {}".format), sort_keys=True)
        if place in documents and value is not None
        else value
        for place, value in enumerate(row)
    )
