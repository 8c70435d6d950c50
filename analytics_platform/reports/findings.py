"""Puts the findings together: headline figures; for each question a sentence, a plot and small tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from analytics_platform.reports import plots, sentences, tables
from analytics_platform.reports.drawing import Plot, draw
from analytics_platform.reports.facts import Facts
from analytics_platform.reports.periods import total_of
from analytics_platform.reports.tables import TextTable
from analytics_platform.reports.wording import count, day, listed, moment, money, percent, shown, span, whole

TITLE = "Findings"
NO_DATA = (
    "There is no data yet: no record was loaded. Put files into the landing folder and materialize the assets; "
    "then the findings appear here."
)


@dataclass(frozen=True, slots=True)
class Section:
    """One business question. `name` is the file name of its plot."""

    name: str
    title: str
    sentence: str
    plot: Plot | None
    tables: tuple[TextTable, ...]


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
    """Make the report on `facts`. `as_of` is when it is made, `limit` the highest error rate a day may have."""
    if facts.is_empty:
        return Report(TITLE, f"Made on {moment(as_of)}.", (), (NO_DATA,), ())
    return Report(TITLE, _about(facts, as_of), _figures(facts), _notes(facts), _sections(facts, limit))


def _about(facts: Facts, as_of: dt.datetime) -> str:
    """Say which days and records the report covers, and when it was made."""
    total = total_of(facts.days)
    days = (
        f"{span(total.first, total.last, year=True)} ({count(total.days, 'day')})" if total else "No day with traffic"
    )
    numbers = facts.quality.select("rows_accepted", "rows_duplicate", "rows_quarantined").sum().row(0)
    accepted = f"{whole(numbers[0])} of {count(sum(numbers), 'record')} accepted"
    loaded = f"; data loaded on {moment(facts.loaded_at)}" if facts.loaded_at else ""
    return f"{days}; {accepted}{loaded}; report made on {moment(as_of)}."


def _figures(facts: Facts) -> tuple[tuple[str, str], ...]:
    total = total_of(facts.days)
    if total is None:
        return ()
    return (
        ("Sessions", whole(total.sessions)),
        ("Visitors", whole(facts.visitors)),
        ("Orders", whole(total.orders)),
        ("Revenue", money(total.revenue)),
        ("Average order", shown(total.average_order)),
        ("Conversion", percent(total.conversion)),
    )


def _notes(facts: Facts) -> tuple[str, ...]:
    """Say what a reader must know to read the numbers right."""
    basis = (
        "Days are UTC. Bots are left out. Visitors are distinct clients over the whole period; "
        "conversion is sessions with an order / sessions. Revenue is in the shop's currency."
    )
    unfinished = [day(date) for date in facts.days.filter(~facts.days["is_complete"])["date"]]
    if not unfinished:
        return (basis,)
    was, is_left = ("was", "is") if len(unfinished) == 1 else ("were", "are")
    left_out = f"{was} not over when the data arrived, and {is_left} left out of comparisons"
    return (basis, f"{listed(unfinished)} {left_out}.")


_SECTIONS = (
    ("daily_trends", "Daily trends", "trends", "days"),
    ("funnel", "Funnel", "funnel", "funnel"),
    ("attribution", "Channels: first touch against last touch", "attribution", "credits"),
    ("devices", "Devices", "devices", "devices"),
    ("top_products", "Top products", "products", "products"),
    ("product_lists", "Product lists by engagement", "lists", "lists"),
    ("view_to_purchase", "From view to purchase", "bought", "bought"),
    ("customers", "Most active customers", "customers", "customers"),
    ("orphans", "Users who are no known customers", "orphans", "orphans"),
)
"""Name and title of a section, what its sentence, plot and table are called, and the frame of `Facts` they are from."""


def _sections(facts: Facts, limit: float) -> tuple[Section, ...]:
    """Make the sections, each with a plot if its table has rows."""
    made = []
    for name, title, subject, source in _SECTIONS:
        frame = getattr(facts, source)
        sentence = getattr(sentences, f"{subject}_sentence")(frame)
        table = getattr(tables, f"{subject}_table")(frame)
        plot = draw(getattr(plots, f"{subject}_plot"), frame) if table else None
        made.append(Section(name, title, sentence, plot, (table,) if table else ()))
    return (*made, _quality(facts, limit))


def _quality(facts: Facts, limit: float) -> Section:
    quality, reasons = facts.quality, facts.reasons
    shown = tuple(filter(None, (tables.quality_table(quality), tables.reasons_table(reasons))))
    plot = None if quality.is_empty() else draw(plots.errors_plot, quality, limit)
    return Section("data_quality", "Data quality", sentences.quality_sentence(quality, reasons, limit), plot, shown)
