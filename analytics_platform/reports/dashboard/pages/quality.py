"""What the gate refused and why; the refused records themselves, to look at and to download."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import partial

import polars as pl
import streamlit as st

from analytics_platform.reports.dashboard import charts, queries, shell
from analytics_platform.reports.dashboard.shell import Chosen, KeyFigure, changed, points
from analytics_platform.reports.sentences import quality_sentence
from analytics_platform.reports.tables import quality_table, reasons_table
from analytics_platform.reports.wording import percent, share, whole
from analytics_platform.warehouse import Session

_SHOWN = 500
DOWNLOAD_ROWS = 100_000
"""Records in a download. The spreadsheets in DATA_DIR/quarantine hold all of them."""
_REASONS = 12


def show() -> None:
    """Draw the page."""
    shell.heading("Data quality")
    shell.show((*queries.OVERVIEW, *queries.QUALITY), _draw)


def _draw(session: Session) -> None:
    chosen = shell.choose_days(session)
    if chosen is None:
        return
    sources = st.pills(
        "Sources", queries.data_sources(session), selection_mode="multi", key="sources", persist_state="session",
        label_visibility="collapsed",
    )  # fmt: skip
    quality = queries.read_quality(session, chosen.days, sources)
    before = queries.read_quality(session, chosen.before, sources) if chosen.before else None
    reasons = queries.read_reasons(session, chosen.days, sources)
    shell.key_figures(figures(quality, before))
    limit = shell.settings().max_error_rate
    with shell.card("Error rate by source"):
        shell.sentence(quality_sentence(quality, reasons, limit))
        if not quality.is_empty():
            st.altair_chart(charts.error_rates(quality, limit), theme=None, alt="Share of refused records by day")
    with shell.card("Records"):
        left, right = st.columns((3, 2), gap="large")
        with left:
            shell.table(quality_table(quality))
        with right:
            shell.table(reasons_table(reasons.head(_REASONS)), "Nothing was refused.")
    with shell.card("Quarantine"):
        _quarantine(session, chosen, sources, reasons)


def figures(quality: pl.DataFrame, before: pl.DataFrame | None) -> list[KeyFigure]:
    """Records by what became of them, and the change against the days before."""
    now, then = _sums(quality), _sums(before) if before is not None else {}
    return [
        KeyFigure("Records", whole(now["read"]), changed(then.get("read"), now["read"]), "either"),
        KeyFigure("Accepted", whole(now["accepted"]), changed(then.get("accepted"), now["accepted"]), "either"),
        KeyFigure("Seen before", whole(now["duplicate"]), changed(then.get("duplicate"), now["duplicate"]), "either"),
        KeyFigure("Refused", whole(now["refused"]), changed(then.get("refused"), now["refused"]), "down"),
        KeyFigure(
            "Error rate",
            percent(share(now["refused"], now["read"])),
            points(share(then["refused"], then["read"]) if then else None, share(now["refused"], now["read"])),
            "down",
        ),
    ]


def _sums(quality: pl.DataFrame) -> dict[str, int]:
    names = ("accepted", "duplicate", "quarantined")
    accepted, duplicate, refused = (int(quality[f"rows_{name}"].sum()) for name in names)
    return {
        "read": accepted + duplicate + refused,
        "accepted": accepted,
        "duplicate": duplicate,
        "refused": refused,
    }


def _quarantine(session: Session, chosen: Chosen, sources: Sequence[str], reasons: pl.DataFrame) -> None:
    counts = dict(zip(reasons["reason"].to_list(), reasons["rows"].to_list(), strict=True))
    reason = st.selectbox(
        "Reason", [None, *counts], key="reason", label_visibility="collapsed",
        format_func=lambda name: f"{name} ({whole(counts[name])})" if name else "All reasons",
    )  # fmt: skip
    refused = queries.read_refused(session, chosen.days, _SHOWN + 1, sources, reason or "")
    if refused.is_empty():
        shell.sentence("No refused record in these days.")
        return
    more = f" The latest {whole(_SHOWN)} are shown." if len(refused) > _SHOWN else ""
    shell.sentence(f"Every refused record, whole, with each rule it broke.{more}")
    st.dataframe(_shown(refused.head(_SHOWN)), hide_index=True, height=320, column_config=_COLUMNS)
    st.download_button(
        "Download as CSV", partial(download, chosen, tuple(sources), reason or ""), "quarantine.csv", "text/csv",
        on_click="ignore",
    )  # fmt: skip


_COLUMNS = {
    "date": st.column_config.DateColumn("Day", width="small"),
    "source": st.column_config.TextColumn("Source", width="small"),
    "input": st.column_config.TextColumn("Input", width="small"),
    "position": st.column_config.NumberColumn("Line", width="small", format="localized"),
    "error_reason": st.column_config.TextColumn("Reasons", width="medium"),
    "raw": st.column_config.TextColumn("Record", width="large"),
}


def _shown(refused: pl.DataFrame) -> pl.DataFrame:
    return refused.with_columns(pl.col("raw").str.slice(0, 1000))


def download(chosen: Chosen, sources: Sequence[str], reason: str) -> bytes:
    """The refused records as CSV (UTF-8 with a mark, as spreadsheets want it)."""
    state = shell.view()
    assert state.warehouse is not None, "a page was drawn from it"
    with state.warehouse.session(read_only=True) as session:
        refused = queries.read_refused(session, chosen.days, DOWNLOAD_ROWS, sources, reason)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(queries.spreadsheet(refused))
    return text.getvalue().encode("utf-8-sig")
