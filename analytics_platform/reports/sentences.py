"""One sentence per section that says what its plot shows.

Names that come from outside are shortened and cleaned of control characters. They are escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

import polars as pl

from analytics_platform.errors import count
from analytics_platform.reports.periods import WEEK, Total, best_day, total_of, weeks_of
from analytics_platform.reports.wording import (
    ENGAGED,
    capital,
    clean,
    currency,
    day,
    label,
    listed,
    moment,
    money,
    percent,
    share,
    whole,
)

Row: TypeAlias = dict[str, Any]
_LEVEL = 0.005
"""Changes smaller than this are called level."""
_Z = 1.96
"""A difference of fewer standard errors than these may be chance."""
_TELLING = 0.05
"""The part of all sessions a device needs before its conversion is named."""


def _moved(name: str, before: Decimal | int, after: Decimal | int, shown: str, remark: str = "") -> str:
    """Say `revenue rose 12 % to 84,120`, for any two numbers, with a remark on the second."""
    if after == 0 < before:
        return f"{name} fell to nothing{remark}"
    shown += remark
    if before == after:
        return f"{name} stayed at {shown}"
    ratio = share(after - before, before)
    if ratio is None:
        return f"{name} came to {shown}, after {'none' if before == 0 else money(Decimal(before))}"
    if abs(ratio) < _LEVEL:
        return f"{name} was level at {shown}"
    return f"{name} {'rose' if ratio > 0 else 'fell'} {percent(abs(ratio))} to {shown}"


def _best(days: pl.DataFrame, years: bool, of: str = "day") -> str:
    measure = next((name for name in ("revenue", "sessions") if days[name].sum() > 0), "orders")
    date, value = best_day(days, measure)
    shown = money(Decimal(value)) if measure == "revenue" else count(int(value), measure[:-1])
    if len(days) > 1 and days[measure].n_unique() == 1:
        return f"{'every day' if of == 'day' else f'each {of}'} had {shown}"
    others = days.filter(pl.col(measure) == value).height - 1
    alike = f", and {count(others, 'other')} had as much" if others else ""
    return f"the {'best' if measure == 'revenue' else 'busiest'} {of} was {day(date, years)} with {shown}{alike}"


def currency_sentence() -> str:
    """Say in which currency amounts are, or that it is not known."""
    known = currency()
    return f"Amounts are in {known}." if known else "The currency of the shop is not known: set SHOP_CURRENCY."


def but(sentence: str, reservations: Sequence[str]) -> str:
    """Add to a sentence what of the data makes it less than it seems; nothing without reservations."""
    return f"{sentence[:-1]}; but {listed(list(reservations))}." if reservations else sentence


def _net(total: Total) -> str:
    """Say what refunds leave of the revenue, and how many are not taken off: their amount is unknown."""
    unknown = f"before {count(total.unknown_refunds, 'refund')} of unknown amount" if total.unknown_refunds else ""
    known = f"{money(total.net_revenue)} after {money(total.refunds)} in refunds" if total.refunds else ""
    said = ", and ".join(filter(None, (known, unknown)))
    return f" ({said})" if said else ""


def _revenue(before: Total, after: Total) -> str:
    """Say how revenue moved, and how many orders are not in it: their amount is unknown, not 0."""
    for week, which in ((after, ""), (before, " of the 7 before")):
        if not week.is_worth_known:
            part = f"{whole(week.unknown)} of {count(week.orders, 'order')}{which}"
            have = "has" if week.unknown == 1 else "have"
            return f"revenue cannot be compared, since {part} {have} an unknown amount,"
    remark = _net(after)
    if after.unknown or before.unknown:
        remark += f" (without {count(after.unknown, 'order')} of unknown amount, {whole(before.unknown)} before)"
    return _moved("revenue", before.revenue, after.revenue, money(after.revenue), remark)


def trends_sentence(days: pl.DataFrame) -> str:
    """Say what the daily trends show: the last week against the one before, or what the few days brought."""
    total = total_of(days)
    if total is None or not (total.sessions or total.orders or total.revenue or total.refunds):
        return "No event tells of a visit or an order yet."
    years = total.first.year != total.last.year
    if (weeks := weeks_of(days)) is not None:
        before, after = weeks
        revenue = _revenue(before, after)
        sessions = _moved("sessions", before.sessions, after.sessions, whole(after.sessions))
        last = days.filter(pl.col("date").is_between(after.first, after.last))
        gaps = " with data" if (after.last - before.first).days >= 2 * WEEK else ""
        week = f"In the 7 days{gaps} to {day(after.last, years)}, against the 7 before"
        return f"{week}, {revenue} and {sessions}; {_best(last, years, f'of these {WEEK}')}."
    revenue = f"{money(total.revenue)} in revenue" if total.revenue else "no revenue"
    orders = count(total.orders, "order") + (f" ({whole(total.unknown)} of unknown amount)" if total.unknown else "")
    if total.is_worth_known:
        orders = f"{orders} and {revenue}{_net(total)}"
    brought = f"brought {count(total.sessions, 'session')}{', ' if total.is_worth_known else ' and '}{orders}"
    if total.days == 1:
        return f"The only day, {day(total.last)}, {brought}."
    return f"The {total.days} days {brought}; {_best(days, years)}."


def funnel_sentence(funnel: pl.DataFrame) -> str:
    """Say how many of the sessions bought, and after which step fewest have the next."""
    steps = funnel.rows(named=True)
    later_only = steps[0]["inferred"] if steps else 0
    have = "has" if later_only == 1 else "have"
    if not steps or steps[0]["sessions"] <= 0:
        return f"No session has a view yet{f'; {whole(later_only)} {have} a later step' if later_only else ''}."
    start, end = steps[0]["sessions"], steps[-1]["after_view"]
    buyers = f"{whole(end)} ({percent(share(end, start))}) {'has' if end == 1 else 'have'}" if end else "none has"
    said = f"Of {count(start, 'session')} with a view, {buyers} a purchase"
    if (bought := steps[-1]["sessions"]) != end:
        said += f" (of all sessions {whole(bought)})"
    # A step that no session has, while some have later ones, is one that the tracker does not send.
    unsent = {step["step"] for step in steps if step["inferred"] and not step["sessions"]}
    rates = [
        (share(after["after_previous"], before["sessions"]) or 0.0, before["step"], after["step"])
        for before, after in pairwise(steps)
        if before["sessions"] > 0 and after["step"] not in unsent
    ]
    rate, before, after = min(rates, key=lambda step: step[0], default=(1.0, "", ""))
    if rate < 1:
        passed = f"{percent(rate)} of the sessions with a {before} have" if rate else f"no session with a {before} has"
        said += f"; the narrowest step is {before} → {after}: {passed} a {after}"
    said += f"; no session has a {' or '.join(sorted(unsent))}" if unsent else ""
    return (
        f"{said}; {count(later_only, 'more session')} without a view {have} a later step." if later_only else f"{said}."
    )


def credit_shares(credits: pl.DataFrame) -> pl.DataFrame:
    """Add each channel's share by `first`, `last` and last non-direct (`indirect`) touch; the highest by last first.

    Shares are of revenue, or of orders where nothing was paid. No rows without orders.
    """
    measure = "revenue" if credits["last_revenue"].sum() > 0 else "orders"
    totals = {model: float(credits[f"{model}_{measure}"].sum()) for model in ("first", "last", "indirect")}
    if min(totals.values()) <= 0:
        return credits.clear()
    shares = {model: pl.col(f"{model}_{measure}").cast(pl.Float64) / total for model, total in totals.items()}
    # As floating point the whole was 0.9999999999999999 of itself, and called 99.9 %.
    return credits.with_columns(**{model: part.round(12) for model, part in shares.items()}).sort(
        "last", "first", "channel", descending=[True, True, False]
    )


def attribution_sentence(credits: pl.DataFrame) -> str:
    """Say who gets the credit by last touch, and for which channel the rule matters most."""
    rows = credit_shares(credits).rows(named=True)
    if not rows:
        return "No order could be credited to a channel yet."
    what = "revenue" if credits["last_revenue"].sum() > 0 else "orders"
    best = rows[0]
    channel = clean(best["channel"])
    if len(rows) == 1:
        return f"{channel} gets the credit for all {what}, by first touch as by last."
    most = f"{percent(best['last'])} ({percent(best['first'])} by first touch)"
    leads = f"By last touch {channel} earns the largest part of the {what}, {most}"
    moved = max(rows, key=lambda row: round(abs(row["last"] - row["first"]), 6))
    less, more = sorted((moved["first"], moved["last"]))
    if more - less < 0.0005:
        how = "agree" if more == less else "differ by less than 0.1 %"
        return f"{leads}; the two rules {how} on every channel."
    if moved is best:
        return f"{leads}: no channel's part differs more between the two."
    better = "last" if moved["last"] == more else "first"
    gives = f"which {better} touch gives {percent(more)} instead of {percent(less)}"
    return f"{leads}; the rule matters most for {clean(moved['channel'])}, {gives}."


def devices_sentence(devices: pl.DataFrame) -> str:
    """Say which device brings most sessions, and on which one they become orders."""
    rows = [row for row in devices.rows(named=True) if row["sessions"] > 0]
    sessions = sum(row["sessions"] for row in rows)
    if not rows:
        return "No session was seen on any device yet."
    # "desktop converts best, 9 % against 2 %" compared it with visits of which nothing says the device.
    nameless = sum(row["sessions"] for row in rows if row["device_type"] == "unknown")
    unnamed = f"{percent(share(nameless, sessions))} of {count(sessions, 'session')} are of an unknown device"
    known = [row for row in rows if row["device_type"] != "unknown"]
    if not known:
        return f"{unnamed}."
    revenue = sum((row["revenue"] for row in rows), Decimal(0))
    most = max(known, key=lambda row: (row["sessions"], row["device_type"]))
    visits = percent(share(most["sessions"], sessions))
    brings = f"{capital(clean(most['device_type']))} brings {visits} of the sessions"
    is_known = most["revenue"] or not most["unknown"]
    if is_known and (part := share(most["revenue"], revenue)) is not None:
        brings += f" and {percent(part)} of the revenue"
    converts = f"no session{' on a known device' if nameless else ''} has led to an order"
    if any(row["converted"] for row in known):
        converts = _best_converting(known, most)
    return f"{brings}; {converts}{f'; {unnamed}' if nameless else ''}."


def _best_converting(rows: Sequence[Row], most: Row) -> str:
    """Say `desktop converts best, 7.2 % against 4.1 %`; devices with few of the sessions of `rows` are left out."""
    sessions = sum(row["sessions"] for row in rows)
    telling = [row for row in rows if row is most or row["sessions"] >= _TELLING * sessions]
    best = max(telling, key=lambda row: (row["converted"] / row["sessions"], row is most, row["device_type"]))
    rate = percent(share(best["converted"], best["sessions"]))
    usual = percent(share(most["converted"], most["sessions"]))
    if best is not most and rate != usual:
        # The lead over the most used device says nothing of the one that converts nearly as well.
        chance = next(filter(None, (_chance(best, row) for row in telling if row is not best)), "")
        said = f"{clean(best['device_type'])} converts best, {rate} against {usual} on {clean(most['device_type'])}"
        return f"{said}{chance}"
    others = [row for row in rows if row is not most]
    next_best = max(others, key=lambda row: row["converted"] / row["sessions"], default=most)
    leads = next_best["converted"] / next_best["sessions"] < most["converted"] / most["sessions"]
    more = f", more than on any other device{_chance(most, next_best)}" if leads else ""
    return f"{usual} of its sessions lead to an order{more}"


def _chance(one: Row, other: Row) -> str:
    """Say that a difference of conversion may be chance, where a two-proportion z-test finds it at 95 %."""
    sessions, bought = (one[name] + other[name] for name in ("sessions", "converted"))
    spread = bought * (sessions - bought) / sessions / (one["sessions"] * other["sessions"])
    difference = one["converted"] / one["sessions"] - other["converted"] / other["sessions"]
    return ", which may be chance" if difference**2 < _Z**2 * spread else ""


def _reconciled(best: Row) -> str:
    """Say how revenue and refunds of all products and of all orders fit together; nothing where both are nothing."""
    said = ""
    for kind, all_kind, rest in (
        (
            "revenue",
            "orders",
            "not itemized (shipping, tax, discounts, items that could not be read or name no known product)",
        ),
        ("refunds", "refunds", "refunds that name no product"),
    ):
        # In cents: 304,016.73 + 12,707.85 was said to be 316,724.57.
        products, orders = (round(best[f"{of}_{kind}"], 2) for of in ("total", "orders"))
        one, other, both = (money(amount, exact=True) for amount in (products, orders - products, orders))
        if products or orders:
            said += f"; products {one} + {rest} {other} = {all_kind} {both}"
    return said


def unnamed_sales(products: pl.DataFrame, total: Total | None) -> list[str]:
    """Say how many orders there are, and what they are worth, where no product with an id was met."""
    if total is None or not total.orders or not products.is_empty():
        return []
    worth = f" of {money(total.revenue, exact=True)}" if total.is_worth_known else ""
    return [f"{count(total.orders, 'order')}{worth} {'names' if total.orders == 1 else 'name'} no product by its id"]


def products_sentence(products: pl.DataFrame) -> str:
    """Say what sold best, and how much of the sales the listed products make; reconcile products with orders."""
    rows = products.rows(named=True)
    if not rows:
        return "No product with an id has been seen or sold yet."
    best, total = rows[0], rows[0]["total_revenue"]
    sold = [row for row in rows if row["orders"] > 0]
    reconciled = _reconciled(best)
    if not sold:
        seen = max(rows, key=lambda row: row["views"])
        viewed = f"the most viewed is “{label(seen, 'product')}” with {count(seen['views'], 'view')}"
        return f"No product has been sold yet; {viewed}{reconciled}."
    part = share(best["revenue"], total)
    if part is None:
        most = f"“{label(sold[0], 'product')}” was ordered most, {count(sold[0]['quantity'], 'piece')}"
        unknown = any(row["unknown"] for row in sold)
        nothing = "no amount is known" if unknown else "the products brought no revenue"
        return f"{most}, but {nothing}{reconciled}."
    made = f"{money(best['revenue'])} from {count(best['orders'], 'order')}"
    first = f"“{label(best, 'product')}” sold best: {made}, {percent(part)} of the revenue of all products"
    if len(sold) < 2 or best["products_sold"] <= len(sold):
        return f"{first}{reconciled}."
    listed_part = percent(share(sum((row["revenue"] for row in sold), Decimal(0)), total))
    return f"{first}; the {len(sold)} best of {whole(best['products_sold'])} make up {listed_part}{reconciled}."


def lists_sentence(lists: pl.DataFrame) -> str:
    """Say which list engages most, and how the least engaging of those listed compares."""
    rows = lists.rows(named=True)
    if not rows:
        return "No product list has been shown yet."
    best, last = rows[0], rows[-1]
    apart = [f"“{label(row, 'list')}”" for row in rows if row["namesakes"]]
    if apart:
        are = "is listed twice" if len(apart) == 1 else "are each listed twice"
        apart = [f"; {listed(apart)} {are}, since some events name a list without its id"]
    if not best["engagement_rate"]:
        if best["lists"] == 1:
            return f"“{label(best, 'list')}” is the only list, and has not led to {ENGAGED} yet."
        return f"None of the {count(best['lists'], 'list')} has led to {ENGAGED} yet{''.join(apart)}."
    of = f"{percent(best['engagement_rate'])} of {count(best['sessions'], 'session')} that met it"
    if len(rows) == 1:
        return f"“{label(best, 'list')}” is the only list: {of} have {ENGAGED} from it."
    first = f"“{label(best, 'list')}” engages most: {of} have {ENGAGED} from it"
    if last["engagement_rate"] == best["engagement_rate"]:
        of = f"{percent(best['engagement_rate'])} of the sessions that met one have {ENGAGED} from it"
        return f"The {len(rows)} lists that engage most are equal: {of}{''.join(apart)}."
    place = "last" if last["lists"] == len(rows) else f"number {len(rows)}"
    among = f"of {whole(last['lists'])} lists “{label(last, 'list')}” is {place}"
    return f"{first}; {among} with {percent(last['engagement_rate'])}{''.join(apart)}."


def bought_sentence(bought: pl.DataFrame) -> str:
    """Say which product turns views into purchases best, among those with at least average views."""
    rows = bought.rows(named=True)
    if not rows:
        return "No product has been viewed, or none as often as it was bought."
    best = rows[0]
    number, average = best["products"], f"{best['average_views']:,.1f}"
    made = f"{count(best['purchases'], 'purchase')} from {count(best['views'], 'view')}"
    rate = percent(best["view_to_purchase_rate"])
    if number == 1:
        only = f"“{label(best, 'product')}” is the only product with at least the average of {average} views"
        return f"{only}: {made}, {rate}." if best["purchases"] else f"{only}; it has not been bought."
    among = f"Among {count(number, 'product')} with at least the average of {average} views"
    if not best["purchases"]:
        return f"{among} none has been bought."
    more = count(best["unviewed"] or 0, "product")
    are = "is" if best["unviewed"] == 1 else "are"
    left_out = f" {more} with more purchases than views {are} left out." if best["unviewed"] else ""
    return f"{among}, “{label(best, 'product')}” turns views into purchases best: {made}, {rate}.{left_out}"


def customers_sentence(customers: pl.DataFrame) -> str:
    """Say who is most active, what they like, when they were last seen."""
    rows = customers.rows(named=True)
    if not rows:
        return "No customer whom the users API or the shop's database knows has been seen yet."
    best = rows[0]
    did = f"{label(best, 'user')} is the most active customer with {count(best['interactions'], 'interaction')}"
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
    """Say how many events are of users who are no known customers, and in which source their share is highest."""
    rows = orphans.rows(named=True)
    total = sum(row["interactions"] for row in rows)
    unknown = sum(row["orphan_interactions"] for row in rows)
    if not rows:
        return "No event has a user id yet."
    if not unknown:
        return f"All users in {count(total, 'event')} are known customers."
    events = f"{percent(share(unknown, total))} of {count(total, 'event')} with a user id"
    of = f"{events} are of users who are no known customers"
    most = max(rows, key=lambda row: (row["orphan_interactions"] / row["interactions"], row["source"]))
    if len(rows) == 1:
        return f"{of} ({count(most['orphans'], 'user')})."
    part = percent(share(most["orphan_interactions"], most["interactions"]))
    return f"{of}; the share is highest in {clean(most['source'])}, {part} ({count(most['orphans'], 'user')})."
