"""The tables of the cleaned layer that Python makes: addresses, user agents, known traffic sources.

Distinct values are collected by day and taken apart once. No Dagster in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import polars as pl

from analytics_platform.contracts.sql import literal
from analytics_platform.transform.lookups import parse_urls, parse_user_agents, source_categories
from analytics_platform.transform.plan import DayRange


class Reader(Protocol):
    """Answers a query; an open warehouse does."""

    def frame(self, sql: str) -> pl.DataFrame:
        """The result of the query."""
        ...


WITH_ADDRESSES, WITH_AGENTS = ("cleaned.clickstream", "cleaned.ecommerce_events"), ("cleaned.clickstream",)
"""Tables whose events have addresses, and those whose events have user agents."""


def _distinct(session: Reader, days: DayRange | None, tables: Sequence[str], *columns: str) -> pl.DataFrame:
    """The distinct values of text columns of some tables, by day: `event_date`, `value`."""
    assert days is not None
    within = f"WHERE event_date BETWEEN {literal(days.first)} AND {literal(days.last)}"
    parts = (f"SELECT event_date, {column} AS value FROM {table} {within}" for table in tables for column in columns)
    return session.frame(f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) WHERE value IS NOT NULL")


def make_urls(session: Reader, days: DayRange | None) -> pl.DataFrame:
    """The rows of cleaned.urls for the days: every address and referrer seen on them."""
    seen = _distinct(session, days, WITH_ADDRESSES, "page_url", "referrer")
    return seen.join(parse_urls(seen["value"].unique()), left_on="value", right_on="url").rename({"value": "url"})


def make_user_agents(session: Reader, days: DayRange | None) -> pl.DataFrame:
    """The rows of cleaned.user_agents for the days: every user agent seen on them."""
    seen = _distinct(session, days, WITH_AGENTS, "user_agent")
    parsed = parse_user_agents(seen["value"].unique())
    return seen.join(parsed, left_on="value", right_on="user_agent").rename({"value": "user_agent"})


def make_source_categories(session: Reader, days: DayRange | None) -> pl.DataFrame:
    """The rows of cleaned.source_categories, the same for every session and day."""
    return source_categories()


LOOKUPS: Mapping[str, Callable[[Reader, DayRange | None], pl.DataFrame]] = MappingProxyType(
    {
        "cleaned.urls": make_urls,
        "cleaned.user_agents": make_user_agents,
        "cleaned.source_categories": make_source_categories,
    }
)
"""Table name → the function that makes its rows."""
