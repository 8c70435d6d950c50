"""What sells: products by day, product lists over all days."""

from __future__ import annotations

import streamlit as st

from analytics_platform.reports import queries
from analytics_platform.reports.dashboard import shell
from analytics_platform.reports.dashboard.days import Chosen, choose_days
from analytics_platform.reports.sentences import lists_sentence, products_sentence
from analytics_platform.reports.tables import lists_table, products_table
from analytics_platform.warehouse import Session

_TOP = 25
_LONGEST_SEARCH = 100


def show() -> None:
    """Draw the page."""
    shell.show((*queries.OVERVIEW, *queries.PRODUCTS), _draw)


def _draw(session: Session) -> None:
    chosen = choose_days(session)
    if chosen is None:
        return
    with shell.card("Best sellers"):
        _products(session, chosen)
    with shell.card("Product lists"):
        lists = queries.read_lists(session, _TOP)
        st.text(f"Over all days: {lists_sentence(lists)}")
        shell.table(lists_table(lists), "No list was shown yet.")


def _products(session: Session, chosen: Chosen) -> None:
    best = queries.read_products(session, chosen.days, _TOP)
    st.text(products_sentence(best))
    shell.plot("products_plot", "Best sellers", best)
    text = st.text_input(
        "Find a product", key="product", placeholder="Find a product by name or id", max_chars=_LONGEST_SEARCH,
        label_visibility="collapsed",
    )  # fmt: skip
    found = queries.read_products(session, chosen.days, _TOP, text.strip()) if text.strip() else best
    shell.table(products_table(found), "No product with this text in its name or id was seen in these days.")
