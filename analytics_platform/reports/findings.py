"""Puts a report together: headline figures; for each question a sentence, a plot and small tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from analytics_platform.reports import plots, sentences, tables
from analytics_platform.reports.periods import total_of
from analytics_platform.reports.queries import Facts
from analytics_platform.reports.tables import Table
from analytics_platform.reports.wording import (
    NOTHING,
    count,
    day,
    listed,
    moment,
    money,
    percent,
    span,
    whole,
)

TITLE = "Findings"
NO_DATA = (
    "There is no data yet: nothing has passed the gate. Put files into the landing folder, materialize the "
    "assets, and the findings appear here."
)


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot as PNG: `wide` for a page, `narrow` for a phone."""

    wide: bytes
    narrow: bytes


@dataclass(frozen=True, slots=True)
class Section:
    """One business question. `name` is the file name of its plot."""

    name: str
    title: str
    sentence: str
    plot: Plot | None
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is written down, as plain text that is not escaped yet.

    `about` says what the report covers, `figures` are the headline figures, `notes` what a reader must know.
    """

    title: str
    about: str
    figures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]


def make_report(facts: Facts, as_of: dt.datetime, limit: float) -> Report:
    """The report on `facts`. `as_of` is when it is made, `limit` the highest error rate a day may have."""
    if facts.is_empty:
        return Report(TITLE, f"Made on {moment(as_of)}.", (), (NO_DATA,), ())
    return Report(TITLE, _about(facts, as_of), _figures(facts), _notes(facts), _sections(facts, limit))


def _about(facts: Facts, as_of: dt.datetime) -> str:
    total = total_of(facts.days)
    covers = (
        f"{span(total.first, total.last, year=True)} ({count(total.days, 'day')})" if total else "No day with traffic"
    )
    accepted, duplicate, refused = (
        int(facts.quality[name].sum()) for name in ("rows_accepted", "rows_duplicate", "rows_quarantined")
    )
    read = accepted + duplicate + refused
    loaded = f"; data loaded on {moment(facts.loaded_at)}" if facts.loaded_at else ""
    accepting = f"{whole(accepted)} of {count(read, 'record')} accepted"
    return f"{covers}; {accepting}{loaded}; report made on {moment(as_of)}."


def _figures(facts: Facts) -> tuple[tuple[str, str], ...]:
    total = total_of(facts.days)
    if total is None:
        return ()
    average = money(total.revenue / total.orders) if total.orders else NOTHING
    return (
        ("Sessions", whole(total.sessions)),
        ("Visitors", whole(facts.visitors)),
        ("Orders", whole(total.orders)),
        ("Revenue", money(total.revenue)),
        ("Average order", average),
        ("Conversion", percent(total.conversion)),
    )


def _notes(facts: Facts) -> tuple[str, ...]:
    """What a reader must know to read the numbers right."""
    notes = [
        "Days are UTC. Bots are left out. Visitors are distinct clients over the whole period; "
        "conversion is sessions with an order / sessions. Revenue is in the shop's currency."
    ]
    unfinished = [day(date) for date in facts.days.filter(~facts.days["is_complete"])["date"]]
    if unfinished:
        one = len(unfinished) == 1
        notes.append(
            f"{listed(unfinished)} {'was' if one else 'were'} not over when the data arrived, "
            f"and {'is' if one else 'are'} left out of comparisons."
        )
    return tuple(notes)


def _draw(plot: Callable[[bool], bytes], has_data: bool) -> Plot | None:
    return Plot(plot(False), plot(True)) if has_data else None


def _kept(*made: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in made if table is not None)


def _sections(facts: Facts, limit: float) -> tuple[Section, ...]:
    return (
        _trends(facts),
        _funnel(facts),
        _attribution(facts),
        _devices(facts),
        _products(facts),
        _lists(facts),
        _bought(facts),
        _customers(facts),
        _orphans(facts),
        _quality(facts, limit),
    )


def _trends(facts: Facts) -> Section:
    days = facts.days
    plot = _draw(lambda narrow: plots.trends_plot(days, narrow), not days.is_empty())
    return Section(
        "daily_trends",
        "Daily trends",
        sentences.trends_sentence(days),
        plot,
        _kept(tables.trends_table(days)),
    )


def _funnel(facts: Facts) -> Section:
    funnel = facts.funnel
    plot = _draw(lambda narrow: plots.funnel_plot(funnel, narrow), funnel["sessions"].sum() > 0)
    return Section("funnel", "Funnel", sentences.funnel_sentence(funnel), plot, _kept(tables.funnel_table(funnel)))


def _attribution(facts: Facts) -> Section:
    credits = facts.credits
    plot = _draw(lambda narrow: plots.attribution_plot(credits, narrow), bool(sentences.credit_shares(credits)))
    return Section(
        "attribution",
        "Channels: first touch against last touch",
        sentences.attribution_sentence(credits),
        plot,
        _kept(tables.attribution_table(credits)),
    )


def _devices(facts: Facts) -> Section:
    devices = facts.devices
    plot = _draw(lambda narrow: plots.devices_plot(devices, narrow), not devices.is_empty())
    return Section(
        "devices", "Devices", sentences.devices_sentence(devices), plot, _kept(tables.devices_table(devices))
    )


def _products(facts: Facts) -> Section:
    products = facts.products
    plot = _draw(lambda narrow: plots.products_plot(products, narrow), not products.is_empty())
    return Section(
        "top_products",
        "Top products",
        sentences.products_sentence(products),
        plot,
        _kept(tables.products_table(products)),
    )


def _lists(facts: Facts) -> Section:
    lists = facts.lists
    plot = _draw(lambda narrow: plots.lists_plot(lists, narrow), not lists.is_empty())
    return Section(
        "product_lists",
        "Product lists by engagement",
        sentences.lists_sentence(lists),
        plot,
        _kept(tables.lists_table(lists)),
    )


def _bought(facts: Facts) -> Section:
    bought = facts.bought
    plot = _draw(lambda narrow: plots.bought_plot(bought, narrow), not bought.is_empty())
    return Section(
        "view_to_purchase",
        "From view to purchase",
        sentences.bought_sentence(bought),
        plot,
        _kept(tables.bought_table(bought)),
    )


def _customers(facts: Facts) -> Section:
    customers = facts.customers
    plot = _draw(lambda narrow: plots.customers_plot(customers, narrow), not customers.is_empty())
    return Section(
        "customers",
        "Most active customers",
        sentences.customers_sentence(customers),
        plot,
        _kept(tables.customers_table(customers)),
    )


def _orphans(facts: Facts) -> Section:
    orphans = facts.orphans
    plot = _draw(lambda narrow: plots.orphans_plot(orphans, narrow), not orphans.is_empty())
    return Section(
        "orphans",
        "Users who are no known customers",
        sentences.orphans_sentence(orphans),
        plot,
        _kept(tables.orphans_table(orphans)),
    )


def _quality(facts: Facts, limit: float) -> Section:
    quality, reasons = facts.quality, facts.reasons
    plot = _draw(
        lambda narrow: plots.quality_plot(quality, reasons, limit, narrow),
        not (quality.is_empty() and reasons.is_empty()),
    )
    return Section(
        "data_quality",
        "Data quality",
        sentences.quality_sentence(quality, reasons, limit),
        plot,
        _kept(tables.quality_table(quality), tables.reasons_table(reasons)),
    )
