"""What was rejected and why; the rejected records themselves, to look at and to download."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial

import polars as pl
import streamlit as st

from analytics_platform.reports import data_quality, queries, records, tables
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.shell import Chosen, KeyFigure
from analytics_platform.reports.wording import change, percent, points, share, whole
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.error_rate import days_above
from analytics_platform.warehouse.spreadsheet import harmless, write_sheet
from analytics_platform.warehouse.watchdog import unread_fields

_SHOWN = 500
DOWNLOAD_ROWS = 100_000
"""Records in a download. The spreadsheets in DATA_DIR/quarantine hold all of them."""
_REASONS = 12
_COLUMNS = {
    "date": st.column_config.DateColumn("Day", width="small"),
    "source": st.column_config.TextColumn("Source", width="small"),
    "input": st.column_config.TextColumn("Input", width="small"),
    "position": st.column_config.NumberColumn("Line", width="small", format="localized"),
    "error_reason": st.column_config.TextColumn("Reasons", width="medium"),
    "raw": st.column_config.TextColumn("Record", width="large"),
}


def show() -> None:
    """Draw the page."""
    with shell.open_warehouse(*queries.OVERVIEW, *queries.QUALITY) as session:
        chosen, sources = shell.choose_days(session, "Records of bots are counted too."), shell.choose_sources(session)
        limit = shell.settings().max_error_rate
        quality = records.read_quality(session, limit, chosen.days, sources)
        before = records.read_quality(session, limit, chosen.before, sources) if chosen.before else quality.clear()
        reasons = records.read_reasons(session, chosen.days, sources)
        shell.key_figures(figures(quality, before))
        with shell.card("Error rate by source"):
            st.text(data_quality.quality_sentence(quality, reasons, limit, days_above(session, limit, chosen.days)))
            shell.plot("errors_plot", "Share of rejected records by day", quality, limit)
        with shell.card("Records"):
            left, right = st.columns((3, 2), gap="large")
            with left:
                shell.table(tables.quality_table(quality))
            with right:
                shell.table(tables.reasons_table(reasons.head(_REASONS)), "Nothing was rejected.")
        with shell.card("Not fully counted"):
            currencies = queries.unconverted(session, chosen.days)
            unknown = data_quality.unknown_sentence(queries.read_unknown(session, limit, chosen.days), currencies)
            events = records.read_unknown_events(session, chosen.days, sources)
            unread = {"amounts": [unknown] if unknown else [], "events": events, "fields": unread_fields(session)}
            said = data_quality.unread_sentence(unread, "Events of bots are in no figure of the shop.")
            st.text(f"{said} Fields are those of all days and sources.")
            shell.table(tables.unread_table(unread), "")
        with shell.card("Quarantine"):
            _quarantine(session, chosen, sources, reasons)


def figures(quality: pl.DataFrame, before: pl.DataFrame) -> list[KeyFigure]:
    """Return the numbers of records by what became of them, and their change against the days before."""
    columns = ("rows_accepted", "rows_duplicate", "rows_quarantined")
    now, then = (frame.select(columns).sum().row(0) for frame in (quality, before))
    read, read_then = sum(now), sum(then)
    rate, rate_then = share(now[2], read), share(then[2], read_then)
    return [
        KeyFigure("Records", whole(read), change(read_then, read), "off"),
        KeyFigure("Accepted", whole(now[0]), change(then[0], now[0]), "off"),
        KeyFigure("Duplicates", whole(now[1]), change(then[1], now[1]), "off"),
        KeyFigure("Rejected", whole(now[2]), change(then[2], now[2]), "inverse"),
        KeyFigure("Error rate", percent(rate), points(rate_then, rate), "inverse"),
    ]


def _quarantine(session: Session, chosen: Chosen, sources: Sequence[str], reasons: pl.DataFrame) -> None:
    counts = dict(reasons.iter_rows())
    reason = st.selectbox(
        "Reason", [None, *counts], key="reason", label_visibility="collapsed",
        format_func=lambda name: f"{name} ({whole(counts[name])})" if name else "All reasons",
    )  # fmt: skip
    rejected = records.read_rejected(session, chosen.days, _SHOWN + 1, sources, reason or "")
    if rejected.is_empty():
        st.text("No rejected record in these days.")
        return
    more = f" The latest {whole(_SHOWN)} are shown." if len(rejected) > _SHOWN else ""
    st.text(f"Every rejected record, whole, with each rule it broke.{more}")
    # The table can be downloaded: its cells must be harmless too.
    cut = rejected.head(_SHOWN).with_columns(pl.col("raw").str.slice(0, 1000))
    shown = cut.with_columns(pl.col(pl.String).map_elements(harmless, pl.String))
    st.dataframe(shown, hide_index=True, height=320, column_config=_COLUMNS)
    st.download_button(
        "Download as CSV", partial(download, chosen, tuple(sources), reason or ""), "quarantine.csv", "text/csv",
        on_click="ignore",
    )  # fmt: skip


def download(chosen: Chosen, sources: Sequence[str], reason: str) -> bytes:
    """Return the rejected records as CSV (UTF-8 with a mark, as spreadsheets want it), without cells that they run."""
    state = shell.view()
    assert state.warehouse is not None, "a page was drawn from it"
    with state.warehouse.session(read_only=True) as session:
        rejected = records.read_rejected(session, chosen.days, DOWNLOAD_ROWS, sources, reason)
    text = io.StringIO(newline="")
    write_sheet(text, rejected.columns, rejected.rows())
    return text.getvalue().encode("utf-8-sig")
