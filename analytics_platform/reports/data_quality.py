"""What report and pages say of the data itself: what was rejected, and what was kept and is in no figure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import polars as pl

from analytics_platform.contracts.event_names import CALLS_ABOUT_PEOPLE
from analytics_platform.errors import count
from analytics_platform.reports.wording import (
    capital,
    clean,
    currency,
    day,
    listed,
    money,
    percent,
    share,
    threshold,
    whole,
)

Day: TypeAlias = tuple[dt.date, str]
"""A day and a source."""


def unknown_sentence(unknown: pl.DataFrame, unconverted: Sequence[str]) -> str:
    """Say which amounts of orders, refunds and records are in no sum, and for each reason of how many; else nothing.

    `unconverted` are the currencies of events that could not be converted into the shop's.
    """
    if unknown.is_empty():
        return ""
    named = listed(list(unconverted)) if unconverted else "their currency"
    causes = {
        "no value": "without value",
        "no exchange rate": f"without a rate of {named} to {currency()}",
        "no SHOP_CURRENCY": f"without SHOP_CURRENCY, which says what {named} are converted to",
        "items in several currencies": "without a currency of their own beside items in several",
        "no order with a known amount": "without an order whose amount is known",
        "items of unknown amount": "of items whose amount in the order is not known",
    }
    said = []
    for kind in ("order", "refund"):
        found = unknown.filter(pl.col("kind") == kind, pl.col("reason").is_in(list(causes)))
        why = ", ".join(f"{whole(events)} {causes[reason]}" for reason, events in found[["reason", "events"]].rows())
        if len(found) == 1:  # "9 orders: 9 without value"
            why = f"{'all ' if found['events'][0] > 1 else ''}{causes[found['reason'][0]]}"
        if number := int(found["events"].sum()):
            have = "has" if number == 1 else "have"
            said.append(f"{count(number, kind)} {have} an unknown amount, which is in no sum: {why}.")
    for row in unknown.filter(reason="more than the order").rows(named=True):
        ask = "asks for more than its order" if row["events"] == 1 else "ask for more than their orders"
        said.append(f"{count(row['events'], 'refund')} {ask}: {money(row['excess'])} is in no sum.")
    for row in unknown.filter(reason="order of unknown amount").rows(named=True):
        said.append(
            f"{count(row['events'], 'refund')} of orders of unknown amount: {money(row['excess'])} is in no sum."
        )
    for row in unknown.filter(reason="another amount in a repeat").rows(named=True):
        said.append(f"{count(row['events'], 'order')} came again with another amount: the first one counts.")
    for row in unknown.filter(kind="record").rows(named=True):
        were = "record was" if row["events"] == 1 else "records were"
        said.append(f"{whole(row['events'])} {were} rejected for an unreadable amount or quantity (ops.quarantine).")
    return " ".join(said)


def bots_sentence(of_bots: int, events: int) -> str:
    """Say how many of the events are of bots; nothing without any."""
    are = "is" if of_bots == 1 else "are"
    said = f"{whole(of_bots)} of {count(events, 'event')} {are} of bots and in no figure of the shop."
    return said if of_bots else ""


def unread_sentence(unread: Mapping[str, Sequence[str]], bots: str = "") -> str:
    """Say what became of the `files`, `amounts`, `events` and `fields` that are not fully counted, after `bots`."""
    # An event without a meaning makes a session all the same: to say that it is in no figure was not true.
    became = {
        "files": "some files or batches were not read",
        "amounts": "some amounts are in no sum",
        "events": "some events have an unknown name and count in sessions and interactions only",
        "fields": "some fields are in no figure",
    }
    calls = [name for name in CALLS_ABOUT_PEOPLE if any(repr(name) in text for text in unread.get("events", ()))]
    if calls:
        became["events"] += f", {listed(calls)} in sessions only"
    said = [became[kind] for kind, texts in unread.items() if texts]
    # A load of bots' events only was said to be counted, every event of it.
    all_others = f"Every{' other' if bots else ''} event, amount and field of the loaded records is counted."
    return " ".join(filter(None, (bots, f"{capital(listed(said))}." if said else all_others)))


def day_errors(quality: pl.DataFrame) -> pl.DataFrame:
    """Return date, source and error `rate`, of days and sources with records."""
    read = pl.sum_horizontal("rows_accepted", "rows_duplicate", "rows_quarantined")
    return quality.filter(read > 0).select("date", "source", rate=pl.col("rows_quarantined") / read)


def quality_sentence(quality: pl.DataFrame, reasons: pl.DataFrame, limit: float, checked: Collection[Day] = ()) -> str:
    """Say how much was accepted and rejected, the most common reason, and the worst day against the limit.

    `checked` are the days and sources above the limit for which the check error_rate fails.
    """
    numbers = quality.select("rows_accepted", "rows_duplicate", "rows_quarantined").sum().row(0)
    read = sum(numbers)
    if read <= 0:
        return "No record of any day has been read yet."
    accepted, duplicate, rejected = (percent(share(part, read)) for part in numbers)
    parts = f"Of {count(read, 'record')} {accepted} were accepted and {duplicate} were duplicates"
    if not numbers[2]:
        return f"{parts}; none was rejected."
    why = f", most often for “{clean(reasons['reason'][0])}”" if len(reasons) else ""
    return f"{parts}; {rejected} were rejected{why}, {_worst_day(day_errors(quality), limit, checked)}."


def _worst_day(errors: pl.DataFrame, limit: float, checked: Collection[Day]) -> str:
    worst = errors.sort("rate", "date", "source", descending=[True, False, False]).row(0, named=True)
    on = day(worst["date"], errors["date"].dt.year().n_unique() > 1)
    where = f"{clean(worst['source'])} on {on}" if errors["source"].n_unique() > 1 else on
    over = errors.filter(pl.col("rate") > limit).select("date", "source").rows()
    if not over:
        return f"and no day went over the limit of {threshold(limit)} (the worst, {where}: {percent(worst['rate'])})"
    said = f"and {count(len({date for date, _ in over}), 'day')} went over the limit of {threshold(limit)}, "
    said += f"{where} the farthest with {percent(worst['rate'])}"
    if passed := len(set(over) - set(checked)):
        part = "all" if passed == len(over) else str(passed)
        which = "it" if len(over) == 1 else f"{part} of these {len(over)} days and sources"
        why = "too few records to check, or a person accepted or mended them since"
        said += f" (the check error_rate passes {which}: {why})"
    return said
