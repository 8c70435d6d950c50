"""Everything the findings are made from, read at once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from analytics_platform.reports import queries, records
from analytics_platform.reports.queries import ALL_DAYS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session

_REASONS = 8


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the findings are made from. `days` has a row for every day from the first to the last with traffic."""

    days: pl.DataFrame
    visitors: int
    funnel: pl.DataFrame
    credits: pl.DataFrame
    devices: pl.DataFrame
    products: pl.DataFrame
    lists: pl.DataFrame
    bought: pl.DataFrame
    customers: pl.DataFrame
    orphans: pl.DataFrame
    quality: pl.DataFrame
    reasons: pl.DataFrame
    loaded_at: dt.datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all to report."""
        return self.days.is_empty() and self.quality.is_empty() and self.reasons.is_empty()


def read_facts(session: Session, as_of: dt.datetime) -> Facts:
    """Read the tables of `queries.FINDINGS`, all their days. A day later than `as_of` never counts as complete."""
    known, today = queries.days_with_data(session, as_of), as_of.date()
    days = queries.read_days(session, *(known or (DayRange(today, today), today)))
    (visitors,) = session.one("SELECT count(DISTINCT client_id) FROM star.fact_sessions WHERE NOT is_bot")
    return Facts(
        days=days if known else days.clear(),
        visitors=int(visitors),
        funnel=queries.read_funnel(session, ALL_DAYS),
        credits=queries.read_credits(session, ALL_DAYS),
        devices=queries.read_devices(session, ALL_DAYS),
        products=queries.read_products(session, ALL_DAYS),
        lists=queries.read_lists(session),
        bought=queries.read_bought(session),
        customers=queries.read_customers(session, "interactions"),
        orphans=queries.read_orphans(session),
        quality=records.read_quality(session, ALL_DAYS),
        reasons=records.read_reasons(session, ALL_DAYS).head(_REASONS),
        loaded_at=records.loaded_at(session),
    )
