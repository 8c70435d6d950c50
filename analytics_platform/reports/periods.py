"""Sums over days, and the comparison of the last seven complete days with the seven before them."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

import polars as pl

from analytics_platform.reports.wording import is_known, share

WEEK = 7
IS_WORTH_KNOWN = (pl.col("revenue") != 0) | (pl.col("unknown") == 0)
"""Whether the revenue of a day is known: not if orders have no known amount, and others bring nothing."""


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
    unknown: int
    unknown_refunds: int
    revenue: Decimal
    refunds: Decimal
    net_revenue: Decimal

    @property
    def conversion(self) -> float | None:
        """Sessions with an order / sessions; None without sessions."""
        return share(self.converted, self.sessions)

    @property
    def daily_visitors(self) -> float:
        """The mean of the visitors of each day."""
        return self.visitors / self.days

    @property
    def is_worth_known(self) -> bool:
        """Whether revenue is known: not if orders have no known amount, and others bring nothing."""
        return is_known(self.row, "revenue")

    @property
    def row(self) -> dict[str, Any]:
        """The sums by name, as a row of a frame has them."""
        return asdict(self)

    @property
    def average_order(self) -> Decimal | None:
        """Revenue / orders with a known revenue; None without such orders."""
        return self.revenue / (self.orders - self.unknown) if self.orders > self.unknown else None


def total_of(days: pl.DataFrame) -> Total | None:
    """Return the sums of all `days`, in order of date; None if there are none."""
    if days.is_empty():
        return None
    names = [column.name for column in fields(Total)[3:]]
    return Total(days["date"][0], days["date"][-1], len(days), *days.select(names).sum().row(0))


def weeks_of(days: pl.DataFrame) -> tuple[Total, Total] | None:
    """Return the sums of the last seven complete days with data and, first, of the seven before; None with fewer.

    A day without sessions and orders is one whose data is missing: it is in neither.
    """
    complete = days.filter(pl.col("is_complete") & (pl.col("sessions") + pl.col("orders") > 0))
    before, after = total_of(complete[-2 * WEEK : -WEEK]), total_of(complete[-WEEK:])
    return (before, after) if len(complete) >= 2 * WEEK and before and after else None


def best_day(days: pl.DataFrame, measure: str) -> tuple[dt.date, Decimal | int]:
    """Return the first of the days with the highest `measure`, and its value. There must be a day."""
    top = days.sort([pl.col(measure), pl.col("date")], descending=[True, False]).row(0, named=True)
    return top["date"], top[measure]
