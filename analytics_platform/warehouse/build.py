"""Builds a table: makes its rows for some days, by its model or in Python, and publishes them. No Dagster in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.settings import Settings
from analytics_platform.transform import DayRange, Query, all_models, build_order, plan
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.warehouse.session import Publication, Session


@dataclass(frozen=True, slots=True)
class Built:
    """What came of building a range of days of a table (None: the whole table). `sql` is empty if Python made it."""

    days: DayRange | None
    publication: Publication
    sql: str


def tables_to_build() -> list[str]:
    """List all tables that are built, after those they are built from."""
    return [name for name in build_order() if name in all_models() or name in LOOKUPS]


def build_ranges(session: Session, name: str, ranges: Iterable[DayRange | None], settings: Settings) -> Iterator[Built]:
    """Build a table for ranges of days, one after the other; the last one is that in which a rule is broken."""
    for days in ranges:
        rows: Query | pl.DataFrame
        if name in LOOKUPS:
            rows = LOOKUPS[name](session, days, settings)
        else:
            rows = plan(all_models()[name], days, settings.model_values)
        publication = session.publish(CONTRACTS[name], rows, days)
        yield Built(days, publication, rows.sql if isinstance(rows, Query) else "")
        if publication.breaches:
            return
