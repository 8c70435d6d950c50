"""What sells: products by day, product lists over all days."""

from __future__ import annotations

import polars as pl
import streamlit as st

from analytics_platform.reports.dashboard import charts, queries, shell
from analytics_platform.reports.dashboard.shell import Chosen
from analytics_platform.reports.sentences import lists_sentence, product_label, products_sentence
from analytics_platform.reports.tables import lists_table, products_table
from analytics_platform.reports.wording import money
from analytics_platform.warehouse import Session

_TOP = 25
_LONGEST_SEARCH = 100


def show() -> None:
    """Draw the page."""
    shell.heading("Products")
    shell.show((*queries.OVERVIEW, *queries.PRODUCTS), _draw)


def _draw(session: Session) -> None:
    chosen = shell.choose_days(session)
    if chosen is None:
        return
    with shell.card("Products"):
        _products(session, chosen)
    with shell.card("Product lists"):
        lists = queries.read_lists(session, _TOP)
        shell.sentence(f"Over all days: {lists_sentence(lists)}")
        shell.table(lists_table(lists), "No list was met yet.")


def _products(session: Session, chosen: Chosen) -> None:
    best = queries.read_products(session, chosen.days, _TOP)
    shell.sentence(products_sentence(best))
    if not best.is_empty():
        names = [product_label(row, 34) for row in best.iter_rows(named=True)]
        st.altair_chart(
            charts.ranked(best.with_columns(label=pl.Series(names)), "label", "revenue", money),
            theme=None,
            alt="Products by revenue",
        )
    text = st.text_input(
        "Find a product", key="product", placeholder="Find a product by name or id", max_chars=_LONGEST_SEARCH,
        label_visibility="collapsed",
    )  # fmt: skip
    found = queries.read_products(session, chosen.days, _TOP, text.strip()) if text.strip() else best
    shell.table(products_table(found), "No product with this text in its name or id was met in these days.")
