"""Builds a table: makes its rows for some days, by its model or in Python, and publishes them. No Dagster in here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import duckdb
import polars as pl
from pydantic import ByteSize, TypeAdapter

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.table import TouchedKeys
from analytics_platform.settings import Settings
from analytics_platform.transform import DayRange, Keys, Query, all_models, build_order, plan
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.transform.model import read_model
from analytics_platform.transform.source_events import events_within
from analytics_platform.warehouse.narrow import has_lost_rows, keep_rows, read_whole
from analytics_platform.warehouse.session import Publication, Session, WarehouseError

EVENTS_PER_GB = 2_000_000
"""The most events per GB of WAREHOUSE_MEMORY whose days are built together. With 2 GB, 50 million at once took 8 GB:
DuckDB counts only a part of what is used."""
_BYTES = TypeAdapter(ByteSize)


@dataclass(frozen=True, slots=True)
class Built:
    """What came of building a range of days of a table (None: the whole table). `sql` is empty if Python made it.

    `reaches_others` says that rows of other keys than those to which the build is narrowed may not be as they were.
    """

    days: DayRange | None
    publication: Publication
    sql: str
    reaches_others: bool = False


def tables_to_build() -> list[str]:
    """List all tables that are built, after those they are built from."""
    return [name for name in build_order() if name in all_models() or name in LOOKUPS]


@lru_cache(maxsize=1)
def summaries() -> frozenset[str]:
    """Name the marts that sum up days or everything, and from which no other table is built."""
    tables = {name: CONTRACTS[name].table for name in tables_to_build()}
    found = {name for name, table in tables.items() if table.layer in ("marts", "ops") and table.write != "upsert"}
    for name in reversed(list(tables)):
        if name not in found:
            model = all_models().get(name)
            found.difference_update(model.inputs if model else (), tables[name].foreign_keys.values())
    return frozenset(found)


def is_as_before(name: str, changed: Collection[str]) -> bool:
    """Return whether a table need not be built: none of what it is made from has `changed` since it was."""
    model = all_models().get(name)
    if model is None or not model.inputs or {"first_day", "last_day"} & {*model.parameters}:
        return False
    return inputs_of(name).isdisjoint(changed)


def inputs_of(name: str) -> set[str]:
    """Name the tables that the model of a table reads, those in which it looks for touched keys included."""
    model, reads = all_models().get(name), CONTRACTS[name].table.reads
    also = {table for each in reads.values() if isinstance(each, TouchedKeys) for table, _ in each.also}
    return also.union(model.inputs if model else ())


def parts_of(session: Session, days: DayRange, memory: str) -> Iterator[DayRange]:
    """Cut days into parts whose events fit into memory (such as `2GB`); a day is never cut.

    The rows are the same: a model reads around each part what it needs of the other days.
    """
    most = _BYTES.validate_python(memory) / 1e9 * EVENTS_PER_GB
    sql = f"SELECT event_date, sum(rows_accepted) FROM ops.batch_days WHERE {days.holds('event_date')}"
    first, together = days.first, 0
    for day, events in session.rows(f"{sql} GROUP BY event_date ORDER BY event_date"):
        if together and together + events > most:
            yield DayRange(first, day - dt.timedelta(days=1))
            first, together = day, 0
        together += events
    yield DayRange(first, days.last)


@contextmanager
def _explaining_memory(settings: Settings) -> Iterator[None]:
    """Name the setting in the error of a build that needs more memory than DuckDB may use."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        words = f"It needs more memory than WAREHOUSE_MEMORY ({settings.warehouse_memory}) allows: raise it."
        raise WarehouseError(words) from error


def _rows_of(
    session: Session, name: str, days: DayRange | None, settings: Settings, keys: Keys | None
) -> Query | pl.DataFrame:
    """Plan the query of a model, for the sources that have rows of the days, or make the rows of a lookup."""
    if name in LOOKUPS:
        return LOOKUPS[name](session, days, settings, keys.batches if keys else ())
    model = all_models()[name]
    if model.reads_sources and days is not None:
        model = read_model(model.path, tuple(events_within(session, days.holds("event_date"))))
    return plan(model, days, settings.model_values, keys)


def build_ranges(
    session: Session,
    name: str,
    ranges: Iterable[DayRange | None],
    settings: Settings,
    keys: Keys | None = None,
) -> Iterator[Built]:
    """Build a table for ranges of days, one after the other; the last one is that in which a rule is broken.

    Given `keys`, and that all other tables have the same of other keys as before, only these are built. A table that is
    built whole all the same, and is read by one that is not, is compared with its rows before. Without `keys`, a range
    with more events than fit into memory is built in parts.
    """
    is_compared = keys is not None and name in read_whole()
    is_cut = keys is None and CONTRACTS[name].table.write == "days"
    parts = (parts_of(session, days, settings.warehouse_memory) if is_cut and days else [days] for days in ranges)
    for days in chain.from_iterable(parts):
        if is_compared:
            keep_rows(session, name, days)
        with _explaining_memory(settings):
            rows = _rows_of(session, name, days, settings, keys)
            publication = session.publish(CONTRACTS[name], rows, days)
        reaches_others = is_compared and has_lost_rows(session, name, days)
        yield Built(days, publication, rows.sql if isinstance(rows, Query) else "", reaches_others)
        if publication.breaches:
            return
