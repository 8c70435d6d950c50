"""Sums over days, and the comparison of the last seven complete days with the seven before them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from analytics_platform.reports.wording import share

WEEK = 7


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of some consecutive days."""

    first: dt.date
    last: dt.date
    days: int
    sessions: int
    visitors: int
    orders: int
    converted: int
    revenue: Decimal

    @property
    def conversion(self) -> float | None:
        """Sessions with an order / sessions; None without sessions."""
        return share(self.converted, self.sessions)

    @property
    def average_order(self) -> Decimal | None:
        """Revenue / orders; None without orders."""
        return self.revenue / self.orders if self.orders else None


@dataclass(frozen=True, slots=True)
class Weeks:
    """The last seven complete days, and the seven before them."""

    before: Total
    after: Total


def total_of(days: pl.DataFrame) -> Total | None:
    """Return the sums of all `days`, in order of date; None if there are none."""
    if days.is_empty():
        return None
    counts = {name: int(days[name].sum()) for name in ("sessions", "visitors", "orders", "converted")}
    return Total(days["date"][0], days["date"][-1], len(days), revenue=Decimal(days["revenue"].sum()), **counts)


def weeks_of(days: pl.DataFrame) -> Weeks | None:
    """Return the two weeks to compare; None with fewer than fourteen complete days. `days` has no gaps."""
    complete = days.filter("is_complete")
    if len(complete) < 2 * WEEK:
        return None
    before, after = total_of(complete[-2 * WEEK : -WEEK]), total_of(complete[-WEEK:])
    return Weeks(before, after) if before is not None and after is not None else None


def best_day(days: pl.DataFrame, measure: str) -> tuple[dt.date, Decimal | int]:
    """Return the first of the days with the highest `measure`, and its value. There must be a day."""
    top = days.sort([pl.col(measure), pl.col("date")], descending=[True, False]).row(0, named=True)
    return top["date"], top[measure]
