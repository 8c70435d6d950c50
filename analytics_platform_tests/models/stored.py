"""Puts events straight into cleaned.events and runs one model over them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange, all_models, plan
from analytics_platform.warehouse import DuckDBSession


class Event(NamedTuple):
    """What of an event the sessionized layer looks at."""

    event_id: str
    client_id: str
    event_at: dt.datetime
    event_name: str = "page_view"
    transaction_id: str | None = None
    revenue: Decimal | None = None
    user_id: str | None = None


def at(text: str) -> dt.datetime:
    """An instant in UTC: `at("2024-03-01 10:00")`."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def store(session: DuckDBSession, events: Iterable[Event]) -> None:
    """Make `events` all there is in cleaned.events."""
    schema = polars_schema(CONTRACTS["cleaned.events"])
    frame = pl.DataFrame(events, schema={name: schema[name] for name in Event._fields}, orient="row")
    session.connection.execute("DELETE FROM cleaned.events")
    session.insert("cleaned.events", frame.with_columns(event_date=pl.col("event_at").dt.date(), is_refund=False))


def days_of(events: Sequence[Event]) -> list[dt.date]:
    """Every day from the first event to the last."""
    first, last = (
        min(event.event_at.date() for event in events),
        max(event.event_at.date() for event in events),
    )
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


def run(session: DuckDBSession, model: str, days: Sequence[dt.date]) -> pl.DataFrame:
    """The rows the model yields when all these days are built at once."""
    query = plan(all_models()[model], DayRange(min(days), max(days)), load_settings().model_values)
    return session.frame(query.sql, query.parameters)


def run_day_by_day(session: DuckDBSession, model: str, days: Sequence[dt.date]) -> pl.DataFrame:
    """The rows the model yields when each of these days is built on its own."""
    return pl.concat([run(session, model, [day]) for day in days])
