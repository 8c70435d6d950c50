"""The small tables of findings and dashboard: frames as rows of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import polars as pl

from analytics_platform.errors import count
from analytics_platform.reports.periods import best_day, total_of, weeks_of
from analytics_platform.reports.sentences import credit_shares
from analytics_platform.reports.wording import (
    ENGAGED,
    NOTHING,
    UNKNOWN,
    capital,
    clean,
    day,
    figure,
    is_known,
    label,
    lacking,
    moved,
    percent,
    share,
    shown,
    span,
)

LATEST = 10
"""Rows of the table of days and sources; the plot shows all days."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text. The first `names` columns are words, the others numbers, set to the right."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


Columns: TypeAlias = Mapping[str, str | Callable[[dict[str, Any]], str]]
"""Heading of each column, and the column of the frame it shows or how its text is made from a row."""


def _table(
    caption: str,
    columns: Columns,
    frame: pl.DataFrame,
    names: int = 1,
    *,
    before: tuple[str, pl.DataFrame] | None = None,
) -> TextTable | None:
    """Make a table with a row per row of the frame; None without rows.

    `before` is a column and the frame of the days before: each figure shows its change against the row there that has
    the same value in this column.
    """
    key, then = before or ("", None)
    rows_before = {} if then is None else {row[key]: row for row in then.iter_rows(named=True)}

    def text(row: dict[str, Any], cell: str | Callable[[dict[str, Any]], str]) -> str:
        if not isinstance(cell, str):
            return cell(row)
        now, old = figure(row, cell), rows_before.get(row.get(key))
        if cell == key or not old or (change := moved(old, row, cell)) == NOTHING:
            return now
        missing = lacking(old, cell)
        return f"{now} ({change}{f', before{missing}' if missing else ''})"

    rows = tuple(tuple(text(row, cell) for cell in columns.values()) for row in frame.iter_rows(named=True))
    return TextTable(caption, tuple(columns), rows, names) if rows else None


def _ratio(part: str, total: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: percent(share(row[part], row[total]))


def trends_table(days: pl.DataFrame) -> TextTable | None:
    """Show totals, daily average and highest day; with two complete weeks also what they brought and the change."""
    total, weeks = total_of(days), weeks_of(days)
    if total is None:
        return None
    header: tuple[str, ...] = ("", "Total", "A day", "Highest day")
    rows: list[tuple[str, ...]] = []
    measures = ("sessions", "orders", *(["unknown"] if total.unknown else []), "revenue", "refunds", "net_revenue")
    for measure in measures:
        (date, best), mean = best_day(days, measure), total.row[measure] / total.days
        average = f"{mean:,.1f}" if isinstance(mean, float) else shown(mean)
        average = average + (" + unknown" if lacking(total.row, measure) else "")
        average = average if is_known(total.row, measure) else UNKNOWN
        alike = days.filter(pl.col(measure) == best).height
        top = f"{shown(best)} ({day(date) if alike == 1 else count(alike, 'day')})" if best > 0 else NOTHING
        name = "Orders of unknown amount" if measure == "unknown" else capital(measure.replace("_", " "))
        rows.append((name, figure(total.row, measure), average, top))
    conversion: tuple[str, ...] = ("Conversion", percent(total.conversion), "", "")
    if weeks is not None:
        before, after = weeks
        header += (span(after.first, after.last), span(before.first, before.last), "Change")
        for place, measure in enumerate(measures):
            then, now = before.row, after.row
            rows[place] += (figure(now, measure), figure(then, measure), moved(then, now, measure))
        conversion += (percent(after.conversion), percent(before.conversion), "")
    return TextTable(f"All days, {span(total.first, total.last)}", header, (*rows, conversion))


def funnel_table(funnel: pl.DataFrame) -> TextTable | None:
    """Show the sessions with each step, those that only have a later one, and the rates between the steps."""
    steps = funnel.with_columns(view=pl.col("sessions").first(), before=pl.col("sessions").shift(1))
    columns: Columns = {
        "Step": lambda row: capital(clean(row["step"])),
        "Sessions": "sessions",
        "Of step before": lambda row: (
            "" if row["before"] is None else percent(share(row["after_previous"], row["before"]))
        ),
        "Of views": _ratio("after_view", "view"),
        "Later steps only": "inferred",
    }
    return _table("Sessions with an event of the step; rates are of sessions that have both steps", columns, steps)


def attribution_table(credits: pl.DataFrame, before: pl.DataFrame | None = None) -> TextTable | None:
    """Show the credit of each channel by the three rules; the highest by last touch first, each against `before`."""
    columns: Columns = {
        "Channel": "channel", "First touch": "first_revenue", "Last touch": "last_revenue",
        "Last non-direct": "indirect_revenue", "Share (last)": "last", "Orders (last)": "last_orders",
    }  # fmt: skip
    then = None if before is None else ("channel", credit_shares(before))
    return _table("Revenue credited to each channel", columns, credit_shares(credits), before=then)


devices_table = partial(_table, "By kind of device; orders are those of sessions that started in these days", {
    "Device": lambda row: capital(clean(row["device_type"])), "Sessions": "sessions",
    "Bounces": _ratio("bounces", "sessions"), "Orders": "orders", "Conversion": _ratio("converted", "sessions"),
    "Revenue": "revenue",
})  # fmt: skip

products_table = partial(_table, "Best sellers, by revenue", {
    "Product": lambda row: label(row, "product"), "Views": "views", "Put in cart": "add_to_carts",
    "Orders": "orders", "Pieces": "quantity", "Revenue": "revenue", "Refunds": "refunds", "Net": "net_revenue",
})  # fmt: skip

variants_table = partial(_table, "Variants of the best sellers; an order with two variants counts for both", {
    "Product": lambda row: label(row, "product"), "Variant": "variant", "Orders": "orders", "Pieces": "quantity",
    "Revenue": "revenue",
}, names=2)  # fmt: skip

lists_table = partial(
    _table, f"Engagement: sessions with {ENGAGED} from it / sessions that met it", {
    "List": lambda row: label(row, "list") + (" (named without its id)" if row["namesakes"] else ""),
    "Engagement": "engagement_rate", "Sessions": "sessions",
    "Impressions": "impressions", "Clicks": "clicks", "Purchases": "purchases", "Revenue": "revenue",
})  # fmt: skip


def bought_table(bought: pl.DataFrame) -> TextTable | None:
    """Show the products with the highest view-to-purchase rate."""
    columns: Columns = {
        "Product": lambda row: label(row, "product"), "Bought": "view_to_purchase_rate", "Purchases": "purchases",
        "Views": "views", "Revenue": "revenue", "Refunds": "refunds", "Net": "net_revenue",
    }  # fmt: skip
    average = f"{0.0 if bought.is_empty() else bought['average_views'][0]:,.1f}"
    return _table(f"Purchases / views of products with at least the average of {average} views", columns, bought)


def customers_table(customers: pl.DataFrame, caption: str = "Most active customers") -> TextTable | None:
    """Show customers, what they did and what they bought."""
    columns: Columns = {
        "Customer": lambda row: label(row, "user", 40), "City": "city", "Favourite": "favourite_product",
        "Last seen": "last_active_at", "Interactions": "interactions", "Orders": "orders", "Revenue": "revenue",
    }  # fmt: skip
    return _table(f"{caption}; the favourite is the product they viewed most", columns, customers, names=4)


persons_table = partial(_table, "All who ever ordered, by revenue; who never signed in is a person for each browser", {
    "Person": "person_id", "Last order": lambda row: day(row["last_order_date"], year=True), "Orders": "orders",
    "Revenue": "revenue", "Refunds": "refunds", "Net": "net_revenue",
}, names=2)  # fmt: skip

cities_table = partial(_table, "Cities, by revenue", {
    "City": lambda row: clean(row["city"]) or "City not known", "Customers": "customers",
    "Have bought": _ratio("buyers", "customers"), "Orders": "orders", "Revenue": "revenue",
})  # fmt: skip

orphans_table = partial(_table, "Users in events, and those of them who are no known customers", {
    "Source": "source", "Users": "users", "Unknown": "orphans", "Events": "interactions",
    "Of unknown users": "orphan_interactions", "Share": _ratio("orphan_interactions", "interactions"),
})  # fmt: skip


def quality_table(quality: pl.DataFrame) -> TextTable | None:
    """Show what became of the records of the latest days, and of all days of each source in sum."""
    numbers = ("rows_accepted", "rows_duplicate", "rows_quarantined")
    sums = quality.group_by("source").agg(pl.col(*numbers).sum()).sort("source")
    entries = pl.concat([quality[-LATEST:], sums], how="diagonal").with_columns(read=pl.sum_horizontal(numbers))
    years = entries["date"].dt.year().n_unique() > 2
    columns: Columns = {
        "Day": lambda row: day(row["date"], years) if row["date"] else "All days", "Source": "source",
        "Accepted": "rows_accepted", "Duplicate": "rows_duplicate", "Rejected": "rows_quarantined",
        "Error rate": _ratio("rows_quarantined", "read"),
    }  # fmt: skip
    return _table("Records by day of the event and source, the latest days", columns, entries, names=2)


def unread_table(unread: Mapping[str, Sequence[str]]) -> TextTable | None:
    """Show what came and is not fully counted, by its kind."""
    rows = tuple((capital(kind), clean(text, 600)) for kind, texts in unread.items() for text in texts)
    return TextTable("Kept, and not fully counted", ("", "What"), rows, 2) if rows else None


reasons_table = partial(_table, "Most common reasons of rejection", {"Reason": "reason", "Records": "rows"})

batches_table = partial(_table, "Latest batches (UTC)", {
    "Batch": "batch_id", "Loaded": lambda row: f"{day(row['finished_at'].date())}, {row['finished_at']:%H:%M}",
    "Source": "source", "Input": lambda row: clean(row["input"], 40), "Read": "rows_read",
    "Accepted": "rows_accepted", "Duplicate": "rows_duplicate", "Rejected": "rows_quarantined",
}, names=4)  # fmt: skip
