"""Which channels earn the revenue, by first and by last touch."""

from __future__ import annotations

import streamlit as st

from analytics_platform.reports import queries
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.days import choose_days
from analytics_platform.reports.sentences import attribution_sentence, credit_shares
from analytics_platform.reports.tables import attribution_table
from analytics_platform.warehouse import Session

_SOURCES = 200
"""Traffic sources to choose from."""


def show() -> None:
    """Draw the page."""
    shell.show((*queries.OVERVIEW, *queries.CHANNELS), _draw)


def _draw(session: Session) -> None:
    chosen = choose_days(session)
    if chosen is None:
        return
    sources = st.multiselect(
        "Traffic sources", queries.traffic_sources(session, chosen.days, _SOURCES), key="traffic_sources",
        placeholder="All traffic sources", label_visibility="collapsed",
    )  # fmt: skip
    credits = queries.read_credits(session, chosen.days, sources)
    with shell.card("First touch against last touch"):
        st.text(attribution_sentence(credits))
        shell.plot("attribution_plot", "Share of revenue by first and last touch", credit_shares(credits))
    with shell.card("Credit by channel"):
        shell.table(attribution_table(credits))
