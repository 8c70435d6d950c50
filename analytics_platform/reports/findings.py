"""Puts a report together: headline figures; for each question a sentence, a plot and small tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

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


def _section(
    name: str,
    title: str,
    frame: pl.DataFrame,
    sentence: Callable[[pl.DataFrame], str],
    plot: Callable[[pl.DataFrame, bool], bytes],
    table: Callable[[pl.DataFrame], Table | None],
) -> Section:
    """A section made from one frame, with a plot if the frame has rows."""
    drawn = _draw(lambda narrow: plot(frame, narrow), not frame.is_empty())
    return Section(name, title, sentence(frame), drawn, _kept(table(frame)))


def _sections(facts: Facts, limit: float) -> tuple[Section, ...]:
    return (
        _section(
            "daily_trends",
            "Daily trends",
            facts.days,
            sentences.trends_sentence,
            plots.trends_plot,
            tables.trends_table,
        ),
        _funnel(facts),
        _attribution(facts),
        _section(
            "devices", "Devices", facts.devices, sentences.devices_sentence, plots.devices_plot, tables.devices_table
        ),
        *_product_sections(facts),
        *_user_sections(facts),
        _quality(facts, limit),
    )


def _product_sections(facts: Facts) -> tuple[Section, ...]:
    return (
        _section(
            "top_products",
            "Top products",
            facts.products,
            sentences.products_sentence,
            plots.products_plot,
            tables.products_table,
        ),
        _section(
            "product_lists",
            "Product lists by engagement",
            facts.lists,
            sentences.lists_sentence,
            plots.lists_plot,
            tables.lists_table,
        ),
        _section(
            "view_to_purchase",
            "From view to purchase",
            facts.bought,
            sentences.bought_sentence,
            plots.bought_plot,
            tables.bought_table,
        ),
    )


def _user_sections(facts: Facts) -> tuple[Section, ...]:
    return (
        _section(
            "customers",
            "Most active customers",
            facts.customers,
            sentences.customers_sentence,
            plots.customers_plot,
            tables.customers_table,
        ),
        _section(
            "orphans",
            "Users who are no known customers",
            facts.orphans,
            sentences.orphans_sentence,
            plots.orphans_plot,
            tables.orphans_table,
        ),
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
