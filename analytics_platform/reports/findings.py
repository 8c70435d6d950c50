"""The findings: headline figures; for each question a sentence, a plot and small tables; written into a folder.

Import this module only where a report is made: matplotlib takes long to load.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from analytics_platform.errors import count
from analytics_platform.reports import customers, data_quality, plots, queries, records, sentences, tables
from analytics_platform.reports.coverage import (
    NEEDS,
    bad_days,
    channel_gaps,
    days_of_bots,
    differences,
    empty_columns,
    lone_refunds,
    lost_purchases,
    missing_orders,
    silences,
    unevenness,
    unfinished_sentence,
    unknown_amounts,
    unknown_refunds,
    unread_files,
    untold_orders,
)
from analytics_platform.reports.drawing import Plot, draw
from analytics_platform.reports.periods import total_of, weeks_of
from analytics_platform.reports.queries import ALL_DAYS
from analytics_platform.reports.render import render_html, render_markdown
from analytics_platform.reports.tables import TextTable
from analytics_platform.reports.wording import (
    amounts_in,
    capital,
    figure,
    listed,
    moment,
    percent,
    shown,
    span,
    whole,
)
from analytics_platform.sources.arrivals.files import Left
from analytics_platform.sources.registry import EVENTS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.error_rate import days_above
from analytics_platform.warehouse.ledger import unloaded_batches
from analytics_platform.warehouse.watchdog import shop_currency, unknown_events, unread_fields

TITLE = "Findings"
LEFT_OUT = "Not fully counted"
NO_DATA = (
    "There is no data yet: no record was loaded. Put files into the landing folder and materialize the assets; "
    "then the findings appear here."
)

_REASONS = 8
_TELLING = 0.01
"""Share of the orders from which on rejected purchases are named beside every sentence on revenue."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the findings are made from. `days` has a row for every day from the first to the last with traffic.

    `frames` are those that `_SECTIONS` name. Amounts are in `currency`; those in `unconverted` currencies are unknown.
    `unknown_events` and `unread_fields` name what came and has no meaning to the platform. For `days_above` the check
    error_rate fails. `untold` are orders that only the shop's database has, and those of them that are cancelled.
    `bots` are the events of bots, and all events; on `days_of_bots` nobody else came.
    `unread_files` says of each source which files and batches were not read, and why.
    """

    days: pl.DataFrame
    visitors: int
    frames: Mapping[str, pl.DataFrame]
    quality: pl.DataFrame
    reasons: pl.DataFrame
    loaded_at: dt.datetime | None
    unknown: pl.DataFrame
    currency: str = ""
    unconverted: Sequence[str] = ()
    unknown_events: Sequence[str] = ()
    unread_fields: Sequence[str] = ()
    days_above: Collection[data_quality.Day] = ()
    untold: tuple[int, int] = (0, 0)
    bots: tuple[int, int] = (0, 0)
    days_of_bots: Collection[dt.date] = ()
    unread_files: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all to report."""
        return self.days.is_empty() and self.quality.is_empty() and self.reasons.is_empty()


_SECTIONS: Sequence[tuple[str, str, str, Callable[[Session], pl.DataFrame]]] = (
    ("funnel", "Funnel", "funnel", queries.read_funnel),
    ("attribution", "Channels: first touch against last touch", "attribution", queries.read_credits),
    ("devices", "Devices", "devices", queries.read_devices),
    ("top_products", "Top products", "products", queries.read_products),
    ("product_lists", "Product lists by engagement", "lists", queries.read_lists),
    ("view_to_purchase", "From view to purchase", "bought", queries.read_bought),
    ("customers", "Most active customers", "customers", customers.read_customers),
    ("orphans", "Users who are no known customers", "orphans", customers.read_orphans),
)
"""Name and title of a section, what its frame, sentence, plot and table are called, and how the frame is read."""


def read_facts(
    session: Session, as_of: dt.datetime, limit: float, currency: str = "", landed: Mapping[str, Left] | None = None
) -> Facts:
    """Read the tables of `queries.FINDINGS`, all their days. A day later than `as_of` never counts as complete.

    `limit` is the highest error rate a day may have, `currency` is SHOP_CURRENCY, `landed` what was left in the landing
    folders.
    """
    known, today = queries.days_with_data(session, as_of), as_of.date()
    days = queries.read_days(session, *(known or (DayRange(today, today), today)))
    visitors, of_bots, events = session.one(
        """
        SELECT
            count(DISTINCT CASE WHEN NOT is_bot THEN person_key END),
            coalesce(sum(CASE WHEN is_bot THEN events END), 0), coalesce(sum(events), 0)
        FROM star.fact_sessions
        """
    )
    frames = {subject: read(session) for _, _, subject, read in _SECTIONS}
    return Facts(
        days=days if known else days.clear(),
        visitors=int(visitors),
        frames=frames
        | {"variants": queries.read_variants(session, frames["products"]["product_id"].to_list())}
        | {"lone_refunds": queries.read_lone_refunds(session)}
        | {"rejected_purchases": records.read_rejected_purchases(session, limit, ALL_DAYS)},
        quality=records.read_quality(session, limit, ALL_DAYS),
        reasons=records.read_reasons(session, ALL_DAYS).head(_REASONS),
        loaded_at=records.loaded_at(session),
        currency=shop_currency(session, currency),
        unknown=queries.read_unknown(session, limit),
        unconverted=queries.unconverted(session),
        unknown_events=unknown_events(session),
        unread_fields=unread_fields(session),
        days_above=days_above(session, limit),
        untold=queries.read_untold(session),
        bots=(int(of_bots), int(events)),
        days_of_bots=queries.read_days_of_bots(session),
        unread_files=_unread_files(session, landed or {}),
    )


def _unread_files(session: Session, landed: Mapping[str, Left]) -> Mapping[str, Sequence[str]]:
    """Say of each source which files stay in the landing folder, and which batches could not be loaded."""
    found = {source: left.sentences for source, left in landed.items()}
    for batch in unloaded_batches(session):
        found.setdefault(batch.source, []).append(str(batch))
    return {source: said for source, said in found.items() if said}


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
        unread = [words for said in facts.unread_files.values() for words in said]
        return Report(TITLE, f"Made on {moment(as_of)}.", (), (NO_DATA, *unread), ())
    with amounts_in(facts.currency):
        return Report(TITLE, _about(facts, as_of), _figures(facts), _notes(facts), tuple(_sections(facts, limit)))


def _about(facts: Facts, as_of: dt.datetime) -> str:
    """Say which days and records the report covers, and when it was made."""
    total = total_of(facts.days)
    days = (
        f"{span(total.first, total.last, year=True)} ({count(total.days, 'day')})" if total else "No day with traffic"
    )
    numbers = facts.quality.select("rows_accepted", "rows_duplicate", "rows_quarantined").sum().row(0)
    # Also of days without traffic: rates, customers and orders of the shop have days before the first event.
    accepted = f"of all {count(sum(numbers), 'record')} loaded, {whole(numbers[0])} were accepted"
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
        ("Revenue", figure(total.row, "revenue")),
        ("Refunds", figure(total.row, "refunds")),
        ("Net revenue", figure(total.row, "net_revenue")),
        ("Average order", shown(total.average_order)),
        ("Conversion", percent(total.conversion)),
    )


def _notes(facts: Facts) -> tuple[str, ...]:
    """Say what a reader must know to read the numbers right."""
    no_bots = sentences.but("Bots that buy nothing are left out.", [*empty_columns(facts.quality, ["user_agent"])])
    basis = (
        f"Days are UTC. {no_bots} Visitors are distinct persons over the whole period; "
        "conversion is sessions with an order / sessions. Revenue is before refunds. " + sentences.currency_sentence()
    )
    unknown = data_quality.unknown_sentence(facts.unknown, facts.unconverted)
    total, rejected = total_of(facts.days), facts.frames["rejected_purchases"]
    lost = " ".join(f"{said}." for said in lost_purchases(rejected, total)) if total else ""
    untold = "".join(f"{said}." for said in untold_orders(*facts.untold))
    unread = " ".join(f"{capital(said)}: see “{LEFT_OUT}”." for said in unread_files(facts.unread_files))
    of_bots, unfinished = _days_of_bots(facts), unfinished_sentence(facts.days, facts.quality)
    return tuple(filter(None, (basis, unknown, lost, untold, unread, of_bots, unfinished)))


def _days_of_bots(facts: Facts) -> str:
    # Eight days of bots after eight of people were in no sentence: the report seemed to be of all days loaded.
    return " ".join(f"{capital(said)}." for said in days_of_bots(facts.days_of_bots, total_of(facts.days)))


def _bots(facts: Facts) -> str:
    """Say what is known to be of bots, and where that is not known."""
    if said := data_quality.bots_sentence(*facts.bots):
        said = sentences.but(said, [*empty_columns(facts.quality, ["user_agent"])])
    return " ".join(filter(None, (said, _days_of_bots(facts))))


def _sections(facts: Facts, limit: float) -> Iterator[Section]:
    """Make the sections, each with a plot if its table has rows."""
    frames, lacks = {"trends": facts.days, **facts.frames}, reservations(facts)
    variants = tables.variants_table(facts.frames["variants"])
    for name, title, subject in (("daily_trends", "Daily trends", "trends"), *(some[:3] for some in _SECTIONS)):
        sentence = getattr(sentences, f"{subject}_sentence")(frames[subject])
        table = getattr(tables, f"{subject}_table")(frames[subject])
        if table and "Change" in table.header and lacks[subject]:
            table = replace(
                table, caption=f"{table.caption}; the days that are compared differ: {listed([*lacks[subject]])}"
            )
        plot = draw(getattr(plots, f"{subject}_plot"), frames[subject]) if table else None
        shown = tuple(filter(None, (table, variants if subject == "products" else None)))
        yield Section(name, title, sentences.but(sentence, lacks.get(subject, ())), plot, shown)
    quality, reasons = facts.quality, facts.reasons
    shown = tuple(filter(None, (tables.quality_table(quality), tables.reasons_table(reasons))))
    plot = None if quality.is_empty() else draw(plots.errors_plot, quality, limit)
    sentence = data_quality.quality_sentence(quality, reasons, limit, facts.days_above)
    yield Section("data_quality", "Data quality", sentence, plot, shown)
    unknown = data_quality.unknown_sentence(facts.unknown, facts.unconverted)
    unread = {
        "files": [words for said in facts.unread_files.values() for words in said],
        "amounts": [unknown] if unknown else [],
        "events": facts.unknown_events,
        "fields": facts.unread_fields,
    }
    table = tables.unread_table(unread)
    sentence = data_quality.unread_sentence(unread, _bots(facts))
    yield Section("left_out", LEFT_OUT, sentence, None, (table,) if table else ())


def reservations(facts: Facts) -> Mapping[str, Sequence[str]]:
    """Name for each section what changed in the data, so that it does not pass for a change of the shop."""
    found: dict[str, Sequence[str]] = {
        subject: [*empty_columns(facts.quality, columns)] for subject, columns in NEEDS.items()
    }
    found["attribution"] = [*channel_gaps(facts.quality)]
    # A share of a device, and the best of products, were told without a word on a source that had ended.
    uneven = [*silences(facts.quality), *bad_days(facts.quality)]
    found = {subject: [*said, *uneven] for subject, said in found.items()}
    rejected, total = facts.frames["rejected_purchases"], total_of(facts.days)
    lost = [*lost_purchases(rejected, total)] if total else []
    is_telling = total and rejected["purchases"].sum() >= _TELLING * total.orders
    # Orders by telephone are no fault of a figure; a shop that has orders and no event of any is not one without.
    untold = [] if total and total.orders else [*untold_orders(*facts.untold)]
    missing = [*(lost if is_telling else ()), *unknown_amounts(total), *untold]
    found |= {subject: [*found.get(subject, ()), *missing] for subject in ("attribution", "devices", "products")}
    silent = [*missing_orders(facts.days)]
    found |= {subject: [*found[subject], *silent] for subject in ("funnel", "devices", "products", "bought")}
    found["products"] = [
        *sentences.unnamed_sales(facts.frames["products"], total),
        *found["products"],
        *unknown_refunds(total),
        *lone_refunds(facts.frames["lone_refunds"], total),
    ]
    if weeks := weeks_of(facts.days):
        before, after = weeks
        found["trends"] = [
            *lost_purchases(rejected, after, before),
            *lone_refunds(facts.frames["lone_refunds"], after),
            *missing_orders(facts.days.filter(pl.col("date").is_between(before.first, after.last))),
            *days_of_bots([date for date in facts.days_of_bots if before.first <= date <= after.last], total),
            *differences(facts.quality, DayRange(before.first, before.last), DayRange(after.first, after.last)),
        ]
    else:
        # The best of 14 days was named without a word on the seven that lacked a source and a sixth of its rows.
        found["trends"] = [
            *lost,
            *untold,
            *lone_refunds(facts.frames["lone_refunds"], total),
            *silent,
            *days_of_bots(facts.days_of_bots, total),
            *unevenness(facts.quality),
        ]
    # Whether their records are of the days that are compared is not known: 300 of a file that was not read made a fall.
    unread = [*unread_files(facts.unread_files.keys() & {"", *EVENTS})]
    return {
        subject: [*found.get(subject, ()), *unread]
        for subject in ("trends", *(subject for _, _, subject, _ in _SECTIONS))
    }


def write_report(report: Report, folder: Path) -> None:
    """Write the report below `folder`, and remove plots of an earlier report that this one does not have.

    Every file is written beside its place and renamed. Raises `OSError` if the folder cannot be written.
    """
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    drawn = {plots / f"{section.name}.png": section.plot.wide for section in report.sections if section.plot}
    for path, png in drawn.items():
        _replace(path, png)
    for name, render in (("findings.md", render_markdown), ("findings.html", render_html)):
        _replace(folder / name, render(f"{name}.j2", report=report).encode())
    for old in set(plots.glob("*.png")) - drawn.keys():
        old.unlink()


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
