"""The small tables of the report: frames as rows of text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from analytics_platform.reports.periods import Total, best_day, total_of, weeks_of
from analytics_platform.reports.sentences import credit_shares, customer_label, list_label, product_label
from analytics_platform.reports.wording import (
    NOTHING,
    capital,
    change,
    clean,
    day,
    moment,
    money,
    percent,
    share,
    span,
    whole,
)

LATEST = 10
"""Rows of the table of days and sources; the plot shows all days."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text. The first `names` columns are words, the others numbers, set to the right."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


_MEASURES: tuple[tuple[str, Callable[[Total], Decimal | int]], ...] = (
    ("Sessions", lambda total: total.sessions),
    ("Orders", lambda total: total.orders),
    ("Revenue", lambda total: total.revenue),
)


def _shown(number: Decimal | int) -> str:
    return money(number) if isinstance(number, Decimal) else whole(number)


def _a_day(number: Decimal | int, days: int) -> str:
    return money(number / days) if isinstance(number, Decimal) else f"{number / days:,.1f}"


def trends_table(days: pl.DataFrame) -> Table | None:
    """Totals, daily average and best day; with two complete weeks also what they brought and the change."""
    total, weeks = total_of(days), weeks_of(days)
    if total is None:
        return None
    header: tuple[str, ...] = ("", "Total", "A day", "Best day")
    rows: list[tuple[str, ...]] = []
    for name, of in _MEASURES:
        date, best = best_day(days, name.lower())
        top = f"{_shown(best)} ({day(date)})" if best > 0 else NOTHING
        rows.append((name, _shown(of(total)), _a_day(of(total), total.days), top))
    if weeks is not None:
        before, after = weeks.before, weeks.after
        header += (span(after.first, after.last), span(before.first, before.last), "Change")
        for place, (_, of) in enumerate(_MEASURES):
            rows[place] += (_shown(of(after)), _shown(of(before)), change(of(before), of(after)))
    conversion: tuple[str, ...] = ("Conversion", percent(total.conversion), "", "")
    if weeks is not None:
        conversion += (percent(weeks.after.conversion), percent(weeks.before.conversion), "")
    return Table(f"All days, {span(total.first, total.last)}", header, (*rows, conversion))


def funnel_table(funnel: pl.DataFrame) -> Table | None:
    """Sessions that reached each step, and the rates between the steps."""
    if funnel.is_empty():
        return None
    reached = funnel["sessions"].to_list()
    rows = tuple(
        (
            capital(clean(step)),
            whole(sessions),
            percent(share(sessions, previous)) if place else "",
            percent(share(sessions, reached[0])),
            whole(previous - sessions) if place else "",
        )
        for place, (step, sessions, previous) in enumerate(
            zip(funnel["step"], reached, [reached[0], *reached[:-1]], strict=True)
        )
    )
    return Table("Sessions that came at least as far", ("Step", "Sessions", "Of step before", "Of all", "Lost"), rows)


def attribution_table(credits: pl.DataFrame) -> Table | None:
    """Credit of each channel by the three rules; the highest by last touch first."""
    shares = credit_shares(credits)
    if not shares:
        return None
    amounts = {row["channel"]: row for row in credits.rows(named=True)}
    rows = tuple(
        (
            clean(channel),
            money(amounts[channel]["first_revenue"]),
            money(amounts[channel]["last_revenue"]),
            money(amounts[channel]["indirect_revenue"]),
            percent(last),
            whole(amounts[channel]["last_orders"]),
        )
        for channel, _, last, _ in shares
    )
    header = ("Channel", "First touch", "Last touch", "Last non-direct", "Share (last)", "Orders (last)")
    return Table("Revenue credited to each channel", header, rows)


def devices_table(devices: pl.DataFrame) -> Table | None:
    """Visits, bounces and sales by kind of device."""
    if devices.is_empty():
        return None
    rows = tuple(
        (
            capital(clean(row["device_type"])),
            whole(row["sessions"]),
            percent(share(row["bounces"], row["sessions"])),
            whole(row["orders"]),
            percent(share(row["converted"], row["sessions"])),
            money(row["revenue"]),
        )
        for row in devices.rows(named=True)
    )
    return Table("By kind of device", ("Device", "Sessions", "Bounces", "Orders", "Conversion", "Revenue"), rows)


def products_table(products: pl.DataFrame) -> Table | None:
    """The products that sold best."""
    if products.is_empty():
        return None
    rows = tuple(
        (
            product_label(row),
            whole(row["views"]),
            whole(row["add_to_carts"]),
            whole(row["orders"]),
            whole(row["quantity"]),
            money(row["revenue"]),
        )
        for row in products.rows(named=True)
    )
    header = ("Product", "Views", "Put in cart", "Orders", "Pieces", "Revenue")
    return Table("Best sellers, by revenue", header, rows)


def lists_table(lists: pl.DataFrame) -> Table | None:
    """The lists with the highest engagement rate."""
    if lists.is_empty():
        return None
    rows = tuple(
        (
            list_label(row),
            percent(row["engagement_rate"]),
            *(whole(row[name]) for name in ("sessions", "impressions", "clicks", "purchases")),
            money(row["revenue"]),
        )
        for row in lists.rows(named=True)
    )
    header = ("List", "Engagement", "Sessions", "Impressions", "Clicks", "Purchases", "Revenue")
    return Table("Sessions with a click, a cart or a purchase from the list / sessions that met it", header, rows)


def bought_table(bought: pl.DataFrame) -> Table | None:
    """The products that turn views into purchases best."""
    if bought.is_empty():
        return None
    rows = tuple(
        (
            product_label(row),
            percent(row["view_to_purchase_rate"]),
            whole(row["purchases"]),
            whole(row["views"]),
            money(row["revenue"]),
        )
        for row in bought.rows(named=True)
    )
    caption = f"Purchases / views of products with at least the average of {bought['average_views'][0]:,.1f} views"
    return Table(caption, ("Product", "Bought", "Purchases", "Views", "Revenue"), rows)


def customers_table(customers: pl.DataFrame) -> Table | None:
    """The most active customers."""
    if customers.is_empty():
        return None
    rows = tuple(
        (
            customer_label(row),
            clean(row["favourite_product"]) or NOTHING,
            moment(row["last_active_at"]),
            whole(row["interactions"]),
            whole(row["orders"]),
            money(row["revenue"]),
        )
        for row in customers.rows(named=True)
    )
    header = ("Customer", "Favourite", "Last seen", "Interactions", "Orders", "Revenue")
    return Table("Most active customers; the favourite is what they viewed most", header, rows, names=3)


def orphans_table(orphans: pl.DataFrame) -> Table | None:
    """Users that the users API does not know, by source."""
    if orphans.is_empty():
        return None
    rows = tuple(
        (
            clean(row["source"]),
            *(whole(row[name]) for name in ("users", "orphans", "interactions", "orphan_interactions")),
            percent(share(row["orphan_interactions"], row["interactions"])),
        )
        for row in orphans.rows(named=True)
    )
    header = ("Source", "Users", "Unknown", "Events", "Of unknown users", "Share")
    return Table("Users that events name, and those of them that are no known customers", header, rows)


def quality_table(quality: pl.DataFrame) -> Table | None:
    """What the gate did with the records of the latest days, and all days of each source in sum."""
    if quality.is_empty():
        return None
    numbers = ("rows_accepted", "rows_duplicate", "rows_quarantined")
    sums = quality.group_by("source").agg(pl.col(*numbers).sum()).sort("source")
    latest = quality[-LATEST:]
    years = latest["date"][0].year != latest["date"][-1].year
    days = [(day(row["date"], years), row) for row in latest.rows(named=True)]
    entries = [*days, *(("All days", row) for row in sums.rows(named=True))]
    rows = tuple(
        (
            when,
            clean(row["source"]),
            *(whole(row[name]) for name in numbers),
            percent(share(row["rows_quarantined"], sum(row[name] for name in numbers))),
        )
        for when, row in entries
    )
    header = ("Day", "Source", "Accepted", "Duplicate", "Refused", "Error rate")
    return Table("Records by day of the event and source, the latest days", header, rows, names=2)


def reasons_table(reasons: pl.DataFrame) -> Table | None:
    """Why records were refused."""
    if reasons.is_empty():
        return None
    rows = tuple((clean(row["reason"]), whole(row["rows"])) for row in reasons.rows(named=True))
    return Table("Most common reasons of refusal", ("Reason", "Records"), rows)
