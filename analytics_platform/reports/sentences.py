"""One sentence per section that says what its plot shows. Pure: the same frame gives the same sentence.

Names that come from outside are cleaned of control characters and shortened, but not escaped: that is the
business of who writes the sentence down.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

import polars as pl

from analytics_platform.reports.periods import Total, Weeks, best_day, total_of, weeks_of
from analytics_platform.reports.wording import (
    capital,
    clean,
    count,
    day,
    listed,
    moment,
    money,
    percent,
    share,
    threshold,
    whole,
)

Row: TypeAlias = dict[str, Any]

_LEVEL = 0.005
"""Changes smaller than this are called level."""
_TELLING = 0.05
"""The part of all sessions a device needs before its conversion is worth naming."""


def _moved(name: str, before: Decimal | int, after: Decimal | int, shown: str) -> str:
    """`revenue rose 12 % to 84,120`, for any two numbers."""
    if before == after:
        return f"{name} stayed at {shown}"
    ratio = share(after - before, before)
    if ratio is None:
        return f"{name} came to {shown}, after {'none' if before == 0 else money(Decimal(before))}"
    if after == 0:
        return f"{name} fell to nothing"
    if abs(ratio) < _LEVEL:
        return f"{name} was level at {shown}"
    return f"{name} {'rose' if ratio > 0 else 'fell'} {percent(abs(ratio))} to {shown}"


def _best(days: pl.DataFrame, years: bool) -> str:
    measure = next((name for name in ("revenue", "sessions") if days[name].sum() > 0), "orders")
    date, value = best_day(days, measure)
    shown = money(Decimal(value)) if measure == "revenue" else count(int(value), measure[:-1])
    return f"the {'best' if measure == 'revenue' else 'busiest'} day was {day(date, years)} with {shown}"


def _compared(days: pl.DataFrame, weeks: Weeks, years: bool) -> str:
    before, after = weeks.before, weeks.after
    last = days.filter(pl.col("date").is_between(after.first, after.last))
    moves = [
        _moved("revenue", before.revenue, after.revenue, money(after.revenue)),
        _moved("sessions", before.sessions, after.sessions, whole(after.sessions)),
    ]
    week = f"In the 7 days to {day(after.last, years)}, against the 7 before"
    return f"{week}, {listed(moves)}; {_best(last, years)}."


def _summed(total: Total) -> str:
    parts = [count(total.sessions, "session"), count(total.orders, "order")]
    return listed([*parts, f"{money(total.revenue)} in revenue" if total.revenue else "no revenue"])


def trends_sentence(days: pl.DataFrame) -> str:
    """What the daily trends show: the last week against the one before, or what the few days brought."""
    total = total_of(days)
    if total is None or not (total.sessions or total.orders or total.revenue):
        return "There was no traffic and there were no orders yet."
    years = total.first.year != total.last.year
    weeks = weeks_of(days)
    if weeks is not None:
        return _compared(days, weeks, years)
    if total.days == 1:
        return f"The only day, {day(total.last)}, brought {_summed(total)}."
    return f"The {total.days} days brought {_summed(total)}; {_best(days, years)}."


def funnel_sentence(funnel: pl.DataFrame) -> str:
    """How many of the sessions bought, and at which step most of them stayed behind."""
    steps = funnel.rows(named=True)
    if not steps or steps[0]["sessions"] <= 0:
        return "No session has entered the funnel yet."
    start, end = steps[0]["sessions"], steps[-1]["sessions"]
    buyers = f"{whole(end)} ({percent(share(end, start))})" if end else "none"
    bought = f"{buyers} ended in a purchase"
    rates = [
        (rate, before["step"], after["step"])
        for before, after in pairwise(steps)
        if (rate := share(after["sessions"], before["sessions"])) is not None
    ]
    of = f"Of {count(start, 'session')} with a view, {bought}"
    if not rates or min(rates)[0] >= 1:
        return f"{of}: nobody was lost on the way."
    rate, before, after = min(rates, key=lambda step: step[0])
    passed = f"{percent(rate)} went on" if rate else "nobody went on"
    return f"{of}; the narrowest step is {before} → {after}, where {passed}."


def credit_shares(credits: pl.DataFrame) -> list[tuple[str, float, float, float]]:
    """Channel and its share by first, last and last non-direct touch; the highest by last touch first.

    Shares are of revenue, or of orders where nothing was paid. Empty without orders.
    """
    measure = "revenue" if credits["last_revenue"].sum() > 0 else "orders"
    models = ("first", "last", "indirect")
    totals = [Decimal(credits[f"{model}_{measure}"].sum()) for model in models]
    if min(totals) <= 0:
        return []
    first, last, indirect = (
        [share(part, total) or 0.0 for part in credits[f"{model}_{measure}"]]
        for model, total in zip(models, totals, strict=True)
    )
    found = zip(credits["channel"], first, last, indirect, strict=True)
    return sorted(found, key=lambda shares: (-shares[2], -shares[1], shares[0]))


def attribution_sentence(credits: pl.DataFrame) -> str:
    """Who gets the credit by last touch, and for which channel the rule matters most."""
    shares = credit_shares(credits)
    if not shares:
        return "No order could be credited to a channel yet."
    what = "revenue" if credits["last_revenue"].sum() > 0 else "orders"
    channel, first, last, _ = shares[0]
    if len(shares) == 1:
        return f"{channel} gets the credit for all {what}, by first touch as by last."
    most = f"{percent(last)} ({percent(first)} by first touch)"
    leads = f"By last touch {channel} earns the largest part of the {what}, {most}"
    moved, by_first, by_last, _ = max(shares, key=lambda row: round(abs(row[2] - row[1]), 6))
    points = abs(by_last - by_first) * 100
    if points < 0.05:
        return f"{leads}; the two rules agree on every channel."
    if moved == channel:
        return f"{leads}: no channel depends more on the rule."
    better = "last" if by_last > by_first else "first"
    return (
        f"{leads}; the rule matters most for {moved}, which {better} touch gives "
        f"{percent(max(by_first, by_last))} instead of {percent(min(by_first, by_last))}."
    )


def devices_sentence(devices: pl.DataFrame) -> str:
    """Where the visits come from, and on which device they become orders."""
    rows = [row for row in devices.rows(named=True) if row["sessions"] > 0]
    sessions = sum(row["sessions"] for row in rows)
    if not rows:
        return "No session was seen on any device yet."
    revenue = sum((row["revenue"] for row in rows), Decimal(0))
    most = max(rows, key=lambda row: (row["sessions"], row["device_type"]))
    visits = percent(share(most["sessions"], sessions))
    brings = f"{capital(clean(most['device_type']))} brings {visits} of the sessions"
    if (part := share(most["revenue"], revenue)) is not None:
        brings += f" and {percent(part)} of the revenue"
    return f"{brings}; {_best_converting(rows, most, sessions)}."


def _best_converting(rows: Sequence[Row], most: Row, sessions: int) -> str:
    """`desktop converts best, 7.2 % against 4.1 %`; devices with hardly any sessions are left out."""
    if not any(row["converted"] for row in rows):
        return "no session has led to an order"
    telling = [row for row in rows if row["sessions"] >= _TELLING * sessions]
    best = max(telling, key=lambda row: (row["converted"] / row["sessions"], row is most, row["device_type"]))
    rate = percent(share(best["converted"], best["sessions"]))
    if best is not most:
        usual = percent(share(most["converted"], most["sessions"]))
        return f"{clean(best['device_type'])} converts best, {rate} against {usual}"
    others = [row["converted"] / row["sessions"] for row in rows if row is not most]
    leads = bool(others) and max(others) < best["converted"] / best["sessions"]
    return f"{rate} of its sessions lead to an order" + (", more than on any other device" if leads else "")


def product_label(row: Row, longest: int = 60) -> str:
    """The product's name, or its id where it has none."""
    return clean(row["product_name"], longest) or clean(row["product_id"], longest) or "(no name)"


def products_sentence(products: pl.DataFrame) -> str:
    """What sold best, and how much of the sales the listed products make."""
    rows = products.rows(named=True)
    if not rows:
        return "No product has been seen or sold yet."
    best, total = rows[0], rows[0]["total_revenue"]
    sold = [row for row in rows if row["orders"] > 0]
    if not sold:
        seen = max(rows, key=lambda row: row["views"])
        views = count(seen["views"], "view")
        return f"No product has been sold yet; the most viewed is “{product_label(seen)}” with {views}."
    part = share(best["revenue"], total)
    if part is None:
        pieces = count(sold[0]["quantity"], "piece")
        return f"“{product_label(sold[0])}” was ordered most, {pieces}, but the products brought no revenue."
    first = (
        f"“{product_label(best)}” sold best: {money(best['revenue'])} from {count(best['orders'], 'order')}, "
        f"{percent(part)} of what all products sold for"
    )
    if len(sold) < 2 or best["products_sold"] <= len(sold):
        return f"{first}."
    listed_part = percent(share(sum((row["revenue"] for row in sold), Decimal(0)), total))
    return f"{first}; the {len(sold)} best of {whole(best['products_sold'])} make up {listed_part}."


def list_label(row: Row, longest: int = 60) -> str:
    """The list's name, or its id where it has none."""
    return clean(row["list_name"], longest) or clean(row["list_id"], longest) or "(no name)"


def lists_sentence(lists: pl.DataFrame) -> str:
    """Which list engages most, and how the least engaging of those listed compares."""
    rows = lists.rows(named=True)
    if not rows:
        return "No product list has been met yet."
    best, last = rows[0], rows[-1]
    if not best["engagement_rate"]:
        return f"None of the {count(best['lists'], 'list')} has led to a click, a cart or a purchase yet."
    of = f"{percent(best['engagement_rate'])} of {count(best['sessions'], 'session')} with it"
    first = f"“{list_label(best)}” engages most: {of} have a click, a cart or a purchase from it"
    if len(rows) == 1:
        return f"{first}; it is the only list."
    place = "last" if last["lists"] == len(rows) else f"number {len(rows)}"
    among = f"of {whole(last['lists'])} lists “{list_label(last)}” is {place}"
    return f"{first}; {among} with {percent(last['engagement_rate'])}."


def bought_sentence(bought: pl.DataFrame) -> str:
    """Which product turns views into purchases best, among those with at least average views."""
    rows = bought.rows(named=True)
    if not rows:
        return "No product has been viewed yet."
    best = rows[0]
    number, average = best["products"], f"{best['average_views']:,.1f}"
    among = f"Among {count(number, 'product')} with at least the average of {average} views"
    if not best["purchases"]:
        return f"{among} none has been bought."
    made = f"{count(best['purchases'], 'purchase')} from {count(best['views'], 'view')}"
    rate = percent(best["view_to_purchase_rate"])
    return f"{among}, “{product_label(best)}” turns views into purchases best: {made}, {rate}."


def customer_label(row: Row, longest: int = 60) -> str:
    """The customer's name, or the id where there is none."""
    return clean(row["name"], longest) or clean(row["user_id"], longest) or "(no name)"


def customers_sentence(customers: pl.DataFrame) -> str:
    """Who is most active, what they like, when they were last seen."""
    rows = customers.rows(named=True)
    if not rows:
        return "No known customer has been seen yet."
    best = rows[0]
    did = f"{customer_label(best)} is the most active customer with {count(best['interactions'], 'interaction')}"
    seen = f"last seen on {moment(best['last_active_at'])}"
    favourite = clean(best["favourite_product"])
    views = count(best["favourite_views"], "view")
    likes = f"; favourite product “{favourite}” ({views})" if favourite else ""
    if len(rows) == 1:
        return f"{did}, {seen}{likes}."
    part = percent(share(sum(row["interactions"] for row in rows), best["all_interactions"]))
    top = f"the {len(rows)} listed make up {part} of what {count(best['customers'], 'customer')} did"
    return f"{did}, {seen}{likes}; {top}."


def orphans_sentence(orphans: pl.DataFrame) -> str:
    """How many of the users that events name the users API does not know, and which source names most of them."""
    rows = orphans.rows(named=True)
    total = sum(row["interactions"] for row in rows)
    unknown = sum(row["orphan_interactions"] for row in rows)
    if not rows:
        return "No event names a user yet."
    if not unknown:
        return f"All users that {count(total, 'event')} name are known customers."
    of = f"{percent(share(unknown, total))} of {count(total, 'event')} with a user name one who is no known customer"
    most = max(rows, key=lambda row: (row["orphan_interactions"] / row["interactions"], row["source"]))
    if len(rows) == 1:
        return f"{of} ({count(most['orphans'], 'user')})."
    part = percent(share(most["orphan_interactions"], most["interactions"]))
    return f"{of}; {clean(most['source'])} has the largest part, {part} ({count(most['orphans'], 'user')})."


def day_errors(quality: pl.DataFrame) -> list[tuple[dt.date, str, float]]:
    """Day, source and the part of its records that was refused; days without records are left out."""
    read = pl.sum_horizontal("rows_accepted", "rows_duplicate", "rows_quarantined")
    counted = quality.select("date", "source", "rows_quarantined", read=read)
    return [
        (row["date"], row["source"], row["rows_quarantined"] / row["read"])
        for row in counted.rows(named=True)
        if row["read"] > 0
    ]


def quality_sentence(quality: pl.DataFrame, reasons: pl.DataFrame, limit: float) -> str:
    """How much was accepted and refused, the most common reason, and the worst day against the limit."""
    accepted, duplicate, refused = (
        int(quality[name].sum()) for name in ("rows_accepted", "rows_duplicate", "rows_quarantined")
    )
    read = accepted + duplicate + refused
    if read <= 0:
        return "No record of any day has been read yet."
    kept, seen, lost = (percent(share(part, read)) for part in (accepted, duplicate, refused))
    parts = f"Of {count(read, 'record')} {kept} were accepted and {seen} were duplicates"
    if not refused:
        return f"{parts}; none was refused."
    why = f", most often for “{clean(reasons['reason'][0])}”" if len(reasons) else ""
    return f"{parts}; {lost} were refused{why}, {_worst_day(quality, limit)}."


def _worst_day(quality: pl.DataFrame, limit: float) -> str:
    errors = day_errors(quality)
    date, source, rate = min(errors, key=lambda error: (-error[2], error[0], error[1]))
    over = len({error[0] for error in errors if error[2] > limit})
    several = len({error[1] for error in errors}) > 1
    on = day(date, errors[0][0].year != errors[-1][0].year)
    where = f"{clean(source)} on {on}" if several else on
    if over:
        days = count(over, "day")
        return f"and {days} went over the limit of {threshold(limit)}, {where} the farthest with {percent(rate)}"
    return f"and no day went over the limit of {threshold(limit)} (the worst, {where}: {percent(rate)})"
