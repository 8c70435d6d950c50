"""The tables of the cleaned layer that Python makes: addresses, user agents, known traffic sources, rates.

Distinct values are collected by day and parsed once. Given `batches`, the values of all others of the days are in the
tables: those of the batches come on top. No Dagster in here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Protocol

import polars as pl

from analytics_platform.contracts.sql import literal
from analytics_platform.settings import Settings
from analytics_platform.transform.lookups import parse_urls, parse_user_agents, source_categories
from analytics_platform.transform.lookups.daily_rates import RATE_DAYS, Rates, daily_rates
from analytics_platform.transform.lookups.persons import find_members
from analytics_platform.transform.lookups.source_categories import payment_providers
from analytics_platform.transform.plan import DayRange, Query
from analytics_platform.transform.source_events import Tables, events_within, source_events

_ADDRESSES = ("page_url", "referrer", "campaign_tags")
_TEXTS = ("host", "path", "utm_source", "utm_medium", "utm_campaign", "search_term")


class Reader(Tables, Protocol):
    """Computes a query; an open warehouse does."""

    def frame(self, sql: Query) -> pl.DataFrame:
        """Give the result of the query."""
        ...


def tables_with(*columns: str) -> tuple[str, ...]:
    """Name the tables of the sources whose events have one of these columns."""
    found = (query.inputs for query in source_events().values() if not query.columns.isdisjoint(columns))
    return tuple(sorted(set(chain.from_iterable(found))))


class Maker(Protocol):
    """Makes the rows of a table for some days."""

    def __call__(
        self, session: Reader, days: DayRange | None, settings: Settings, batches: Collection[str] = (), /
    ) -> pl.DataFrame:
        """Make them from all events of the days, or from those of the batches and the rows there are."""
        ...


def _of(days: DayRange | None, batches: Collection[str] = ()) -> str:
    assert days is not None
    of_batches = f" AND batch_id IN ({', '.join(map(literal, sorted(batches)))})" if batches else ""
    return f"{days.holds('event_date')}{of_batches}"


def _stored(session: Reader, table: str, days: DayRange | None, columns: str = "*") -> pl.DataFrame:
    return session.frame(Query(f"SELECT {columns} FROM {table} WHERE {_of(days)}", {}, {table: _of(days)}))


def _distinct(session: Reader, within: str, *columns: str, of_items: str = "") -> pl.DataFrame:
    """Collect the distinct values of text columns of all sources' events, by day: `event_date`, `name`, `value`.

    `within` says of which events, in SQL. `of_items` is an expression that lists further values, those of items.
    """
    values = {column: column for column in columns} | ({"items_json": f"unnest({of_items})"} if of_items else {})
    read = [
        (query, column)
        for query in events_within(session, within).values()
        for column in values
        if column in query.columns
    ]
    if not read:
        return pl.DataFrame(schema={"event_date": pl.Date, "name": pl.String, "value": pl.String})
    parts = (
        f"SELECT event_date, '{column}' AS name, {values[column]} AS value "
        f"FROM ({query.of(column)}) AS events WHERE {within}"
        for query, column in read
    )
    # A source without any of the columns is none: of each input PostgreSQL would be asked for all rows.
    inputs = dict.fromkeys(sorted({table for query, _ in read for table in query.inputs}), within)
    sql = f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) AS seen WHERE value IS NOT NULL"
    return session.frame(Query(sql, {}, inputs))


def make_urls(
    session: Reader, days: DayRange | None, settings: Settings, batches: Collection[str] = (), /
) -> pl.DataFrame:
    """Make the rows of cleaned.urls for the days: every address, referrer and campaign tags seen on them."""
    if batches and (known := _with_all_urls(session, days, batches)) is not None:
        return known
    found = _distinct(session, _of(days), *_ADDRESSES)
    seen = found.group_by("event_date", "value").agg(is_page=(pl.col("name") == "page_url").any())
    parsed = parse_urls(seen["value"].unique(), {**payment_providers(), **settings.referrer_roles})
    urls = seen.join(parsed, left_on="value", right_on="url").rename({"value": "url"})
    # A page that some broken tracker calls https://www.google.com/ must not make Google the shop's.
    pages = urls.filter(pl.col("is_page") & pl.col("site_category").is_null()).select("event_date", "domain").unique()
    of_pages = urls.join(pages.with_columns(of_pages=pl.lit("page")), ["event_date", "domain"], "left")
    return of_pages.with_columns(pl.coalesce("role", "of_pages").alias("role")).drop("is_page", "of_pages")


def _with_all_urls(session: Reader, days: DayRange | None, batches: Collection[str]) -> pl.DataFrame | None:
    """Return the rows that cleaned.urls has of the days, if these are all, and as they are, with the batches too."""
    known = _stored(session, "cleaned.urls", days)
    found = _distinct(session, _of(days, batches), *_ADDRESSES).rename({"value": "url"})
    # A page may be the first of its domain that day: then other addresses of the domain get a role.
    pages = found.filter(pl.col("name") == "page_url").join(known, ["event_date", "url"])
    waiting = known.filter(pl.col("role").is_null()).select("event_date", "domain").unique()
    first = pages.filter(pl.col("site_category").is_null()).join(waiting, ["event_date", "domain"], "semi")
    is_all = found.join(known, ["event_date", "url"], "anti").is_empty() and first.is_empty()
    return known if is_all else None


def decoded_addresses(records: pl.DataFrame) -> Iterator[pl.Series]:
    """Yield what `make_urls` reads from the addresses of some records: columns with different names."""
    for column in (name for name in _ADDRESSES if name in records.columns):
        parsed = parse_urls(records[column].unique())
        texts = records.select(url=column).join(parsed, "url", "left", nulls_equal=True, maintain_order="left")
        yield from (texts[name].alias(f"{column}: {name}") for name in _TEXTS)


def make_user_agents(
    session: Reader, days: DayRange | None, settings: Settings, batches: Collection[str] = (), /
) -> pl.DataFrame:
    """Make the rows of cleaned.user_agents for the days: every user agent seen on them."""
    seen = _distinct(session, _of(days, batches), "user_agent").drop("name")
    if batches:
        known = _stored(session, "cleaned.user_agents", days, "event_date, user_agent AS value")
        seen = pl.concat([seen, known]).unique()
    parsed = parse_user_agents(seen["value"].unique())
    return seen.join(parsed, left_on="value", right_on="user_agent").rename({"value": "user_agent"})


def make_source_categories(
    session: Reader, days: DayRange | None, settings: Settings, batches: Collection[str] = (), /
) -> pl.DataFrame:
    """Make the rows of cleaned.source_categories, the same for every session and day."""
    return source_categories()


def named_currencies(session: Reader, within: str) -> pl.DataFrame:
    """Collect the currencies (`value`) that events and their items name, by day. `within` says which events, in SQL."""
    codes = "CASE WHEN names_currency(items_json) THEN item_currencies(items_json) END"
    return _distinct(session, within, "currency", of_items=codes)


def make_daily_rates(
    session: Reader, days: DayRange | None, settings: Settings, batches: Collection[str] = (), /
) -> pl.DataFrame:
    """Make the rows of cleaned.daily_rates for the days: every currency that their events name."""
    assert days is not None
    seen = named_currencies(session, _of(days, batches)).drop("name")
    if batches:
        known = _stored(session, "cleaned.daily_rates", days, "event_date, currency AS value")
        seen = pl.concat([seen, known.filter(pl.col("value") != "")])
    seen = seen.group_by("event_date").agg(pl.col("value").unique())
    named = dict(zip(seen["event_date"], seen["value"], strict=True))
    every = [days.first + dt.timedelta(days=day) for day in range((days.last - days.first).days + 1)]
    earlier = f"event_date < {literal(days.first)} AND currency <> ''"
    sql = f"SELECT DISTINCT currency FROM cleaned.daily_rates WHERE {earlier}"
    before = session.frame(Query(sql, {}, {"cleaned.daily_rates": earlier}))["currency"]
    recent = days.widen(RATE_DAYS, 0).holds("date")
    sql = f"SELECT date, base, currency, rate FROM cleaned.exchange_rates WHERE {recent}"
    rates = session.frame(Query(sql, {}, {"cleaned.exchange_rates": recent}))
    return daily_rates({day: named.get(day, ()) for day in every}, before, Rates(rates.rows()), settings.shop_currency)


def make_person_members(
    session: Reader, days: DayRange | None, settings: Settings, batches: Collection[str] = (), /
) -> pl.DataFrame:
    """Make the rows of cleaned.person_members of all pairs of ids that were ever loaded."""
    sql = "SELECT DISTINCT client_id, email, user_id FROM ops.person_links"
    return find_members(session.frame(Query(sql, {}, {"ops.person_links": None})), settings.shared_device_users)


LOOKUPS: Mapping[str, Maker] = MappingProxyType(
    {
        "cleaned.urls": make_urls,
        "cleaned.daily_rates": make_daily_rates,
        "cleaned.user_agents": make_user_agents,
        "cleaned.source_categories": make_source_categories,
        "cleaned.person_members": make_person_members,
    }
)
"""Table name → the function that makes its rows."""
