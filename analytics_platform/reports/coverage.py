"""How the data of some days differs from that of others, so that no change of the data passes for one of the shop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import TypeAlias

import polars as pl

from analytics_platform.errors import count
from analytics_platform.reports.periods import Total, weeks_of
from analytics_platform.reports.wording import clean, listed, money, percent, share, span, whole
from analytics_platform.sources.registry import EVENTS
from analytics_platform.transform import DayRange, day_ranges

_DayLacks: TypeAlias = tuple[dt.date, int, list[str]]
"""A day of a source: how many events were accepted, and the columns that all of them lack."""
_ANY_DAY = DayRange(dt.date.min, dt.date.max)
_TELLING = 0.01
"""Changes of the error rate that are smaller are not named."""
_ENOUGH = 50
"""Days one after the other with fewer accepted records in all may lack a column by chance."""
_UNLIKE = 0.05
"""A day is unlike the best one if its error rate is that much higher."""
_EXPECTED = 5
"""Days without an order are named if the others make one expect as many: by chance that is one case in 148."""
_AS_DIRECT = " (untagged visits count as Direct then)"
_AS_PEOPLE = " (bots count as people then)"
_OFTEN = ("page_url", "referrer", "user_agent", "items", "view_item events", "items of purchases")
_SELDOM = (
    *("user_id", "client_id", "transaction_id of purchases", "currency of amounts", "page_view events"),
    *("view_item_list events", "select_item events", "add_to_cart events", "begin_checkout events"),
    "purchase events",
)
"""What few events may have: a day of which none has it may be chance. Refunds follow purchases by days or weeks, and
are not among them: of a tracker that had just begun, the first weeks were said to lack them."""
_CHANCE = 0.01
"""Days that lack what few events have are named where chance makes such a row of days less often."""
NEEDS = {
    "funnel": (
        *("user_agent", "page_view events", "view_item events", "add_to_cart events", "begin_checkout events"),
        "purchase events",
    ),
    "attribution": ("user_agent", "page_url", "user_id", "client_id", "purchase events"),
    "devices": ("user_agent", "purchase events"),
    "products": ("user_agent", "items", "view_item events", "items of purchases", "purchase events"),
    "lists": (
        *("user_agent", "items", "lists", "view_item_list events", "select_item events", "view_item events"),
        *("add_to_cart events", "items of purchases", "purchase events"),
    ),
    "bought": ("user_agent", "items", "view_item events", "items of purchases", "purchase events"),
    "customers": ("user_agent", "user_id", "items", "view_item events", "purchase events"),
    "orphans": ("user_agent", "user_id"),
}
"""What of the events the figures of a section are made from; all leave bots out, which only `user_agent` shows."""
_NAMED = 3


def differences(quality: pl.DataFrame, before: DayRange, after: DayRange) -> list[str]:
    """Name what makes the days `before` and `after` hard to compare: rejections, silent sources and empty columns."""
    events = _events(quality).with_columns(
        is_after=pl.when(pl.col("date").is_between(after.first, after.last)).then(True)
        .when(pl.col("date").is_between(before.first, before.last)).then(False),
    ).drop_nulls("is_after")  # fmt: skip
    return [
        *_gaps(events, before, after),
        *_rejections(events, before, after),
        *_silences(events, before, after),
        *empty_columns(events),
        *_renamed(events),
    ]


def missing_orders(days: pl.DataFrame) -> Iterator[str]:
    """Name the days with visits on which no order came, though as many days brought some as make that no chance."""
    visited = days.filter(pl.col("is_complete") & (pl.col("sessions") > 0))
    sold, silent = visited.filter(pl.col("orders") > 0), visited.filter(pl.col("orders") == 0)
    usual = sold["orders"].sum() / max(len(sold), 1)
    runs = [_calendar(run) for run in day_ranges(set(silent["date"]))]
    if telling := [date for run in runs if usual * len(run) >= _EXPECTED for date in run]:
        yield f"visits came and no order on {_dates(telling)}"


def days_of_bots(dates: Collection[dt.date], period: Total | None) -> Iterator[str]:
    """Name the days on which nobody but bots came; those outside the period are not in the report."""
    inner = {date for date in dates if period and period.first <= date <= period.last}
    for some, where in ((inner, ""), (set(dates) - inner, " (not in the report)")):
        if some:
            yield f"only bots came on {_dates(some)}{where}"


def lost_purchases(rejected: pl.DataFrame, after: Total, before: Total | None = None) -> Iterator[str]:
    """Name the purchases that the gate rejected of some days, and their share; also of the days `before`."""

    def lost(total: Total) -> int:
        return int(rejected.filter(pl.col("date").is_between(total.first, total.last))["purchases"].sum())

    now, then = lost(after), lost(before) if before else 0
    if now or then:
        part = f"{whole(now)} of {count(now + after.orders, 'purchase')} ({percent(share(now, now + after.orders))})"
        became = "was rejected and is" if now == 1 else "were rejected and are"
        earlier = f" ({whole(then)} of {span(before.first, before.last)})" if before else ""
        yield f"{part} of {span(after.first, after.last)} {became} in no figure{earlier}"


def unknown_amounts(total: Total | None) -> Iterator[str]:
    """Name the orders whose amount is unknown: shares of the revenue are those of the others."""
    if total and total.unknown:
        part = f"{whole(total.unknown)} of {count(total.orders, 'order')} of {span(total.first, total.last)}"
        yield f"{part} {'has' if total.unknown == 1 else 'have'} an unknown amount, which is in no sum"


def lone_refunds(refunds: pl.DataFrame, total: Total | None) -> Iterator[str]:
    """Name the refunds of orders that no event tells of: they are taken off a revenue in which the orders are not."""
    some = refunds.filter(pl.col("date").is_between(total.first, total.last)) if total else refunds.clear()
    if number := int(some["lone_refunds"].sum()):
        worth = money(sum(some["refunds"], Decimal(0)))
        whose = "is of an order" if number == 1 else "in all are of orders"
        yield f"{count(number, 'refund')} of {worth} {whose} that no event tells of"


def untold_orders(orders: int, cancelled: int) -> Iterator[str]:
    """Name the orders that only the shop's database has: figures are made of events."""
    if orders:
        are, them = ("is", "it") if orders == 1 else ("are", "them")
        part = (
            f"{count(orders, 'order')} of the shop's database{f' ({whole(cancelled)} cancelled)' if cancelled else ''}"
        )
        yield f"{part} {are} in no figure, since no event tells of {them}"


def unknown_refunds(total: Total | None) -> Iterator[str]:
    """Name the refunds whose amount is unknown: net revenue is before them."""
    if total and total.unknown_refunds:
        part = f"{count(total.unknown_refunds, 'refund')} of {span(total.first, total.last)}"
        yield f"{part} {'has' if total.unknown_refunds == 1 else 'have'} an unknown amount, which is in no sum"


def unread_files(sources: Collection[str]) -> Iterator[str]:
    """Name the sources of which files or batches were not read: of which days their records are nobody knows.

    What lies in the landing folder and in no source's folder has the name "".
    """
    if named := sorted(filter(None, sources)):
        yield f"not all files and batches of {listed(named)} were read"
    if "" in sources:
        yield "some of the landing folder is in no source's folder and was not read"


def unevenness(quality: pl.DataFrame) -> list[str]:
    """Name what makes days hard to tell together: much more rejected, sources that begin or end, and empty columns."""
    events = _events(quality)
    days = [] if events.is_empty() else [DayRange(events["date"].min(), events["date"].max())]  # type: ignore[arg-type]
    return [*_gaps(events, *days), *bad_days(quality), *silences(quality), *empty_columns(events)]


def _events(quality: pl.DataFrame) -> pl.DataFrame:
    """Return the days of sources of events, and the records that were `read`, without superseded rejections."""
    # Of a file that came again corrected, 17 % of the records were still said to be rejected.
    events = quality.filter(pl.col("source").is_in(list(EVENTS)))
    events = events.with_columns(rows_quarantined=pl.col("rows_quarantined") - pl.col("rows_superseded"))
    return events.with_columns(read=pl.sum_horizontal("rows_accepted", "rows_duplicate", "rows_quarantined"))


def bad_days(quality: pl.DataFrame) -> Iterator[str]:
    """Name the days of each source on which much more was rejected than on the best one."""
    rate = pl.col("rows_quarantined") / pl.col("read")
    telling = _events(quality).filter(pl.col("read") >= _ENOUGH)
    for (source,), days in telling.sort("source", "date").group_by("source", maintain_order=True):
        is_bad = days.select(rate >= rate.min() + _UNLIKE).to_series()
        bad, good = days.filter(is_bad), days.filter(~is_bad)
        if not bad.is_empty():
            now, then = (part.select(pl.sum("rows_quarantined") / pl.sum("read")).item() for part in (bad, good))
            on = _dates(bad["date"].to_list())
            yield f"{percent(now)} of the records of {source} were rejected on {on} ({percent(then)} on the other days)"


def silences(quality: pl.DataFrame) -> Iterator[str]:
    """Name the days on which other sources brought something and one did not, of those that have most days.

    These are the days before its first and after its last, but for a single one, which may not be over, and those
    between.
    """
    heard = _events(quality).filter(pl.col("rows_accepted") + pl.col("rows_duplicate") > 0)
    for source in sorted(heard["source"].unique()):
        mine = heard.filter(source=source)["date"]
        within = heard.filter(pl.col("date").is_between(mine.min(), mine.max()))["date"].unique()
        for silent in (pl.col("date") < mine.min(), pl.col("date") > mine.max()):
            if len(dates := heard.filter(silent)["date"].unique().sort()) > 1:
                yield f"{source} brought nothing on {span(dates[0], dates[-1])}"
        if 0 < len(missed := set(within) - set(mine)) < len(within) / 2:
            yield f"{source} brought nothing on {_dates(missed)}"


def _gaps(events: pl.DataFrame, *periods: DayRange) -> Iterator[str]:
    """Name the days of the periods of which no source brought anything."""
    heard = set(events.filter(pl.col("rows_accepted") + pl.col("rows_duplicate") > 0)["date"])
    silent = {date for period in periods for date in _calendar(period)} - heard
    if heard and silent:
        yield f"no source brought anything on {_dates(silent)}"


def _rejections(events: pl.DataFrame, before: DayRange, after: DayRange) -> Iterator[str]:
    rates = events.group_by("source", "is_after").agg(rate=pl.col("rows_quarantined").sum() / pl.col("read").sum())
    known = {(source, is_after): rate for source, is_after, rate in rates.rows()}
    for source in sorted({source for source, _ in known}):
        then, now = known.get((source, False)), known.get((source, True))
        if then is not None and now is not None and abs(now - then) >= _TELLING:
            on, earlier = span(after.first, after.last), span(before.first, before.last)
            yield f"{percent(now)} of the records of {source} were rejected on {on} ({percent(then)} on {earlier})"


def _silences(events: pl.DataFrame, before: DayRange, after: DayRange) -> Iterator[str]:
    """Name sources that one of the periods has on each of its days, or at all, and the other has not."""
    heard = events.filter(pl.col("rows_accepted") + pl.col("rows_duplicate") > 0)
    for source in sorted(heard["source"].unique()):
        for is_after, days in ((True, after), (False, before)):
            all_of, other = (heard.filter(is_after=which)["date"] for which in (is_after, not is_after))
            mine, theirs = (heard.filter(is_after=which, source=source)["date"] for which in (is_after, not is_after))
            if mine.is_empty():
                yield f"{source} brought nothing on {span(days.first, days.last)}"
            elif theirs.n_unique() == other.n_unique() and (silent := set(all_of) - set(mine)):
                yield f"{source} brought nothing on {_dates(silent)}"


def _renamed(events: pl.DataFrame) -> Iterator[str]:
    """Name events without a meaning that a source has on most of its days in one period, and never in the other.

    Purchases that got another name made revenue fall by half.
    """
    heard = events.filter(pl.col("rows_accepted") + pl.col("rows_duplicate") > 0)
    named = heard.with_columns(name=pl.col("unknown_events").str.split(", ")).explode("name").drop_nulls("name")
    for (source,), rows in named.sort("source", "name").group_by("source", maintain_order=True):
        found: dict[bool, list[str]] = {True: [], False: []}
        for name in rows["name"].unique(maintain_order=True):
            has = {which: rows.filter(name=name, is_after=which)["date"].n_unique() for which in found}
            days = {which: heard.filter(source=source, is_after=which)["date"].n_unique() for which in found}
            for which in found:
                if 2 * has[which] > days[which] and days[not which] and not has[not which]:
                    found[which].append(name)
        for which, names in found.items():
            if names:
                on = _dates(rows.filter(pl.col("name").is_in(names), is_after=which)["date"].to_list())
                yield f"{source} has events of unknown name ({', '.join(map(clean, names))}) on {on} only"


def empty_columns(
    quality: pl.DataFrame, columns: Collection[str] = (*_OFTEN, *_SELDOM), within: DayRange = _ANY_DAY
) -> Iterator[str]:
    """Name the columns that the events of a source lack on some of the days only, and which days `within` these are."""
    for source, days in _lacks_by_day(quality):
        found: dict[str, list[str]] = {}
        for column in columns:
            if dates := [date for date in _days_without(column, days) if within.first <= date <= within.last]:
                found.setdefault(_dates(dates), []).append(f"no {column}")
        # Of a week that lost its user agents sessions rose 76 %: nothing said that bots were among them.
        for on, lacking in found.items():
            yield f"{source} has {listed(lacking)} on {on}{_AS_PEOPLE if 'no user_agent' in lacking else ''}"


def _days_without(column: str, days: Sequence[_DayLacks]) -> list[dt.date]:
    """Return the days of a source that lack a column which the others have, where that is no chance."""
    # Of a shop with 20 events a day no day had enough: nothing was said of the week that lost its referrers.
    runs = [(lacks, list(run)) for lacks, run in groupby(days, key=lambda row: column in row[2])]
    having = sum(len(run) for lacks, run in runs if not lacks)
    found: list[dt.date] = []
    for run in (run for lacks, run in runs if lacks and having):
        others = len(days) - len(run)
        # Of a shop with an order a day, each day without a checkout was one of a tracker that had failed.
        chance = ((1 + others - having) / (2 + others)) ** len(run) if column in _SELDOM else 0
        if chance <= _CHANCE and sum(rows for _, rows, _ in run) >= _ENOUGH:
            found += [date for date, _, _ in run]
    return found


def _lacks_by_day(quality: pl.DataFrame) -> Iterator[tuple[str, list[_DayLacks]]]:
    """Give of each source its days with accepted events."""
    known = quality.filter(pl.col("rows_accepted") > 0).drop_nulls("empty_columns").sort("source", "date")
    for (source,), days in known.group_by("source", maintain_order=True):
        rows = days.select("date", "rows_accepted", pl.col("empty_columns").str.split(", ")).rows()
        yield str(source), rows


def channel_gaps(quality: pl.DataFrame) -> Iterator[str]:
    """Name the sources that say on no day, or on some days only, where visitors came from."""
    by_source = dict(_lacks_by_day(quality))
    never = [source for source, days in by_source.items() if all("referrer" in lacking for _, _, lacking in days)]
    if never:
        # "On any day" stood under the seven days that the page shows, of a source that had one before.
        dates = [date for days in by_source.values() for date, _, _ in days]
        on, have = span(min(dates), max(dates)), "has" if len(never) == 1 else "have"
        yield f"{listed(never)} {have} no referrer on any day of {on}{_AS_DIRECT}"
    yield from empty_columns(quality, NEEDS["attribution"])
    yield from (f"{said}{_AS_DIRECT}" for said in empty_columns(quality, ["referrer"]))


def unfinished_sentence(days: pl.DataFrame, quality: pl.DataFrame) -> str:
    """Say which days may not be complete, and which sources have brought nothing later; nothing if all are complete."""
    dates = days.filter(~pl.col("is_complete"))["date"].to_list()
    if not dates:
        return ""
    left_out = "is" if len(dates) == 1 else "are"
    said = f"{span(dates[0], dates[-1])} may not be complete"
    said += f", and {left_out} left out of comparisons" if weeks_of(days) else ""
    heard = quality.filter(pl.col("source").is_in(list(EVENTS)), pl.col("rows_accepted") + pl.col("rows_duplicate") > 0)
    last = heard.group_by("source").agg(pl.col("date").max()).filter(pl.col("date") == dates[0])["source"].sort()
    if len(dates) == 1 or last.is_empty():
        return f"{said}."
    return f"{said}: the last records of {listed(last.to_list())} are of {span(dates[0], dates[0])}."


def _calendar(days: DayRange) -> list[dt.date]:
    return pl.date_range(days.first, days.last, eager=True).to_list()


def _dates(dates: Collection[dt.date]) -> str:
    ranges = [span(each.first, each.last) for each in day_ranges(set(dates))]
    more = len(ranges) - _NAMED
    return listed(ranges if more <= 0 else [*ranges[:_NAMED], f"{more} more periods"])
